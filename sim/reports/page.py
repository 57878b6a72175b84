"""What any report is made of: a page of sections, written as HTML or Markdown.

Markdown has no charts; each chart stands beside a table that holds its numbers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sim.charts.shapes import Chart
from sim.wording import Number

FOLDER: Final = Path(__file__).parent
LONG_WORD: Final = 28
"""Characters of a word from which on a line may end within it."""

Text = str | Number
Cell = Text | tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Text with numbers in it."""

    parts: tuple[Text, ...]
    kind: str = "paragraph"


@dataclass(frozen=True, slots=True)
class Table:
    """A header and rows of as many cells."""

    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    kind: str = "table"


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart."""

    chart: Chart
    kind: str = "figure"


@dataclass(frozen=True, slots=True)
class Code:
    """Text to be copied as it stands."""

    text: str
    kind: str = "code"


Block = Paragraph | Table | Figure | Code


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands below it."""

    title: str
    blocks: tuple[Block, ...]
    is_appendix: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """A report.

    Attributes
    ----------
    verdict, sentence
        One word, and why.
    status
        How well device and stack are validated; "" where that is the report's subject.
    """

    title: str
    subtitle: str
    verdict: str
    sentence: str
    status: str
    sections: tuple[Section, ...]


def charts(*found: Chart | None) -> tuple[Figure, ...]:
    """Return the charts that there are, as blocks."""
    return tuple(Figure(chart) for chart in found if chart is not None)


def html(page: Page, *, interactive: bool = False) -> str:
    """Return a page as one HTML file that needs no network; with Plotly charts it weighs 5 MB."""
    from sim.charts.plotly import element, library
    from sim.charts.svg import svg

    return _rendered(
        "report.html.j2",
        page,
        draw=element if interactive else svg,
        script=library() if interactive else "",
        style=(FOLDER / "report.css").read_text(encoding="utf-8"),
    )


def markdown(page: Page) -> str:
    """Return a page as Markdown."""
    return _rendered("report.md.j2", page)


def _rendered(template: str, page: Page, **more: Any) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=template.endswith(".html.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["parts"] = _parts
    environment.filters["piped"] = _piped
    environment.filters["breakable"] = _breakable
    environment.filters["plain"] = plain
    environment.filters["fence"] = _fence
    return environment.get_template(template).render(page=page, **more)


def _breakable(text: str) -> Any:
    """Return text as HTML in which a line may end within a long word, behind one of its signs."""
    from markupsafe import Markup, escape

    words = re.split(r"(\s+)", text)
    marked = (re.sub(r"([._;,=/-])", "\\1\0", w) if len(w) > LONG_WORD else w for w in words)
    return Markup(str(escape("".join(marked))).replace("\0", "<wbr>"))


def _parts(cell: Cell) -> Sequence[Text]:
    return cell if isinstance(cell, tuple) else (cell,)


def plain(text: str) -> str:
    """Return text as Markdown that shows it as it is: no tags, links, emphasis or table cells.

    >>> plain("<b>a</b> | *c* [d](javascript:e)")
    '&lt;b>a&lt;/b> \\\\| \\\\*c\\\\* \\\\[d](javascript:e)'
    """
    escaped = re.sub(r"[\\|*\[]", lambda sign: f"\\{sign[0]}", text)
    return re.sub("<(?=[A-Za-z/!?])", "&lt;", escaped).replace("\n", " ")


def _piped(cell: Cell) -> str:
    """Return a cell of a Markdown table, or a paragraph."""
    return plain("".join(part if isinstance(part, str) else part.text for part in _parts(cell)))


def _fence(text: str) -> str:
    """Return a fence that the text cannot close."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    return "`" * max(3, longest + 1)
