"""Measured files from Python: one file, one table of runs that a person can inspect and mend."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sim.evidence.measured import COLUMNS, MeasuredRun, write_measured

if TYPE_CHECKING:
    import pandas as pd

COUNTS: Final = (
    *("context_tokens", "prompt_tokens", "output_tokens", "depth_tokens"),
    *("threads", "ubatch_tokens"),
)
"""Columns of whole numbers, of which any may be unknown."""


@dataclass(frozen=True)
class MeasuredTable:
    """The runs of a file, in its order; what could not be read stands among them with a reason."""

    runs: tuple[MeasuredRun, ...]

    def __len__(self) -> int:
        return len(self.runs)

    def __iter__(self) -> Iterator[MeasuredRun]:
        return iter(self.runs)

    def __getitem__(self, index: int) -> MeasuredRun:
        return self.runs[index]

    def __str__(self) -> str:
        frame = self.to_frame().dropna(axis="columns", how="all").astype(object)
        return str(frame.where(frame.notna(), "").to_string())

    def to_frame(self) -> pd.DataFrame:
        """Return a row per run: the columns of the CSV, then what the source said."""
        import pandas as pd

        names = (*COLUMNS, "source_format")
        rows = [[getattr(run, name) or None for name in names] for run in self.runs]
        frame = pd.DataFrame(rows, columns=list(names))
        return frame.astype(dict.fromkeys(COUNTS, "Int64"))

    def to_csv(self) -> str:
        """Return the CSV of measured runs."""
        return write_measured(self.runs)


def read(
    path: str | os.PathLike[str],
    format: str | None = None,
    columns: Mapping[str, str] | None = None,
) -> MeasuredTable:
    """Return the measured runs of a file of any format that is imported.

    Parameters
    ----------
    format
        Name of an importer; found from the text if none.
    columns
        Column names of a CSV, theirs to ours.

    Raises `SimError` for a file that no importer reads.
    """
    from sim.evidence.importers.registry import import_measured

    return MeasuredTable(tuple(import_measured(path, format, columns)))
