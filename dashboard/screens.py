"""What several pages draw alike: the run or its error, the verdict, cards, charts."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import streamlit as st

from dashboard import own, state
from dashboard.cards import UNCHANGED, Card, cards, with_ranges
from dashboard.choices import Choices
from dashboard.labels import labelled
from dashboard.runs import USER_ERRORS, decode_terms, draws, run, spoken
from sim.breakdown import Term
from sim.charts.data import STEP, TOKEN, memory_chart
from sim.charts.frame import Figure, themed
from sim.charts.plotly import drawn
from sim.charts.shapes import Chart, LayerChart
from sim.explore.uncertainty import intervals
from sim.explore.variants import MetricColumns
from sim.results import Result

_BADGES: dict[str, tuple[Callable[..., Any], str]] = {
    "PASS": (st.success, ":material/check_circle:"),
    "MARGINAL": (st.warning, ":material/balance:"),
    "FAIL": (st.error, ":material/cancel:"),
    "THROTTLES": (st.warning, ":material/device_thermostat:"),
    "OUT OF MEMORY": (st.error, ":material/block:"),
}

DRAWING = "On central numbers, ranges being drawn."
"""Said with a verdict until the draws of its device are there."""
POLL_S, LATE_S = 0.3, 0.6
"""Between two looks at whether draws are made: of a page that plays them, of one that waits [s]."""
_EARLY = "answer_drawn_early"
_CONFIG = {"displaylogo": False, "modeBarButtonsToRemove": ["lasso2d"], "scrollZoom": False}

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
        state.end_page()
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
        st.code(labelled(own.without_folder(str(error))), language=None, wrap_lines=True)
        st.caption(remedy)
        state.end_page()


def made_or_none(make: Callable[[], Made]) -> Made | None:
    """Return what `make` makes of the pinned baseline; none where it cannot be simulated."""
    try:
        return make()
    except USER_ERRORS:
        return None


def made_or_none_saying(make: Callable[[], Made], title: str) -> Made | None:
    """Return what `make` makes; where it cannot, say why, and go on with the page."""
    try:
        return make()
    except USER_ERRORS as error:
        st.error(title, icon=":material/block:")
        st.code(labelled(own.without_folder(str(error))), language=None, wrap_lines=True)
        return None


def baseline_result() -> Result | None:
    """Return the run of the pinned baseline; none where it cannot be simulated."""
    pinned = state.baseline()
    return made_or_none(lambda: run(pinned)) if pinned is not None else None


def decoded(result: Result, per: str) -> float:
    """Return how many output tokens after the first, or steps, a run decoded; at least 1."""
    summary = result.summary()
    return max(1, summary.decode_steps if per == STEP else summary.output_tokens - 1)


def baseline_terms(per: str) -> tuple[list[Term], float] | None:
    """Return what bounds decode of the pinned baseline, and its output tokens or steps."""
    pinned, result = state.baseline(), baseline_result()
    if pinned is None or result is None or not result.fits:
        return None
    return decode_terms(pinned), decoded(result, per)


def count_decode_by(result: Result) -> None:
    """Offer to count decode by output tokens or by steps, which commit several with a draft."""
    switch, said = st.columns([2, 3], vertical_alignment="bottom")
    switch.segmented_control(
        "Decode per", [TOKEN, STEP], default=TOKEN, key="decode_per", bind="query-params"
    )
    if tokens := result.summary().tokens_per_step:
        said.caption(f"A step commits {tokens:.2f} output tokens on average.")


def residency(result: Result, before: Result | None = None) -> LayerChart:
    """Return DRAM over a run, with that of the pinned baseline."""
    return memory_chart(
        [(item.at_s, item.by_class) for item in result.ledger.timeline],
        result.ledger.budget_bytes,
        result.makespan_s,
        before=residency(before) if before else None,
    )


def sampled(choices: Choices) -> MetricColumns | None:
    """Return the draws of this viewer's question, ``None`` while they are made."""
    return draws(choices, state.viewer())


def show_verdict(choices: Choices, result: Result) -> None:
    """Draw the verdict: on the run alone, until the draws of its device are made."""
    drawn_now = sampled(choices) if result.fits else None
    word, said = spoken(choices, result, drawn_now)
    badge(word, said, is_drawn=drawn_now is not None or not result.fits)


def badge(word: str, said: str, is_drawn: bool) -> None:
    """Draw a verdict in its colour, with its sign; one that still waits for draws says so."""
    draw, icon = _BADGES[word]
    draw(f"**{word}.** {said}{'' if is_drawn else f' {DRAWING}'}", icon=icon)


