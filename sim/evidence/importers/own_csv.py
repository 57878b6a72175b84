"""Our own CSV of measured runs, or any CSV whose columns a mapping names in our words.

This is also the way in for tools whose output is not documented in public, such as the MediaTek
profilers. Numbers are converted from the unit that their column states to ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sim.errors import SimError
from sim.evidence import csv_text
from sim.evidence.column_units import own_reading
from sim.evidence.importers.base import Importer
from sim.evidence.measured import COLUMNS, MeasuredRun, parse_rows
from sim.evidence.measured_metrics import METRICS
from workloads.errors import did_you_mean


def sniff(text: str) -> bool:
    """Whether the first line names a metric of ours, or two columns of ours between commas.

    A column `t/s` is llama-bench's: its table may have been saved as CSV.
    """
    cells = [cell.lower() for cell in csv_text.header(text)]
    alike = (own_reading(cell) for cell in cells if cell.replace("_", "").isalpha())
    columns = {*cells, *(read.ours for read in alike if read)}
    if "t/s" in columns:
        return False
    if columns & set(METRICS):
        return True
    return csv_text.delimiter(text) == "," and len(columns & set(COLUMNS)) > 1


def read(text: str, mapping: Mapping[str, str] | None = None) -> list[MeasuredRun]:
    """Return the rows as runs, those at fault refused; `SimError` where all are."""
    runs, faults = parse_rows(text, "CSV", mapping)
    said = [f"CSV, line {line}: {fault}" for line, fault in faults]
    if not runs and said:
        raise SimError("\n".join(said))
    taken = {run.id for run in runs}
    by_line: dict[int, list[str]] = {}
    for line, fault in faults:
        by_line.setdefault(line, []).append(fault)
    for line, own in by_line.items():
        name = f"line{line}" if f"line{line}" not in taken else f"line{line} (refused)"
        runs.append(MeasuredRun(id=name, refusal=f"line {line}: {' '.join(own)}"))
    return runs


def column_mapping(pairs: Sequence[str]) -> Mapping[str, str] | None:
    """Return a column mapping, theirs to ours or to ours in another unit, or none.

    >>> column_mapping(["TG (tok/s)=tokens_per_s"])
    {'TG (tok/s)': 'tokens_per_s'}
    """
    found = {}
    for pair in pairs:
        theirs, sign, ours = (part.strip() for part in pair.rpartition("="))
        if not (theirs and sign):
            raise SimError(
                f"A column must be renamed as theirs=ours, as in TG=tokens_per_s. Got {pair!r:.80}."
            )
        if ours not in COLUMNS and own_reading(ours) is None:
            raise SimError(f"A column cannot be renamed to {ours!r}. {did_you_mean(ours, COLUMNS)}")
        found[theirs] = ours
    return found or None


OWN_CSV: Final = Importer("csv", "columns of a measured run; others through a mapping", sniff, read)
