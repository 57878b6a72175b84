"""CSV as people and spreadsheets write it: rows of cells from text.

Where a comma is the decimal sign, spreadsheets part cells by semicolons; text copied out of one has
tabs; Excel may put ``sep=;`` above the header. Not told apart: thousands, which nobody may write.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

_SIGNS: Final = (",", ";", "\t")
_SEPARATOR: Final = re.compile(r"\A\ufeff?\"?sep=(.)\"?\r?\n")
_DECIMAL: Final = re.compile(r"[-+]?\d+,\d+(?:[eE][-+]?\d+)?")


class Line(NamedTuple):
    """A row: its line in the text, its cells, or why it has none."""

    number: int
    cells: list[str]
    fault: str = ""


def delimiter(text: str) -> str:
    """Return what parts the cells: what stands most often in the header, outside quotes.

    >>> delimiter("id;tokens_per_s"), delimiter("id"), delimiter("sep=;\\nid;a,b;c,d,e,f,g")
    (';', ',', ';')
    """
    if match := _SEPARATOR.match(text):
        return match[1]
    plain = re.sub(r'"[^"\n]*"', "", _first(text))
    return max(_SIGNS, key=plain.count)


def header(text: str) -> list[str]:
    """Return the cells of the first row, without the quotes around them."""
    sign = delimiter(text)
    return [cell.strip().strip('"') for cell in _first(text).split(sign)]


def _first(text: str) -> str:
    """Return the first line that is neither empty nor a comment."""
    body = _SEPARATOR.sub("", text).removeprefix("\ufeff")
    return next((line for line in body.splitlines() if line.strip(" ,;\t") and line[0] != "#"), "")


def rows(text: str) -> Iterator[Line]:
    """Yield the rows that hold something and are no comment, which has other cells than the header.

    Where quotes do not fit together, each line is a row, and those that are none have a fault.

    >>> [line.cells for line in rows("# mine\\nid;tokens_per_s\\na;24,5\\n")]
    [['id', 'tokens_per_s'], ['a', '24.5']]
    """
    sign = delimiter(text)
    body, above = _SEPARATOR.subn("", text)
    width = 0
    for number, cells, fault in _parsed(body.removeprefix("\ufeff"), sign):
        is_comment = bool(cells) and cells[0].startswith("#") and len(cells) != width
        if any(cell.strip() for cell in cells) and not is_comment:
            width = width or len(cells)
            own = [_pointed(cell) for cell in cells] if sign == ";" else cells
            yield Line(number + above, own, fault)


def _parsed(text: str, sign: str) -> Iterable[Line]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=sign)
    try:
        return [Line(reader.line_num, cells) for cells in reader]
    except csv.Error:
        lines = enumerate(text.splitlines(), start=1)
        return (_line(number, line, sign) for number, line in lines)


def _line(number: int, text: str, sign: str) -> Line:
    try:
        return Line(number, next(csv.reader([text], strict=True, delimiter=sign), []))
    except csv.Error as error:
        return Line(number, [text], f"must be CSV. Got: {error}.")


def _pointed(cell: str) -> str:
    """Return a cell whose decimal comma, if it is a number, is a point."""
    return cell.replace(",", ".") if _DECIMAL.fullmatch(cell.strip()) else cell
