"""The sweep a viewer's session holds: built from controls, a job of its own, kept when stopped."""

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
FIRST_S: Final = 0.4
"""How long a page waits for the first points of a sweep before it is drawn [s]."""
_LEVELS, _ASKED, _SERIAL, _SPENT = "sweep_levels", "sweep_asked", "sweep_serial", "sweep_spent"
_JOB: Final = "sweep"


def builder(choices: Choices) -> dict[str, list[str]]:
    """Draw the controls of a sweep and return the chosen levels by axis."""
    known, first = tradeoffs.axes(choices), tradeoffs.first(choices)
    axes = st.multiselect(
        "What to vary", list(known), list(first), key="sweep_axes", bind="query-params", wrap=True
    )
    columns = st.columns(max(1, min(len(axes), 4)))
    return {
        axis: columns[place % 4].multiselect(
            axis[:1].upper() + axis[1:],
            list(known[axis]),
            first.get(axis, tuple(known[axis])[:2]),
            wrap=True,
            key=f"levels_{axis}_{choices.device if axis == 'stack' else ''}",
        )
        for place, axis in enumerate(axes)
    }


def run_when_asked(choices: Choices, levels: dict[str, list[str]]) -> Job[tradeoffs.Row] | None:
    """Draw the button with count and estimate; begin on a click, and the first sweep unasked."""
    count = tradeoffs.points(levels) if levels else 0
    usable = 0 < count <= tradeoffs.MOST_POINTS
    clicked = st.button(
        f"Run {count} scenarios, about {max(1, round(count * _run_s()))} s",
        disabled=not usable,
        type="primary",
        key="run_sweep",
        help=f"1 to {tradeoffs.MOST_POINTS} scenarios; points are drawn as they come, and Stop "
        "keeps what is done.",
    )
    if usable and (clicked or _SERIAL not in st.session_state):
        _begin(choices, levels)
    return progress.job(_JOB, st.session_state.get(_SERIAL, 0), lambda: (iter(()), 0), asked=False)


def swept(found: Job[tradeoffs.Row]) -> tuple[pd.DataFrame, list[str], Choices]:
    """Return the rows so far, the axes they vary, and the choices the sweep began from."""
    import pandas as pd

    table = pd.DataFrame(list(found.pieces))
    return table, list(st.session_state.get(_LEVELS, {})), st.session_state.get(_ASKED, Choices())


def is_stale(choices: Choices, levels: dict[str, list[str]], found: Job[tradeoffs.Row]) -> bool:
    """Return whether Run would sweep other points than those that are shown."""
    held, asked = list(found.pieces), st.session_state.get(_ASKED, Choices())
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
    """Return the seconds a scenario takes here: of the sweep before, or roughly [s]."""
    spent: list[float] = st.session_state.get(_SPENT, [])
    return sum(spent) / len(spent) if spent else tradeoffs.RUN_S


def _begin(choices: Choices, levels: dict[str, list[str]]) -> None:
    serial = st.session_state.get(_SERIAL, 0) + 1
    spent: list[float] = []
    st.session_state[_LEVELS], st.session_state[_ASKED] = levels, choices
    st.session_state[_SERIAL], st.session_state[_SPENT] = serial, spent
    rows = _timed(tradeoffs.rows(choices, levels), spent)
    found = progress.job(_JOB, serial, lambda: (rows, tradeoffs.points(levels)), asked=True)
    if found is not None:
        found.wait(FIRST_S)


def _timed(rows: Iterator[tradeoffs.Row], spent: list[float]) -> Iterator[tradeoffs.Row]:
    """Yield rows, and note the seconds of each [s]."""
    began_s = time.perf_counter()
    for row in rows:
        spent.append(time.perf_counter() - began_s)
        yield row
        began_s = time.perf_counter()
