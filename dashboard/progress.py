"""A job on a page: begun when asked, drawn piece by piece, with its progress and a way to stop."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from time import monotonic
from typing import Any

import streamlit as st

from dashboard import state
from dashboard.jobs import Job

POLL_S = 0.8
"""Between two looks at a job that works [s]."""

AWAY_S = 15.0
"""How long a viewer may be away, e.g. reloading, before a job of theirs ends [s]."""

Begin = Callable[[], tuple[Iterator[Any], int]]
"""Returns the pieces of a job, and how many there are."""


def job(name: str, question: Hashable, begin: Begin, *, asked: bool) -> Job[Any] | None:
    """Return the job of a question, begun now if it is asked for; none before that.

    Parameters
    ----------
    name
        Of the job within this viewer's session; a new question replaces and stops the old one.
    """
    held: tuple[Hashable, Job[Any]] | None = st.session_state.get(f"job_{name}")
    if held is not None and held[0] == question and not asked:
        return held[1]
    if not asked:
        return None
    if held is not None:
        held[1].stop()
    pieces, total = begin()
    begun: Job[Any] = Job(_while_viewed(pieces, state.viewer()), total)
    st.session_state[f"job_{name}"] = question, begun
    return begun


def _while_viewed(pieces: Iterator[Any], viewer: str) -> Iterator[Any]:
    """Yield pieces until their viewer has been away for a while: nobody will see the rest."""
    seen_s = monotonic()
    for piece in pieces:
        if not state.is_watching(viewer):
            if monotonic() - seen_s > AWAY_S:
                return
        else:
            seen_s = monotonic()
        yield piece


def watch(name: str, found: Job[Any], draw: Callable[[Job[Any]], None], words: str) -> None:
    """Draw a job now, and again while it works; `draw` draws the pieces so far."""
    fragment = st.fragment(_watched, run_every=POLL_S if found.is_working else None)
    fragment(name, found, draw, words, found.is_working)


def _watched(
    name: str, found: Job[Any], draw: Callable[[Job[Any]], None], words: str, waited: bool
) -> None:
    if state.waits():
        st.rerun()
    if found.is_working:
        done = len(found.pieces)
        bar, button = st.columns([5, 1], vertical_alignment="center")
        said = f"{words}: {done} of {found.total}"
        if done and isinstance(found.pieces[-1], str):
            said += f", {found.pieces[-1]}"
        bar.progress(min(1.0, done / max(1, found.total)), said)
        button.button("Stop", key=f"stop_{name}", on_click=found.stop, width="stretch")
    elif waited:
        st.rerun()  # a full run ends the polling
    if found.error:
        st.error(found.error, icon=":material/block:")
    draw(found)