def show_toned(choices: Choices, result: Result, said: str, is_good: bool) -> None:
    """Draw a sentence in the colour of the verdict, or of a warning where it is none itself."""
    word, _ = spoken(choices, result, sampled(choices) if result.fits else None)
    draw, _ = _BADGES["MARGINAL" if word == "PASS" and not is_good else word]
    draw(said)


class Answer(NamedTuple):
    """Verdict and cards as drawn: where the verdict stands and the range of each card."""

    verdict: Any
    ranges: list[Any]
    is_whole: bool


def answer_early(choices: Choices) -> None:
    """Draw the answer ahead of the sidebar; a question that has none is left to the page."""
    result = made_or_none(lambda: run(choices))
    st.session_state[_EARLY] = None if result is None else answer(choices, result)


def early_answer() -> Answer | None:
    """Return the answer that was drawn ahead of the sidebar in this run, if it was."""
    found: Answer | None = st.session_state.pop(_EARLY, None)
    return found


def answer(choices: Choices, result: Result) -> Answer:
    """Draw verdict and cards with what is known now."""
    drawn_now = sampled(choices)
    verdict = st.empty()
    with verdict:
        show_verdict(choices, result)
    ranges = None if drawn_now is None else intervals(drawn_now)
    places = show_cards(with_ranges(cards(result, baseline_result()), ranges))
    return Answer(verdict, places, drawn_now is not None)


def complete(choices: Choices, result: Result, shown: Answer) -> bool:
    """Give verdict and cards what the draws say; return whether they did not come in time."""
    if shown.is_whole:
        return False
    if not state.arrived(lambda: sampled(choices) is not None):
        return True
    with shown.verdict:
        show_verdict(choices, result)
    ranges = intervals(sampled(choices) or {})
    for place, card in zip(shown.ranges, with_ranges(cards(result), ranges), strict=True):
        place.caption(card.range)
    return False


def look_again(is_there: Callable[[], bool]) -> None:
    """Draw the page again once a late answer is there."""

    def look() -> None:
        if is_there():
            st.rerun()

    st.fragment(look, run_every=LATE_S)()


def show_cards(shown: list[Card]) -> list[Any]:
    """Draw the cards in equal boxes that wrap; return where the range of each stands."""
    places = []
    with st.grid(len(shown), min_column_width=170, gap="small"):
        for card in shown:
            with st.container(border=True, height="stretch", gap=None):
                st.metric(card.label, card.value, help=card.help, **delta(card))
                if card.note:
                    st.caption(card.note)
                places.append(st.empty())
                if card.range:
                    places[-1].caption(card.range)
    return places


def delta(card: Card) -> dict[str, Any]:
    """Return how a card shows its change; none is said in words, without an arrow."""
    if card.delta == UNCHANGED:
        return {"delta": card.delta, "delta_color": "off", "delta_arrow": "off"}
    return {"delta": card.delta, "delta_color": "inverse" if card.less_is_better else "normal"}


def selectable(title: str, figure: Figure, alt: str, key: str) -> Any:
    """Draw a chart whose points can be clicked and return the event."""
    with st.container(border=True):
        heading(title)
        return st.plotly_chart(
            in_theme(figure),
            key=key,
            alt=alt,
            on_select="rerun",
            selection_mode=("points", "box"),
            theme=None,
            config=_CONFIG,
        )


def chart(title: str, figure: Figure, alt: str, key: str | None = None) -> None:
    """Draw a chart under a heading, with its takeaway for people who cannot see it."""
    with st.container(border=True, height="stretch"):
        heading(title)
        plot(figure, alt, key)


def show(found: Chart | None, title: str = "") -> None:
    """Draw a chart of reports under its own heading or another; nothing where there is none."""
    if found is not None:
        chart(title or found.title, drawn(found), found.alt)


def plot(figure: Figure, alt: str, key: str | None = None) -> None:
    """Draw a figure with its takeaway for people who cannot see it."""
    st.plotly_chart(in_theme(figure), key=key, alt=alt, theme=None, config=_CONFIG)


def in_theme(figure: Figure) -> Figure:
    """Return a figure in the colours of the viewer's theme."""
    found: Figure = themed(figure, st.context.theme.type == "dark")
    return found


def heading(text: str) -> None:
    """Draw the heading of a part of a page, which screen readers list."""
    st.header(text, anchor=False)
