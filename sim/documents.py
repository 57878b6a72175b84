"""A run for other programs: the JSON document that `simulate --json` prints, and its files."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sim.output import write_folder, write_text
from sim.results import Intervals, Result
from sim.trust import trust_document

SCHEMA = "andesim.summary/1"


def summary_document(result: Result, intervals: Intervals | None = None) -> dict[str, Any]:
    """Return the summary of a run as plain data, ready for JSON."""
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "model": result.program.model,
        "device": result.soc.id,
        "stack": result.stack,
        "seed": result.seed,
        "engine": result.engine,
        "fingerprint": result.fingerprint,
        "versions": dict(result.versions),
        "metrics": result.metrics(),
        "dram_bytes": dict(result.ledger.peak.by_class),
        "dram_peak": {"at_s": result.ledger.peak.at_s, "cause": result.ledger.peak.cause},
        "energy_j": result.energy.parts(),
        "session": result.session_summary().as_dict(),
        "cold_start": asdict(result.cold_start()),
        "evidence": trust_document(result),
        "warnings": list(result.warnings),
    }
    if intervals is not None:
        document["intervals"] = {name: dict(interval) for name, interval in intervals.items()}
    return document


def write_run(result: Result, folder: Path, intervals: Intervals | None = None) -> None:
    """Write ``summary.json``, ``scenario.yaml``, ``tasks.parquet`` and ``trace.json`` of a run.

    ``tasks.parquet`` has a row per task; of a long session a row per step. Raises `OutputError`
    where they cannot be written; then there is none.
    """
    import yaml

    scenario = result.scenario.model_dump(mode="json", exclude_defaults=True)
    document = json.dumps(summary_document(result, intervals), indent=2, allow_nan=False)

    def write(part: Path) -> None:
        write_text(part / "scenario.yaml", yaml.safe_dump(scenario, sort_keys=False))
        frame = result.to_frame() if result.keeps_tasks else result.to_step_frame()
        frame.to_parquet(part / "tasks.parquet")
        result.to_perfetto(part / "trace.json")
        write_text(part / "summary.json", document + "\n")

    write_folder(folder, write, last="summary.json")
