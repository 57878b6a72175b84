"""Measured files a person drops: hostile until read.

A file is at most `LIMIT_BYTES`, read as text by an importer and never executed or unpickled. Its
name is not used, and names inside it are ids: a row that names a path is refused, so that a file
cannot make this machine read another one.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from sim.errors import SimError
from sim.evidence.importers.own_csv import column_mapping
from sim.evidence.importers.registry import import_measured
from sim.evidence.measured import SIZE_LIMIT_BYTES, MeasuredRun

LIMIT_BYTES: Final = SIZE_LIMIT_BYTES
NAME: Final = "upload"
SHOWN: Final = "The file"
PATH_SIGNS: Final = ("/", "\\", ".json", ".yaml", ".yml")


def read_upload(content: bytes, mapping: str = "") -> list[MeasuredRun]:
    """Return the runs of a dropped file; `mapping` renames columns, ``theirs=ours; ...``."""
    if len(content) > LIMIT_BYTES:
        limit, got = LIMIT_BYTES / 1e6, len(content) / 1e6
        raise SimError(f"A measured file must be at most {limit:.0f} MB. Got {got:.0f} MB.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / NAME
        path.write_bytes(content)
        try:
            pairs = [part for part in mapping.split(";") if part.strip()]
            runs = import_measured(path, mapping=column_mapping(pairs))
        except SimError as error:
            raise SimError(str(error).replace(str(path), SHOWN)) from None
    faults = [fault for run in runs for fault in _path_faults(run)]
    if faults:
        raise SimError("\n".join(faults))
    return runs


def _path_faults(run: MeasuredRun) -> list[str]:
    named = {"device": run.device, "model": run.model, "weights": run.weights}
    return [
        f"{run.id}: {column} must be an id of the catalogue. Got {text!r:.80}."
        for column, text in named.items()
        if any(sign in text.lower() for sign in PATH_SIGNS)
    ]
