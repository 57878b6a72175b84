"""What the Network page asks for and draws: the network, its targets, and the pinned baseline's."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard import networks, screens, state, timeline
from dashboard.choices import Choices
from dashboard.own import is_own
from dashboard.runs import word
from sim.explore.targets import Target
from sim.explore.variants import MetricColumns
from sim.results import Result
from sim.verdict_words import headline
from sim.verdicts import judge
from workloads.network_calls import MAX_CALLS
from workloads.trace import NETWORK

SAME = "the same"
"""What the baseline runs where nothing else is chosen."""


def question(choices: Choices) -> tuple[networks.Asked, tuple[Target, ...]]:
    """Draw the controls and return the network that is asked, and its targets."""
    name, kept, count = st.columns([2, 1, 1])
    known = _reachable("network")
    network = name.selectbox(
        "Network", known, known.index(networks.FIRST), key="network", bind="query-params"
    )
    weights = kept.selectbox(
        "Weights", networks.formats(), key="network_weights", bind="query-params"
    )
    calls = count.number_input(
        "Calls, one after another", 1, MAX_CALLS, 1, key="network_calls", bind="query-params"
    )
    limits = [
        column.number_input(text, 0.0, 1e6, 0.0, step, key=key, bind="query-params", format="%.4g")
        for column, text, key, step in zip(
            st.columns(2),
            ("A call within [ms], 0 = no target", "Energy per call at most [mJ], 0 = no target"),
            ("network_ms", "network_mj"),
            (1.0, 5.0),
            strict=True,
        )
    ]
    asked = networks.Asked(choices, network, weights, int(calls))
    return asked, networks.targets(*limits)


def baseline(asked: networks.Asked) -> networks.Asked | None:
    """Ask what the pinned baseline runs; none where none is pinned or it cannot be simulated."""
    pinned = state.baseline()
    if pinned is None:
        return None
    name, kept = st.columns(2)
    theirs = name.selectbox(
        "Network of A, pinned", (SAME, *_reachable("network_a")), key="network_a",
        bind="query-params",
    )  # fmt: skip
    weights = kept.selectbox(
        "Weights of A, pinned", (SAME, *networks.formats()), key="network_a_weights",
        bind="query-params",
    )  # fmt: skip
    before = networks.Asked(
        pinned,
        asked.network if theirs == SAME else theirs,
        asked.weights if weights == SAME else weights,
        asked.calls,
    )
    result = screens.made_or_none_saying(
        lambda: networks.run(before), "The pinned baseline cannot be simulated."
    )
    return before if result is not None and result.fits else None


def show_verdict(result: Result, limits: Sequence[Target], drawn: MetricColumns | None) -> None:
    """Draw the verdict on the targets, or the numbers alone where nothing is asked of them."""
    numbers = headline(result)
    if result.fits and not limits:
        st.info(f"**{numbers}**", icon=":material/memory:")
        return
    found = judge(result, limits, drawn if result.fits else None)
    said = f"{found.sentence} {numbers}" if result.fits else found.sentence
    screens.badge(word(result, found), said, is_drawn=drawn is not None or not result.fits)


def differences(before: Result, now: Result) -> None:
    """Draw A beside B, operator by operator."""
    with st.container(border=True):
        screens.heading("Operator by operator, all calls: A, pinned, and B, the sidebar")
        table = timeline.differences(before, now, NETWORK)
        a_ms, b_ms = table["A [ms]"].sum(), table["B [ms]"].sum()
        st.markdown(f"**{a_ms:.2f} ms** in A, **{b_ms:.2f} ms** in B.")
        st.dataframe(table, hide_index=True, height=320)


def _reachable(key: str) -> list[str]:
    """Return the networks that ship, this viewer's own, and the one that the link names."""
    known = (*state.mine(), st.query_params.get(key, ""))
    return [one for one in networks.networks() if not is_own(one) or one in known]
