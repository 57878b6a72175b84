"""Compose the models that ship anew: ``python -m workloads.composing``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from workloads.catalogue import get_entry, trace_for, trace_of
from workloads.composed_models import FOLDER, Catalogue, trace_of_composition
from workloads.files import read_yaml
from workloads.shipped_ids import COMPOSITIONS, composition_ids
from workloads.trace_file import save_trace
from workloads.trace_manifest import write_manifest


def regenerate_compositions(
    directory: str | os.PathLike[str] = FOLDER, compositions: Iterable[str] | None = None
) -> None:
    """Compose what ships into a folder, with a manifest."""
    known = Catalogue(get_entry, trace_for, trace_of)
    for name in compositions or composition_ids():
        entry = read_yaml(COMPOSITIONS / f"{name}.yaml")
        trace = trace_of_composition(entry, name, COMPOSITIONS, known)
        save_trace(trace, Path(directory) / f"{name}.json")
    write_manifest(directory)


if __name__ == "__main__":
    regenerate_compositions()
