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
    """A column's heading, and whether it holds text (wrapped) or numbers (never broken)."""

    heading: str
    is_text: bool = False


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

    if _least_width(columns, rows) > console.width:
        _print_lists(console, title, columns, rows)
        return
    table = Table(box=None, pad_edge=False, title=title or None, title_justify="left")
    for column in columns:
        if column.is_text:
            table.add_column(column.heading, overflow="fold")
        else:
            table.add_column(column.heading, justify="right", overflow="fold", min_width=4)
    for index, column in enumerate(columns):
        if not column.is_text:
            table.columns[index].min_width = max((len(row[index]) for row in rows), default=0)
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table)


def _least_width(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> int:
    """Return the characters that no wrapping can save."""
    widths = []
    for index, column in enumerate(columns):
        longest = max((len(row[index]) for row in rows), default=0)
        words = max(map(len, column.heading.split()), default=0)
        widths.append(min(longest, NARROWEST_TEXT) if column.is_text else max(longest, words))
    return sum(widths) + GAP * (len(columns) - 1)


def _print_lists(
    console: Any, title: str, columns: Sequence[Column], rows: Sequence[Sequence[str]]
) -> None:
    from rich.markup import escape

    if title:
        console.print(f"[italic]{escape(title)}[/italic]")
    for row in rows:
        named = list(zip(columns, row, strict=True))
        heads = [cell for column, cell in named if column.is_text and cell]
        console.print(escape(" - ".join(heads) or row[0]), soft_wrap=True)
        for column, cell in named:
            if not column.is_text:
                console.print(f"  {escape(column.heading)}: {escape(cell)}", soft_wrap=True)
