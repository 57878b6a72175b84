"""The JSON document of a run: what `simulate --json` prints and reports are checked against."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sim.results import Intervals, Result

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
        "warnings": list(result.warnings),
    }
    if intervals is not None:
        document["intervals"] = {name: dict(interval) for name, interval in intervals.items()}
    return document
