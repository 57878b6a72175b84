"""Our own CSV of measured runs, or any CSV whose columns a mapping names in our words.

This is also the way in for tools whose output is not documented in public, such as the MediaTek
profilers. Units are not converted: a column must already be in the unit its name here says.
"""

from __future__ import annotations

from typing import Final

from sim.analysis.importers.base import Importer
from sim.analysis.measured import COLUMNS, METRICS, MeasuredRun, parse_measured


def sniff(text: str) -> bool:
    """Whether the first line names a metric of ours, or at least two columns of ours."""
    first = text.partition("\n")[0]
    columns = {cell.strip().strip('"') for cell in first.split(",")}
    return bool(columns & set(METRICS)) or len(columns & set(COLUMNS)) > 1


def read(text: str) -> list[MeasuredRun]:
    """Return the rows as runs."""
    return parse_measured(text, "CSV")


OWN_CSV: Final = Importer("csv", "columns of a measured run; others through a mapping", sniff, read)
