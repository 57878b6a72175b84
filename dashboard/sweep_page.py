"""What the Trade-offs page draws of a sweep: the answer, the nearest miss, points, table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard import screens, state, sweeping, tradeoffs
from dashboard.charts import tradeoff
from dashboard.choices import Choices
from dashboard.jobs import Job
from dashboard.runs import targets
from sim.results import Result

if TYPE_CHECKING:
    import pandas as pd

SHOWN = ("status", "probability", *tradeoffs.METRICS, "misses")
STALE = "Of the sweep before; press Run for what is chosen now."
LIMITED = {"time_to_first_token_s": "first token [s]", "tokens_per_s": "tokens/s"}


def controls() -> None:
    """Draw what the answer is read by: the rule of the best point, and the two axes."""
    rule, left, right = st.columns([2, 1, 1])
    rule.segmented_control(
        "Best by", list(tradeoffs.RULES), default=next(iter(tradeoffs.RULES)), key="best_by",
        required=True,
    )  # fmt: skip
    metrics = list(tradeoffs.judged_by())
    left.selectbox("Across", metrics, metrics.index(tradeoffs.ACROSS), key="across")
    right.selectbox("Up", metrics, metrics.index(tradeoffs.UP), key="up")


def so_far(found: Job[tradeoffs.Row], result: Result) -> None:
    """Draw the points of a sweep that are done; which is best is said of the whole."""
    table, axes, asked = sweeping.swept(found)
    if table.empty:
        return
    passing = int((table["status"] == "PASS").sum())
    st.caption(f"**{passing} of {len(table)} so far meet every target** on their own numbers.")
    table = sweeping.with_weights(table, [])
    screens.chart(
        "Configurations so far",
        tradeoff.pareto(table, axes, *_compared(result), _plane(), _limits(asked)),
        f"{passing} of {len(table)} configurations so far meet every target.",
        key="so_far",
    )


def _compared(result: Result) -> tuple[tradeoffs.Row, tradeoffs.Row | None]:
    """Return the sidebar's point, and that of the pinned baseline."""
    pinned, before = state.baseline(), screens.baseline_result()
    now = tradeoffs.row_of(state.current(), result)
    return now, tradeoffs.row_of(pinned, before) if pinned and before else None


def _plane() -> tuple[str, str]:
    """Return the metrics across and up."""
    return str(st.session_state["across"]), str(st.session_state["up"])


def _limits(asked: Choices) -> dict[str, float]:
    """Return the targets a plane may show, by metric."""
    return {LIMITED[item.metric]: item.limit for item in targets(asked)}


def answer(
    plain: pd.DataFrame,
    axes: list[str],
    asked: Choices,
    result: Result,
    pieces: list[tuple[int, tradeoffs.Row]],
    is_stale: bool = False,
) -> None:
    """Draw a sweep with what is weighed so far; a stale one says that it is of other choices."""
    table = sweeping.with_weights(plain, pieces)
    rule = str(st.session_state["best_by"])
    best = tradeoffs.best(table, asked, rule)
    passing = int((table["status"] == "PASS").sum())
    tone, said = _said(table, axes, asked, best, rule)
    if is_stale:
        st.caption(f"**{STALE}** {said.replace('**', '')}")
    else:
        tone(said)
    now, baseline = _compared(result)
    plane = _plane()
    event = screens.selectable(
        "All configurations; click a point to load it, drag a box to list some",
        tradeoff.pareto(table, axes, now, baseline, plane, _limits(asked)),
        f"{passing} of {len(table)} configurations meet every target.",
        key="pareto",
    )
    if "weights [GiB]" in plane:
        st.caption("Weight bytes stand in for quality, which is not simulated.")
    boxed = _boxed(event)
    listed = table[table.index.isin(boxed)] if boxed else table
    _table(listed, table, axes, event, best)
    alt = "Each line is a configuration; drag along an axis to keep a part of it."
    with st.container(key="every_choice"):
        screens.chart(
            "Every choice and its numbers", tradeoff.parallel(listed, axes, baseline), alt
        )


