"""Who waits for whom?"""

import streamlit as st

from dashboard import instruments, screens, state, timeline
from dashboard.charts import roofline
from dashboard.transfers import LOAD
from sim.records import BOUNDS

choices = state.current()
result = screens.fitting_or_stop(choices)
baseline = screens.baseline_result()
with st.container(border=True):
    instruments.canvas(result, baseline)

steps = timeline.phases(result)
left, middle, right = st.columns([3, 3, 2], vertical_alignment="bottom")
phase = left.segmented_control(
    "Phase", list(steps), default=list(steps)[-1], key="phase", required=True, bind="query-params"
)
last = steps[phase] - 1
step = middle.slider("Step", 0, last, 0, key=f"step_{phase}") if last else 0
right.download_button(
    "Perfetto trace",
    lambda: timeline.perfetto(result),
    "trace.json",
    "application/json",
    on_click="ignore",
    width="stretch",
    help="The whole run, for ui.perfetto.dev",
)

if baseline is not None and baseline.fits and phase != LOAD:
    with st.container(border=True):
        per = "output token" if phase == "decode" else "turn"
        screens.heading(f"Operator by operator, per {per}: A, pinned, and B, the sidebar")
        table = timeline.differences(baseline, result, phase)
        a_ms, b_ms = table["A [ms]"].sum(), table["B [ms]"].sum()
        st.markdown(f"{phase.capitalize()}: **{a_ms:.2f} ms** in A, **{b_ms:.2f} ms** in B.")
        st.dataframe(table, hide_index=True, height=320)

frame = timeline.step_frame(result, phase, step)
table = timeline.operators(frame)
percent = st.column_config.ProgressColumn(format="percent", min_value=0.0, max_value=1.0)
left, right = st.columns(2)
with left.container(border=True, height="stretch"):
    screens.heading(f"Busy and waiting in {phase} step {step}: {frame['end_s'].max() * 1e3:.1f} ms")
    small = st.column_config.NumberColumn(format="%.1f", width="small")
    columns = {"busy [ms]": small, "idle [ms]": small, "busy share": percent}
    st.dataframe(timeline.busy(frame), hide_index=True, column_config=columns)
    st.caption("Lanes overlap: DMA brings operands while the unit computes.")
with right:
    alt = "Attained FLOP/s of each operator against the roofs of the device."
    has_step = baseline is not None and step < timeline.phases(baseline).get(phase, 0)
    before = timeline.step_frame(baseline, phase, step) if baseline and has_step else None
    theirs = timeline.operators(before) if before is not None else None
    screens.chart("Roofline of this step", roofline.roofline(result, table, theirs), alt)

with st.container(border=True):
    screens.heading("Operators of this step, all layers together")
    words, limits = st.columns([3, 2])
    text = words.text_input("Search", key="operator_search", placeholder="attention, mlp, lm_head")
    bounds = limits.pills(
        "Bound by", BOUNDS, selection_mode="multi", key="operator_bounds", wrap=True
    )
    shown = timeline.found(table, text, bounds)
    st.dataframe(
        timeline.readable(shown), hide_index=True, column_config={"share of the step": percent}
    )
    st.caption(f"{len(shown)} of {len(table)} operators.")
