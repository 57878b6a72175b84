"""What Streamlit cannot draw, with its data: the timeline's canvas, and a reply at its own pace."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import streamlit as st

from dashboard.components import part
from dashboard.links import window
from dashboard.pace import pace
from dashboard.tracks import phase_names, tracks
from sim.charts.frame import BASELINE
from sim.charts.shapes import colour
from sim.explore.variants import MetricColumns
from sim.records import BOUNDS
from sim.results import Result

_TIMELINE, _FEEL = part("timeline"), part("feel")


def canvas(result: Result, baseline: Result | None) -> None:
    """Draw the whole run on one axis, the pinned baseline above it."""
    pairs = [(result, "B, the sidebar" if baseline else "This run")]
    if baseline is not None and baseline.fits:
        pairs.insert(0, (baseline, BASELINE))
    runs = [_tracks(one.fingerprint, name, _Held(one)) for one, name in pairs]
    identity = "|".join(one.fingerprint for one, _ in pairs)
    _TIMELINE(
        key="timeline_canvas",
        data={
            "id": identity,
            "span": max(run["end"] for run in runs),
            "runs": runs,
            "bounds": list(BOUNDS),
            "phases": phase_names(),
            "colours": [colour(bound) for bound in BOUNDS],
            "view": window(st.query_params.get("view", "")),
        },
    )
    st.caption(
        "Wheel or W and S zoom, drag or A and D pan, Shift and drag adds up, a click names, a "
        "double click fits, R adds up what is shown, Enter in the search goes to the next."
    )


class _Held:
    """A run as an argument that a cache does not compare: its fingerprint stands for it."""

    def __init__(self, result: Result) -> None:
        self.result = result

    def __hash__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held)


@lru_cache(maxsize=8)
def _tracks(fingerprint: str, name: str, held: _Held) -> dict[str, Any]:
    return tracks(held.result, name)


MINUTES: Final = {"on a cool phone": 1, "after ten minutes": 10}
"""When a question is asked: in which minute of decoding without a pause."""


def reply(phones: Sequence[tuple[Result, str, MetricColumns | None]], minute: int) -> None:
    """Play the replies of some runs side by side, each at its own pace."""
    paces = [
        pace(one, f"{name}: {one.program.model} on {one.soc.name}", drawn, minute)
        for one, name, drawn in phones
    ]
    question = "|".join(one.fingerprint for one, _, _ in phones) + f"@{minute}"
    ghosts = "".join("g" if item["ghost"] else "-" for item in paces)
    _FEEL(key="reply", data={"id": question + ghosts, "question": question, "phones": paces})
