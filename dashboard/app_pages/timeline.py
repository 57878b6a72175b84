"""Who waits for whom?"""

import streamlit as st

from dashboard import screens, state, timeline
from dashboard.charts import lanes
from sim.records import BOUNDS

choices = state.current()
result = screens.fitting_or_stop(choices)
steps = timeline.phases(result)

left, middle, near, right = st.columns([3, 3, 2, 2], vertical_alignment="bottom")
phase = left.segmented_control(
    "Phase", list(steps), default=list(steps)[-1], key="phase", required=True
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

frame = timeline.step_frame(result, phase, step)
layers = sorted(set(frame["layer"].tolist()))
layer = near.selectbox("Layer", ["all", *layers], key=f"layer_{phase}")
seen = frame if layer == "all" else frame[frame["layer"] == layer]
bars, table = timeline.lanes(seen), timeline.operators(frame)
baseline = screens.baseline_result()
before_s = timeline.step_s(baseline, phase, step) if baseline else None
slowest = table.iloc[0]
screens.chart(
    f"{phase.capitalize()} step {step}: {frame['end_s'].max() * 1e3:.1f} ms"
    + (f"; A, pinned: {before_s * 1e3:.1f} ms" if before_s else ""),
    lanes.gantt(bars, before_s),
    f"The slowest operator is {slowest['name']}: {slowest['share']:.0%} of the step.",
)
if len(bars) == timeline.MOST_BARS:
    st.caption(f"The first {timeline.MOST_BARS} bars; the Perfetto trace has all.")

left, right = st.columns(2)
with left.container(border=True):
    st.markdown("**Busy and waiting**")
    percent = st.column_config.ProgressColumn(format="percent", min_value=0.0, max_value=1.0)
    small = st.column_config.NumberColumn(format="%.1f", width="small")
    columns = {"busy [ms]": small, "idle [ms]": small, "busy share": percent}
    st.dataframe(timeline.busy(frame), hide_index=True, column_config=columns)
    st.caption("Lanes overlap: DMA brings operands while the unit computes.")
with right:
    alt = "Attained FLOP/s of each operator against the roofs of the device."
    before = timeline.step_frame(baseline, phase, step) if baseline and before_s else None
    theirs = timeline.operators(before) if before is not None else None
    screens.chart("Roofline of this step", lanes.roofline(result, table, theirs), alt)

with st.container(border=True):
    st.markdown("**Operators of this step**, all layers together")
    words, limits = st.columns([3, 2])
    text = words.text_input("Search", key="operator_search", placeholder="attention, mlp, lm_head")
    bounds = limits.pills("Bound by", BOUNDS, selection_mode="multi", key="operator_bounds")
    shown = timeline.found(table, text, bounds)
    st.dataframe(
        timeline.readable(shown), hide_index=True, column_config={"share of the step": percent}
    )
    st.caption(f"{len(shown)} of {len(table)} operators.")
