"""The sweep a viewer's session holds: built from controls, run with progress, kept when stopped."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import tradeoffs
from dashboard.choices import Choices

if TYPE_CHECKING:
    import pandas as pd

_ROWS, _LEVELS, _ASKED = "sweep_rows", "sweep_levels", "sweep_asked"
_RUN_S = "sweep_run_s"


def builder() -> dict[str, list[str]]:
    """Draw the controls of a sweep and return the chosen levels by axis."""
    axes = st.multiselect(
        "What to vary", list(tradeoffs.AXES), list(tradeoffs.FIRST), key="sweep_axes"
    )
    columns = st.columns(max(1, len(axes)))
    return {
        axis: column.multiselect(
            axis.capitalize(),
            list(tradeoffs.AXES[axis]),
            tradeoffs.FIRST.get(axis, tuple(tradeoffs.AXES[axis])[:2]),
            key=f"levels_{axis}",
        )
        for axis, column in zip(axes, columns, strict=False)
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


def _run_s() -> float:
    """Return the seconds a scenario takes here: of the last sweep, or roughly [s]."""
    return float(st.session_state.get(_RUN_S, tradeoffs.RUN_S))


def _run(choices: Choices, levels: dict[str, list[str]], count: int) -> None:
    rows: list[tradeoffs.Row] = []
    st.session_state[_ROWS], st.session_state[_LEVELS] = rows, levels
    st.session_state[_ASKED] = choices
    bar, started_s = st.progress(0.0), time.perf_counter()
    for row in tradeoffs.rows(choices, levels):
        rows.append(row)
        each_s = (time.perf_counter() - started_s) / len(rows)
        st.session_state[_RUN_S] = each_s
        left_s = each_s * (count - len(rows))
        bar.progress(len(rows) / count, f"{len(rows)} of {count}, {left_s:.0f} s left")
    bar.empty()
