"""What several pages draw alike: the run or its error, the verdict, cards, charts."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

import streamlit as st

from dashboard import state
from dashboard.cards import UNCHANGED, Card, cards, with_ranges
from dashboard.choices import Choices
from dashboard.runs import USER_ERRORS, decode_terms, draws, judged, run, word
from sim.breakdown import Term
from sim.charts.data import Chart, LayerChart, memory_chart
from sim.charts.frame import Figure
from sim.charts.plotly import drawn
from sim.explore.uncertainty import intervals
from sim.results import Result
from sim.verdicts import headline

_BADGES: dict[str, tuple[Callable[..., Any], str]] = {
    "PASS": (st.success, ":material/check_circle:"),
    "MARGINAL": (st.warning, ":material/balance:"),
    "FAIL": (st.warning, ":material/warning:"),
    "THROTTLES": (st.warning, ":material/device_thermostat:"),
    "OUT OF MEMORY": (st.error, ":material/block:"),
}

POLL_S = 0.7
"""Between two looks at whether the intervals are computed [s]."""
_CONFIG = {"displaylogo": False, "modeBarButtonsToRemove": ["lasso2d", "select2d"]}

Made = TypeVar("Made")


def result_or_stop(choices: Choices) -> Result:
    """Return the run of the choices, or say what is wrong with them and end the page."""
    return made_or_stop(lambda: run(choices))


def fitting_or_stop(choices: Choices) -> Result:
    """Return the run of the choices; if memory ended it, say so, lead to remedies, end the page."""
    result = result_or_stop(choices)
    if not result.fits:
        show_verdict(choices, result)
        st.page_link("app_pages/explore.py", label="**See the cheapest change that passes**")
        st.stop()
    return result


def made_or_stop(
    make: Callable[[], Made],
    *,
    title: str = "This cannot be simulated.",
    remedy: str = "Change what the message names, or Reset in the sidebar.",
) -> Made:
    """Return what `make` makes; an error of the person's input becomes a message, not a trace."""
    try:
        return make()
    except USER_ERRORS as error:
        logging.getLogger(__name__).info("refused: %s", error)
        st.error(title, icon=":material/block:")
        st.code(str(error), language=None, wrap_lines=True)
        st.caption(remedy)
        st.stop()


def made_or_none(make: Callable[[], Made]) -> Made | None:
    """Return what `make` makes of the pinned baseline; none where it cannot be simulated."""
    try:
        return make()
    except USER_ERRORS:
        return None


def baseline_result() -> Result | None:
    """Return the run of the pinned baseline; none where it cannot be simulated."""
    pinned = state.baseline()
    return made_or_none(lambda: run(pinned)) if pinned is not None else None


def baseline_terms() -> tuple[list[Term], int] | None:
    """Return what bounds decode of the pinned baseline, and its steps."""
    pinned, result = state.baseline(), baseline_result()
    if pinned is None or result is None or not result.fits:
        return None
    return decode_terms(pinned), max(1, result.summary().decode_steps)


def residency(result: Result, before: Result | None = None) -> LayerChart:
    """Return DRAM over a run, with that of the pinned baseline."""
    return memory_chart(
        [(item.at_s, item.by_class) for item in result.ledger.timeline],
        result.ledger.budget_bytes,
        result.makespan_s,
        before=residency(before) if before else None,
    )


def show_verdict(choices: Choices, result: Result) -> None:
    """Draw the verdict: on the run alone, until the draws of its device are made."""
    found = judged(choices, result, draws(choices) if result.fits else None)
    said = word(result, found)
    draw, icon = _BADGES[said]
    numbers = f" {headline(result)}" if result.fits else ""
    draw(f"**{said}.** {found.sentence}{numbers}", icon=icon)


def live_cards(choices: Choices, result: Result) -> None:
    """Draw the cards at once, and again with their intervals when those are computed."""
    waiting = draws(choices) is None
    fragment = st.fragment(_cards_when_ready, run_every=POLL_S if waiting else None)
    fragment(choices, result, waiting)


def _cards_when_ready(choices: Choices, result: Result, waiting: bool) -> None:
    sampled = draws(choices)
    if waiting and sampled is not None:
        st.rerun()  # a full run ends the polling
    ranges = None if sampled is None else intervals(sampled)
    show_cards(with_ranges(cards(result, baseline_result()), ranges))


def show_cards(shown: list[Card]) -> None:
    """Draw the cards in equal boxes that wrap."""
    with st.grid(len(shown), min_column_width=170, gap="small"):
        for card in shown:
            with st.container(border=True, height="stretch", gap=None):
                st.metric(card.label, card.value, help=card.help, **delta(card))
                for line in filter(None, (card.note, card.range)):
                    st.caption(line)


def delta(card: Card) -> dict[str, Any]:
    """Return how a card shows its change; none is said in words, without an arrow."""
    if card.delta == UNCHANGED:
        return {"delta": card.delta, "delta_color": "off", "delta_arrow": "off"}
    return {"delta": card.delta, "delta_color": "inverse" if card.less_is_better else "normal"}


def selectable(title: str, figure: Figure, alt: str, key: str) -> Any:
    """Draw a chart whose points can be clicked and return the event."""
    with st.container(border=True):
        st.markdown(f"**{title}**")
        return st.plotly_chart(
            figure,
            key=key,
            alt=alt,
            on_select="rerun",
            selection_mode="points",
            theme=None,
            config=_CONFIG,
        )


def first_point(event: Any, picked: Any, otherwise: int | None) -> int | None:
    """Return the row clicked in a chart, else the one picked in a table, else the given one."""
    points, rows = event.selection.points, picked.selection.rows
    if points and points[0].get("customdata"):
        return int(points[0]["customdata"][0])
    return rows[0] if rows else otherwise


def chart(title: str, figure: Figure, alt: str, key: str | None = None) -> None:
    """Draw a chart under a heading, with its takeaway for people who cannot see it."""
    with st.container(border=True):
        st.markdown(f"**{title}**")
        plot(figure, alt, key)


def show(found: Chart | None, title: str = "") -> None:
    """Draw a chart of reports under its own heading or another; nothing where there is none."""
    if found is not None:
        chart(title or found.title, drawn(found), found.alt)


def plot(figure: Figure, alt: str, key: str | None = None) -> None:
    """Draw a figure with its takeaway for people who cannot see it."""
    st.plotly_chart(figure, key=key, alt=alt, theme=None, config=_CONFIG)
