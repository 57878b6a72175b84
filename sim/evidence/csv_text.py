"""CSV as people and spreadsheets write it: rows of cells from text.

Where a comma is the decimal sign, spreadsheets part cells by semicolons; text copied out of one has
tabs; Excel may put ``sep=;`` above the header. Not told apart: thousands, which nobody may write.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import Final

from sim.errors import SimError

_SIGNS: Final = (",", ";", "\t")
_SEPARATOR: Final = re.compile(r"\A\ufeff?\"?sep=(.)\"?\r?\n")
_DECIMAL: Final = re.compile(r"[-+]?\d+,\d+(?:[eE][-+]?\d+)?")


def delimiter(text: str) -> str:
    """Return what parts the cells: what stands most often in the header, outside quotes.

    >>> delimiter("id;tokens_per_s"), delimiter("id"), delimiter("sep=;\\nid;a,b;c,d,e,f,g")
    (';', ',', ';')
    """
    if match := _SEPARATOR.match(text):
        return match[1]
    plain = re.sub(r'"[^"\n]*"', "", text.partition("\n")[0])
    return max(_SIGNS, key=plain.count)


def header(text: str) -> list[str]:
    """Return the cells of the first row, without the quotes around them."""
    sign = delimiter(text)
    first = _SEPARATOR.sub("", text).removeprefix("\ufeff").partition("\n")[0]
    return [cell.strip().strip('"') for cell in first.split(sign)]


def rows(text: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells of the rows that are not blank; `SimError` for what is no CSV.

    >>> list(rows("id;tokens_per_s\\na;24,5\\n", "text"))
    [(1, ['id', 'tokens_per_s']), (2, ['a', '24.5'])]
    """
    sign = delimiter(text)
    body, above = _SEPARATOR.subn("", text)
    file = io.StringIO(body.removeprefix("\ufeff"), newline="")
    reader = csv.reader(file, strict=True, delimiter=sign)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield (
                    reader.line_num + above,
                    [_pointed(c) for c in cells] if sign == ";" else cells,
                )
    except csv.Error as error:
        line = reader.line_num + above
        raise SimError(f"{name}, line {line}: must be CSV. Got: {error}.") from None


def _pointed(cell: str) -> str:
    """Return a cell whose decimal comma, if it is a number, is a point."""
    return cell.replace(",", ".") if _DECIMAL.fullmatch(cell.strip()) else cell
