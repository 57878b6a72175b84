"""Tables for people: numbers stay whole at any width, text wraps, narrow screens get lists.

A pipe has no width, so nothing is wrapped for it; `COLUMNS` overrules both.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

PIPE_WIDTH = 400
GAP = 2
NARROWEST_TEXT = 16
"""A column of text is not made narrower than this; a list is shown instead."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column's heading, and whether it holds text (wrapped) or numbers (never broken).

    Text that `is_name` stands at the left like text and is never broken, as numbers are. Text that
    `is_told` has its heading before it where a row is a list.
    """

    heading: str
    is_text: bool = False
    is_name: bool = False
    is_told: bool = False


def make_console() -> Console:
    """Return a console of the screen's width; of none where the output is a pipe or a file."""
    from rich.console import Console

    has_width = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(highlight=False, width=None if has_width else PIPE_WIDTH)


def print_table(
    console: Console, title: str, columns: Sequence[Column], rows: Sequence[Sequence[str]]
) -> None:
    """Print rows under headings, or each row as a list of its own where they do not fit."""
    from rich.markup import escape
    from rich.table import Table

    if _total(_least_widths(columns, rows)) > console.width:
        _print_lists(console, title, columns, rows)
        return
    table = Table(box=None, pad_edge=False)
    least = _least_widths(columns, rows)
    wide = _is_wide(console, columns, rows)
    for column, width in zip(columns, least, strict=True):
        table.add_column(
            column.heading,
            justify="left" if column.is_text or column.is_name else "right",
            overflow="fold",
            min_width=width,
            max_width=None if column.is_text or wide else width,
        )
    for row in rows:
        table.add_row(*map(escape, row))
    if title:
        console.print(f"[italic]{escape(title)}[/italic]")
    with console.capture() as printed:
        console.print(table)
    for line in printed.get().splitlines():
        console.file.write(line.rstrip() + "\n")


def _least_widths(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    """Return the characters of each column that no wrapping can save."""
    widths = []
    for index, column in enumerate(columns):
        longest = max((len(row[index]) for row in rows), default=0)
        words = max(map(len, column.heading.split()), default=0)
        widths.append(min(longest, NARROWEST_TEXT) if column.is_text else max(longest, words))
    return widths


def _is_wide(console: Console, columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> bool:
    """Return whether nothing needs to be wrapped, headings neither."""
    cells = zip(*([column.heading for column in columns], *rows), strict=True)
    return _total([max(map(len, column)) for column in cells]) <= console.width


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * len(widths)  # rich counts the outer gaps, too


def _print_lists(
    console: Any, title: str, columns: Sequence[Column], rows: Sequence[Sequence[str]]
) -> None:
    from rich.markup import escape

    if title:
        console.print(f"[italic]{escape(title)}[/italic]")
    for row in rows:
        named = list(zip(columns, row, strict=True))
        heads = [
            f"{column.heading} {cell}" if column.is_told else cell
            for column, cell in named
            if (column.is_text or column.is_name) and cell
        ]
        console.print(escape(" - ".join(heads) or row[0]), soft_wrap=True)
        for column, cell in named:
            if not (column.is_text or column.is_name):
                console.print(f"  {escape(column.heading)}: {escape(cell)}", soft_wrap=True)
