"""What is the best configuration?"""

import streamlit as st

from dashboard import progress, screens, state, sweep_page, sweeping, tradeoffs
from dashboard.runs import nominal, parameter_swings
from sim.charts.data import swing_chart
from sim.explore.sensitivity import REPLY
from sim.reports.document import swing_entry

MOST_BARS = 10
MOVED = {
    REPLY: "seconds of the whole reply",
    "time_to_first_token_s": "seconds to the first token",
    "tokens_per_s": "tokens per second",
    "energy_j": "joules per reply",
}  # metrics a tornado is drawn for, beside users' own, and what their axis says

choices = state.current()
result = screens.result_or_stop(choices)
with st.container(border=True):
    run_place = st.container()  # above what grows and shrinks, so that a click meets it
    levels = sweeping.builder(choices)
    with run_place:
        sweep = sweeping.run_when_asked(choices, levels)
if sweep is None:
    st.info("Choose what to vary, with at least one level each, and run the sweep.")
    state.end_page()
sweep_page.controls()
if sweep.is_working:
    progress.watch(
        "sweep", sweep, lambda found: sweep_page.so_far(found, result), "Simulating scenarios"
    )
    state.end_page()
plain, axes, asked = sweeping.swept(sweep)
if plain.empty:
    st.info("Stopped before the first scenario; run the sweep.")
    state.end_page()
is_stale = sweeping.is_stale(choices, levels, sweep)
pinned, before = state.baseline(), screens.baseline_result()
weigh = sweeping.weighing(plain, asked)
if weigh is not None:
    progress.watch(
        "weigh",
        weigh,
        lambda found: sweep_page.answer(plain, axes, asked, result, found.pieces, is_stale),
        "Weighing the points that pass",
    )
if not result.fits:
    state.end_page()
moved = MOVED | {item.name: name for name, item in tradeoffs.own().items()}
metric = st.selectbox(
    "Which assumption moves",
    list(moved),
    format_func=lambda name: moved[name],
    key="tornado_metric",
    bind="query-params",
)
before_value = nominal(pinned, metric) if pinned and before else None
widest = [swing_entry(swing) for swing in parameter_swings(choices, metric)[:MOST_BARS]]
swings = swing_chart(
    metric, nominal(choices, metric), widest, unit=moved[metric], before=before_value
)
if swings is None:
    st.info("No number of this device has a range that moves it.")
screens.show(swings, "Assumptions, one at a time")