def _said(
    table: pd.DataFrame, axes: Sequence[str], asked: Choices, best: int | None, rule: str
) -> tuple[Callable[[str], Any], str]:
    """Return the best point, or the nearest miss and what is in the way, and what draws it."""
    passing = int((table["status"] == "PASS").sum())
    waiting = int((table["status"] == sweeping.NOT_WEIGHED).sum())
    rows = {int(str(index)): row for index, row in zip(table.index, table.to_dict("records"),
                                                       strict=True)}  # fmt: skip

    def named(index: int) -> str:
        return ", ".join(str(rows[index][axis]) for axis in axes)

    if best is not None:
        sure = rows[best]["probability"]
        likely = f" {sure:.0%} of the draws meet every target." if sure is not None else ""
        return st.success, (
            f"**{rule[:1].upper() + rule[1:]} of {passing} that meet every target: "
            f"{named(best)}.**{likely} {rows[best]['reason']}"
        )
    if waiting:
        words = f"**{waiting} of {len(table)} pass on their own numbers**; their draws are made."
        return st.info, words
    near = tradeoffs.nearest(table, asked)
    said = f"**None of {len(table)} configurations surely meets every target.** "
    marginal = [index for index, row in rows.items() if row["status"] in ("MARGINAL", "THROTTLES")]
    if marginal:
        likeliest = max(marginal, key=lambda index: rows[index]["probability"] or 0.0)
        said += (
            f"Likeliest: **{named(likeliest)}**, {rows[likeliest]['probability'] or 0.0:.0%} of "
            f"the draws meet every target. {rows[likeliest]['reason']}"
        )
    elif near is not None:
        said += f"Nearest: **{named(near)}**, which misses {rows[near]['misses']} of the limit."
        if common := tradeoffs.wall(table):
            said += f" Every point misses the {common}: vary what moves it, or give up some of it."
    return st.warning, said


def _boxed(event: Any) -> list[int]:
    """Return the rows inside a box that was drawn; empty where none was."""
    points = event.selection.points
    rows = [int(point["customdata"][0]) for point in points if point.get("customdata")]
    return rows if len(rows) > 1 else []


def _table(
    listed: pd.DataFrame, table: pd.DataFrame, axes: list[str], event: Any, best: int | None
) -> None:
    digits = st.column_config.NumberColumn(format="%.2f")
    percent = st.column_config.NumberColumn(format="percent")
    columns = [*axes, *(name for name in SHOWN if name in listed)]
    ordered = listed.sort_values(["missed", "shortfall"], kind="stable")
    picked = st.dataframe(
        ordered[columns],
        column_config=dict.fromkeys(tradeoffs.METRICS, digits) | {"probability": percent},
        on_select="rerun",
        selection_mode="single-row",
        hide_index=True,
        key="points",
    )
    rows = picked.selection.rows
    row_picked = int(str(ordered.index[rows[0]])) if rows else None
    points = event.selection.points
    clicked = int(points[0]["customdata"][0]) if points and points[0].get("customdata") else None
    chosen = clicked if clicked is not None else row_picked if row_picked is not None else best
    is_picked = chosen is not None and chosen in table.index and chosen in (clicked, row_picked)
    if is_picked:
        st.code(str(table.loc[chosen]["reason"]), language=None, wrap_lines=True)
    else:
        st.caption("Choose a row or a point to read why it has its status.")
    actions = st.container(horizontal=True)
    if chosen is not None and chosen in table.index:
        row = table.loc[chosen]
        actions.button(
            f"Load {', '.join(str(row[axis]) for axis in axes)} into the sidebar",
            on_click=state.apply,
            args=(row["changes"],),
            key="load_point",
        )
    shown = table.drop(columns=["changes", "spans"])
    actions.download_button(
        "Table as CSV", shown.to_csv, "sweep.csv", "text/csv", on_click="ignore"
    )
