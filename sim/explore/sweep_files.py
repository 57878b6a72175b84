"""The file of a sweep: parts while it runs, one Parquet file when it is done.

Every chunk of rows becomes a part, written whole or not at all in `FILE.parquet.parts`; its name
says which rows it holds, so that chunks may be of any size. A sweep
that is stopped or killed therefore loses at most the chunks under way, and the next run of the same
sweep continues from the parts. Nothing but one part is held in memory.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

from sim.errors import OutputError
from sim.explore.designs import SweepSpec
from sim.explore.parts import Parts, beside, identity_of
from sim.explore.sweep_rows import RAN, SAID, Row, axis_types
from sim.explore.sweep_verdicts import COLUMNS as VERDICTS
from sim.metrics import known_metrics
from sim.output import write_whole

IDENTITY_KEY = b"andesim.sweep"
PART = r"(\d+)-(\d+)\.parquet"
"""Name of a part: its first row, and the row behind its last."""


@dataclass(frozen=True)
class SweepFile:
    """Where the rows of one sweep go.

    Attributes
    ----------
    path
        The Parquet file to end up with.
    """

    spec: SweepSpec
    path: Path

    @property
    def parts(self) -> Path:
        """Folder of the parts."""
        return beside(self.path)

    @cached_property
    def identity(self) -> str:
        """What is swept, with which versions (`sim.explore.parts`)."""
        return identity_of(self.spec.model_dump_json(), (self.spec.base, self.spec.axes))

    @property
    def _kept(self) -> Parts:
        return Parts(self.parts, self.identity, "sweep.json")

    def is_complete(self) -> bool:
        """Return whether the file already holds this very sweep.

        Raises `OutputError` where it is another's, or no file.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not self.path.exists():
            return False
        if self.path.is_dir():
            raise OutputError(f"{self.path} must be a file to write. Got a folder.")
        try:
            found = (pq.read_schema(self.path).metadata or {}).get(IDENTITY_KEY, b"").decode()
        except (OSError, pa.ArrowException):
            found = ""
        if found != self.identity:
            raise OutputError(
                f"{self.path} must be new or hold this very sweep. Got another's file. "
                "Move it away or choose another name."
            )
        return True

    def open(self) -> None:
        """Make the folder of the parts, or check that it belongs to this sweep.

        Raises `SimError` where the folder is another's, `OutputError` where it cannot be made.
        """
        self._kept.open()

    def missing(self) -> list[tuple[int, int]]:
        """Return the stretches of rows without a part: first row, and the row behind the last."""
        ends = [(0, 0), *self._written(), (self.spec.points, self.spec.points)]
        return [(before, start) for (_, before), (start, _) in pairwise(ends) if before < start]

    def write(self, start: int, rows: Sequence[Row]) -> None:
        """Write the part that begins at row `start`; raises `OutputError` where it cannot."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        columns = [
            pa.array([row.get(name) for row in rows], kind, from_pandas=True)
            for name, kind in zip(self.schema.names, self.schema.types, strict=True)
        ]
        table = pa.Table.from_arrays(columns, schema=self.schema)
        write_whole(self._part(start, start + len(rows)), lambda path: pq.write_table(table, path))

    def assemble(self) -> None:
        """Join the parts into the file, one after the other, and remove them.

        Raises `OutputError` where the file cannot be written.
        """
        write_whole(self.path, self._join)
        self.remove_parts()

    def remove_parts(self) -> None:
        """Remove the parts, which the file holds."""
        self._kept.remove()

    @cached_property
    def schema(self) -> Any:
        """Arrow schema of a row: what ran, axes, metrics, what is said of it."""
        import pyarrow as pa

        kinds = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}
        metrics = {name: item.kind for name, item in known_metrics().items()}
        verdicts = VERDICTS if self.spec.targets else {}
        axes = axis_types(self.spec)
        columns = axes | RAN | axes | metrics | verdicts | SAID
        typed = [(name, kinds[kind]) for name, kind in columns.items()]
        return pa.schema(typed, {IDENTITY_KEY: self.identity})

    def _join(self, path: Path) -> None:
        import pyarrow.parquet as pq

        with pq.ParquetWriter(path, self.schema) as writer:
            for start, stop in self._written():
                writer.write_table(pq.read_table(self._part(start, stop)))

    def _written(self) -> list[tuple[int, int]]:
        """Return the first row, and the row behind the last, of every part, in order."""
        found = (re.fullmatch(PART, entry.name) for entry in self.parts.iterdir())
        return sorted((int(match[1]), int(match[2])) for match in found if match)

    def _part(self, start: int, stop: int) -> Path:
        return self.parts / f"{start:09d}-{stop:09d}.parquet"
