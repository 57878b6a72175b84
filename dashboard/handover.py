"""What is handed upward: one question, its answer and what it rests on, as sections of tables.

The page previews the sections; HTML and PDF are written from the same ones, so they agree. Charts
stay in the dashboard: the link in the last section opens them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Final

from dashboard.cards import cards, with_ranges
from dashboard.choices import GIB, Choices
from dashboard.links import command_line
from dashboard.runs import Intervals, intervals, parameter_swings, run
from dashboard.verdicts import verdict
from sim.breakdown import phase_terms
from sim.documents import summary_document
from sim.errors import SimError

NOT_MODELLED: Final = (
    "Answer quality: what a format, an eviction policy or a smaller model costs in accuracy.",
    "Operators of one step that run on two units at once, and caches shared between units.",
    "Page granularity, fragmentation, and what the system holds besides the app budget.",
    "Throttling inside this run: sustained tokens/s say what the body's heat would leave.",
)
MOST_SWINGS: Final = 5

Cells = Sequence[str]


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, a sentence, and a table, either of which may be empty."""

    title: str
    text: str = ""
    header: tuple[str, ...] = ()
    rows: tuple[Cells, ...] = ()


def sections(choices: Choices, link: str = "") -> list[Section]:
    """Return the sections of the report on a run; those that would be empty are left out."""
    makers: list[Callable[[Choices], Section]] = [
        _verdict,
        _numbers,
        _memory,
        _time,
        _sensitivities,
        _provenance,
    ]
    reproduce = (("command", command_line(choices)), ("link", link))
    made = [make(choices) for make in makers]
    return [
        *(section for section in made if section.text or section.rows),
        Section("Not modelled", "", ("what",), tuple((line,) for line in NOT_MODELLED)),
        Section("Reproduce", f"Run {run(choices).fingerprint}", ("how", ""), reproduce),
    ]


def summary_json(choices: Choices) -> str:
    """Return what `simulate --json` prints, with intervals where they are computed."""
    found: Intervals | None = intervals(choices)
    document = summary_document(run(choices), found or None)
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def html(chosen: Sequence[Section]) -> str:
    """Return one self-contained page; everything in it is escaped."""
    from jinja2 import Environment, PackageLoader

    loader = PackageLoader("dashboard", "templates")
    page = Environment(loader=loader, autoescape=True).get_template("handover.html.j2")
    return page.render(sections=chosen)


def pdf(chosen: Sequence[Section]) -> bytes:
    """Return the page as PDF, which needs the extra `pdf`."""
    try:
        weasyprint = import_module("weasyprint")
    except (ImportError, OSError):
        raise SimError(
            "A PDF must be made with WeasyPrint. Got none. Remedy: pip install 'andesim[pdf]', or "
            "print the HTML report from the browser."
        ) from None
    content: bytes = weasyprint.HTML(string=html(chosen)).write_pdf()
    return content


def _verdict(choices: Choices) -> Section:
    answer = verdict(choices, run(choices))
    return Section(f"Verdict: {answer.status}", answer.sentence)


def _numbers(choices: Choices) -> Section:
    shown = with_ranges(cards(run(choices)), intervals(choices) or {})
    rows = [(card.label, card.value, card.range, card.note) for card in shown]
    return Section("Numbers", "", ("number", "value", "range", "note"), tuple(rows))


def _memory(choices: Choices) -> Section:
    held = run(choices).ledger
    parts = sorted(held.peak.by_class.items(), key=lambda item: -item[1])
    rows = [(name, f"{size / GIB:.3f} GiB") for name, size in parts if size]
    rows.append(("total", f"{held.peak.total_bytes / GIB:.3f} GiB"))
    rows.append(("app budget", f"{held.budget_bytes / GIB:.3f} GiB"))
    text = f"At the peak, {held.peak.at_s:.3f} s after the start."
    return Section("Memory", text, ("class", "resident"), tuple(rows))


def _time(choices: Choices) -> Section:
    result = run(choices)
    phases = {times.group.phase: None for times in result.groups}
    rows = [
        (phase, term.name, f"{term.seconds:.3f} s", f"{term.share:.0%}")
        for phase in phases
        for term in phase_terms(result, phase)
        if term.share >= 0.01
    ]
    return Section("Where the time goes", "", ("phase", "bound by", "time", "share"), tuple(rows))


def _sensitivities(choices: Choices) -> Section:
    swings = parameter_swings(choices)[:MOST_SWINGS] if run(choices).fits else []
    rows = tuple((swing.sentence(), swing.source) for swing in swings)
    return Section("What the answer is most sensitive to", "", ("if", "source"), rows)


def _provenance(choices: Choices) -> Section:
    parameters = run(choices).soc.parameters().values()
    kinds = sorted({item.kind for item in parameters})
    rows = [(kind, str(sum(item.kind == kind for item in parameters))) for kind in kinds]
    text = "How the numbers of the device came to be known; Assumptions lists each with its source."
    return Section("Provenance", text, ("kind", "numbers"), tuple(rows))
