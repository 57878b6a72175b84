"""Tables in text -> rows under the names of their columns: Markdown, tabs, CSV, SQL inserts.

A Markdown table may lack its outer pipes, hold emphasis, or use tabs; two tables of one file are
read one after the other. A row that does not fit its header is yielded as it stands, so that it can
be told apart and costs nobody else. Not read: cells that hold the delimiter, outside CSV.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

_RULE: Final = re.compile(r"[-:|\s+=─━═│┼├┤╞╪╡╒╤╕╘╧╛]+")
_EMPHASIS: Final = re.compile(r"\*\*|__|`|\\")
_ENDS: Final = re.compile(r"[\d.,]+")
"""A number that the text ends in may go on."""
_INSERT: Final = re.compile(
    r"INSERT\s+(?:OR\s+\w+\s+)?INTO\s+[\"`]?(\w+)[\"`]?\s*\(([^)]*)\)\s*VALUES\s*\((.*?)\)\s*;",
    re.IGNORECASE | re.DOTALL,
)


class Row(NamedTuple):
    """One row of a table: its line in the text, its cells by column, or why it has none."""

    line: int
    cells: dict[str, str]
    fault: str = ""


def table_rows(text: str, is_header: Callable[[list[str]], bool]) -> Iterator[Row]:
    """Yield the rows of the tables whose header ``is_header`` knows.

    What a log prints between two rows ends no table; the header of another table does.
    """
    header: list[str] = []
    broken = False
    lines = text.splitlines()
    for number, line in enumerate(lines, start=1):
        cells = _cells(line)
        if len(cells) < 2:
            broken = broken or not _RULE.fullmatch(line or "-")
        elif is_header(cells):
            header, broken = cells, False
        elif not header or _RULE.fullmatch(line):
            continue
        elif broken and not _goes_on(header, cells, lines[number : number + 1]):
            header = []
        elif number == len(lines) and not text.endswith("\n") and _ENDS.fullmatch(cells[-1]):
            yield Row(
                number, {}, f"a row must be whole. Got a text that ends in {cells[-1]!r:.20}."
            )
        else:
            yield _row(number, header, cells)
            broken = False


def _goes_on(header: list[str], cells: list[str], following: list[str]) -> bool:
    """Whether cells behind a stray line are of the table before it, and head no other."""
    heads_another = bool(following) and bool(_RULE.fullmatch(following[0] or " x"))
    return len(cells) == len(header) and not heads_another


def has_table(text: str, is_header: Callable[[list[str]], bool]) -> bool:
    """Whether a line of text is a header that ``is_header`` knows."""
    return any(is_header(_cells(line)) for line in text.splitlines() if "|" in line or "\t" in line)


def csv_rows(text: str, sign: str = ",") -> Iterator[Row]:
    """Yield the rows of CSV, each line a row, so that a stray quote costs one; headers repeat."""
    header: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            cells = [cell.strip() for cell in next(csv.reader([line], delimiter=sign), [])]
        except csv.Error as error:
            yield Row(number, {}, f"must be CSV. Got: {error}.")
            continue
        if not header:
            header = cells
        elif any(cells) and cells != header:
            yield _row(number, header, cells)


def insert_rows(text: str) -> Iterator[Row]:
    """Yield the rows of SQL ``INSERT INTO t (columns) VALUES (values);`` statements."""
    for match in _INSERT.finditer(text):
        header = [name.strip(' "`\n') for name in match[2].split(",")]
        values = next(
            csv.reader([match[3].replace("\n", " ")], quotechar="'", skipinitialspace=True)
        )
        yield _row(text.count("\n", 0, match.start()) + 1, header, [v.strip() for v in values])


def _row(line: int, header: list[str], cells: list[str]) -> Row:
    if len(cells) != len(header):
        shown = " | ".join(cells)
        return Row(line, {}, f"a row must have {len(header)} cells. Got {shown!r:.80}.")
    return Row(line, dict(zip(header, cells, strict=True)))


def _cells(line: str) -> list[str]:
    """Return the cells of a line, without emphasis; a line without a delimiter is one cell."""
    sign = "|" if "|" in line else "\t"
    plain = _EMPHASIS.sub("", line) if _EMPHASIS.search(line) else line
    stripped = plain.strip().strip(sign) if sign == "|" else line.strip()
    return [cell.strip() for cell in stripped.split(sign)]
