"""A row set: measured runs that were read, checked against physics, and kept with a manifest.

It has the form of the shipped exhibits (`sim.evidence.exhibits`), so what reads those reads it:
``runs.csv`` beside ``run.yaml``, which names the source, the role and the checksum of the rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from sim.errors import OutputError, SimError
from sim.evidence.exhibits import MANIFEST, Manifest
from sim.evidence.measured import MeasuredRun, write_measured
from sim.output import write_text

ROWS: Final = "runs.csv"
Role = Literal["calibration", "validation", "context"]


def write_row_set(
    runs: Sequence[MeasuredRun],
    folder: Path,
    *,
    title: str,
    role: Role,
    sources: Sequence[str],
    licence: str,
    conditions: str = "not stated",
) -> Path:
    """Write rows and manifest to a folder that holds neither, and return the manifest's path.

    Raises `SimError` where there is no row or the folder holds a row set already, `OutputError`
    where it cannot be written.
    """
    import yaml

    if not runs:
        raise SimError("a row set must hold at least one row that can be judged. Got none.")
    manifest = folder / MANIFEST
    if manifest.exists():
        raise SimError(f"{folder} must hold no row set yet. Got {manifest.name} there.")
    text = write_measured([run.model_copy(update={"role": role}) for run in runs])
    metrics = sorted({metric for run in runs for metric in run.metrics})
    described = {
        "schema": "andesim.exhibit/1",
        "title": title,
        "role": role,
        "conditions": conditions,
        "sources": [*dict.fromkeys(sources)],
        "devices": sorted({run.device for run in runs}),
        "stacks": sorted({run.stack for run in runs}),
        "definitions": dict.fromkeys(metrics, "as the file names it"),
        "licence": licence,
        "samples": {
            "file": ROWS,
            "rows": len(runs),
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
        },
    }
    Manifest.model_validate(described)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} must be a writable folder. Got: {error.strerror}.") from None
    write_text(folder / ROWS, text)
    write_text(manifest, yaml.safe_dump(described, sort_keys=False, allow_unicode=True))
    return manifest
