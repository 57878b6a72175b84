"""The sweep a viewer's session holds: built from controls, run with progress, kept when stopped."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import streamlit as st

from dashboard import progress, tradeoffs
from dashboard.choices import Choices
from dashboard.jobs import Job

if TYPE_CHECKING:
    import pandas as pd

MOST_WEIGHED: Final = 40
NOT_WEIGHED: Final = "PASS, not weighed"
"""Status of a point whose own numbers pass and that was not drawn yet."""
_ROWS, _LEVELS, _ASKED = "sweep_rows", "sweep_levels", "sweep_asked"
_RUN_S, _SERIAL = "sweep_run_s", "sweep_serial"


def builder(choices: Choices) -> dict[str, list[str]]:
    """Draw the controls of a sweep and return the chosen levels by axis."""
    known, first = tradeoffs.axes(choices), tradeoffs.first(choices)
    axes = st.multiselect(
        "What to vary", list(known), list(first), key="sweep_axes", bind="query-params"
    )
    columns = st.columns(max(1, min(len(axes), 4)))
    return {
        axis: columns[place % 4].multiselect(
            axis[:1].upper() + axis[1:],
            list(known[axis]),
            first.get(axis, tuple(known[axis])[:2]),
            key=f"levels_{axis}_{choices.device if axis == 'stack' else ''}",
        )
        for place, axis in enumerate(axes)
    }


def run_when_asked(choices: Choices, levels: dict[str, list[str]]) -> None:
    """Draw the button with count and estimate; run on a click, and the first sweep unasked."""
    count = tradeoffs.points(levels) if levels else 0
    usable = 0 < count <= tradeoffs.MOST_POINTS
    clicked = st.button(
        f"Run {count} scenarios, about {max(1, round(count * _run_s()))} s",
        disabled=not usable,
        type="primary",
        key="run_sweep",
        help=f"1 to {tradeoffs.MOST_POINTS} scenarios; any control stops it, what is done stays.",
    )
    if usable and (clicked or _ROWS not in st.session_state):
        _run(choices, levels, count)


def swept() -> tuple[pd.DataFrame, list[str], Choices]:
    """Return the rows so far, the axes they vary, and the choices the sweep began from."""
    import pandas as pd

    table = pd.DataFrame(st.session_state.get(_ROWS, []))
    return table, list(st.session_state.get(_LEVELS, {})), st.session_state.get(_ASKED, Choices())


def is_stale(choices: Choices, levels: dict[str, list[str]]) -> bool:
    """Return whether Run would sweep other points than those that are shown."""
    held, asked = st.session_state.get(_ROWS, []), st.session_state.get(_ASKED, Choices())
    if levels != st.session_state.get(_LEVELS, {}):
        return True
    every = [row["changes"] for row in held]
    return any(asked.changed(**changes) != choices.changed(**changes) for changes in every)


def weighing(table: pd.DataFrame, asked: Choices) -> Job[tuple[int, tradeoffs.Row]] | None:
    """Return the job that weighs the passing points over draws, the heaviest weights first."""
    passing = table[table["status"] == "PASS"].sort_values("weights [GiB]", ascending=False)
    rows = [(int(str(index)), row) for index, row in passing.head(MOST_WEIGHED).iterrows()]
    held = st.session_state.get("job_weigh")
    question = st.session_state.get(_SERIAL, 0)

    def begin() -> tuple[Iterator[tuple[int, tradeoffs.Row]], int]:
        return ((index, tradeoffs.weighed(asked, row["changes"])) for index, row in rows), len(rows)

    return progress.job("weigh", question, begin, asked=held is None or held[0] != question)


def with_weights(table: pd.DataFrame, pieces: list[tuple[int, tradeoffs.Row]]) -> pd.DataFrame:
    """Return the table with what is weighed so far; other passing points say that they are not."""
    found = table.assign(probability=None, spans=None)
    found["status"] = found["status"].replace("PASS", NOT_WEIGHED)
    for index, row in pieces:
        for name, value in row.items():
            found.at[index, name] = value
    return found


def _run_s() -> float:
    """Return the seconds a scenario takes here: of the last sweep, or roughly [s]."""
    return float(st.session_state.get(_RUN_S, tradeoffs.RUN_S))


def _run(choices: Choices, levels: dict[str, list[str]], count: int) -> None:
    rows: list[tradeoffs.Row] = []
    st.session_state[_ROWS], st.session_state[_LEVELS] = rows, levels
    st.session_state[_ASKED] = choices
    st.session_state[_SERIAL] = st.session_state.get(_SERIAL, 0) + 1
    bar, started_s = st.progress(0.0), time.perf_counter()
    for row in tradeoffs.rows(choices, levels):
        rows.append(row)
        each_s = (time.perf_counter() - started_s) / len(rows)
        st.session_state[_RUN_S] = each_s
        left_s = each_s * (count - len(rows))
        bar.progress(len(rows) / count, f"{len(rows)} of {count}, {left_s:.0f} s left")
    bar.empty()
