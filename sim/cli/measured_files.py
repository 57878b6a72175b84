"""Measured files on the command line: what the person adds to what the files say.

Logs and profiles seldom name the model, the software stack or the weights. What is given here
fills the rows that leave it open; it never overrules a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from sim.errors import SimError
from sim.evidence.importers.own_csv import column_mapping
from sim.evidence.importers.registry import import_measured
from sim.evidence.measured import MeasuredRun


class Given(NamedTuple):
    """What the command line says of the runs in the files; empty: nothing.

    Attributes
    ----------
    format
        Name of an importer; found from the text if none.
    columns
        CSV columns renamed, each ``theirs=ours``.
    """

    model: str = ""
    stack: str = ""
    weights: str = ""
    format: str | None = None
    columns: Sequence[str] = ()


NOTHING: Final = Given()


def read_runs(paths: Sequence[Path], given: Given = NOTHING) -> list[MeasuredRun]:
    """Return the runs of the files, the open fields filled.

    Raises SimError for a file no importer reads, an id given twice, and for what fills no row.
    """
    mapping = column_mapping(given.columns)
    runs = [run for path in paths for run in import_measured(path, given.format, mapping)]
    seen: set[str] = set()
    for run in runs:
        if run.id in seen:
            raise SimError(f"id {run.id!r} must be unique over all files. Got it twice.")
        seen.add(run.id)
    check_given(runs, given)
    return [filled(run, given) for run in runs]


def check_given(runs: Sequence[MeasuredRun], given: Given) -> None:
    """Refuse what is given and fills no row: it would change nothing, and nobody would notice."""
    for name in ("model", "stack", "weights"):
        value = getattr(given, name)
        own = {str(getattr(run, name)) for run in runs}
        if value and own and "" not in own:
            raise SimError(
                f"--{name} must fill a row that names none. Got {value!r}; "
                f"every row names its own: {', '.join(sorted(own))}."
            )


def filled(run: MeasuredRun, given: Given) -> MeasuredRun:
    """Return a run whose open fields hold what the person gave.

    >>> filled(MeasuredRun(id="a", stack="genie"), Given("qwen3-4b", "mnn_cpu")).stack
    'genie'
    """
    values = {"model": given.model, "stack": given.stack, "weights": given.weights}
    update = {name: value for name, value in values.items() if value and not getattr(run, name)}
    return run.model_copy(update=update)
