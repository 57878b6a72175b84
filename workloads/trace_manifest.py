"""The manifest beside the shipped traces: the digest of each file and what it was made from.

It carries no date, so capturing the same models with the same PyTorch gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from workloads.files import parse_json, read_text, write_text
from workloads.trace_file import FOLDER, MANIFEST, parse_trace, trace_files

SCHEMA = "andesim.trace-manifest/1"


def write_manifest(directory: str | os.PathLike[str] = FOLDER) -> None:
    """Write the manifest of every trace in ``directory``."""
    traces = {}
    for file in trace_files(directory):
        text = read_text(file)
        trace = parse_trace(text, str(file))
        traces[file.stem] = {
            "config_digest": trace.config_digest,
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
            "captured_by": trace.captured_by or "the modules of workloads.models",
            "torch_version": trace.torch_version,
        }
    content = {"schema": SCHEMA, "traces": traces}
    write_text(Path(directory) / MANIFEST, json.dumps(content, indent=1, sort_keys=True) + "\n")


def changed_traces(directory: str | os.PathLike[str] = FOLDER) -> list[str]:
    """Return the traces that are missing or differ from the manifest."""
    manifest = parse_json(read_text(Path(directory) / MANIFEST), MANIFEST)["traces"]
    changed = []
    for model, entry in manifest.items():
        file = Path(directory) / f"{model}.json"
        if not file.is_file() or _digest(file) != entry["sha256"]:
            changed.append(model)
    return changed


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
