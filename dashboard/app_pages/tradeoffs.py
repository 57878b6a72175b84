"""What is the best configuration?"""

import streamlit as st

from dashboard import screens, state, sweeping, tradeoffs
from dashboard.charts import tradeoff
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
    levels = sweeping.builder()
    sweeping.run_when_asked(choices, levels)
table, axes, asked = sweeping.swept()
if table.empty:
    st.info("Choose what to vary, with at least one level each, and run the sweep.")
    st.stop()
if asked != choices:
    st.caption("The sidebar changed since this sweep; run it again to start from what it shows.")

best = tradeoffs.fastest(table)
reasons: list[str] = table["reason"].tolist()
passing = int((table["status"] == "PASS").sum())
if best is None:
    st.warning(f"None of {len(table)} configurations meets every target.")
else:
    names = ", ".join(str(table.loc[best, axis]) for axis in axes)
    st.success(f"**Fastest of {passing} that meet every target: {names}.** {reasons[best]}")
pinned, before = state.baseline(), screens.baseline_result()
baseline = tradeoffs.row_of(pinned, before) if pinned and before else None
left, right = st.columns(2)
metrics = [name for name in tradeoffs.judged_by() if name in table]
across = left.selectbox("Across", metrics, metrics.index(tradeoffs.ACROSS), key="across")
up = right.selectbox("Up", metrics, metrics.index(tradeoffs.UP), key="up")
now = tradeoffs.row_of(choices, result)
event = screens.selectable(
    "All configurations; click a point to load it",
    tradeoff.pareto(table, axes, now, baseline, (across, up)),
    f"{passing} of {len(table)} configurations meet every target.",
    key="pareto",
)
if "weights [GiB]" in (across, up):
    st.caption("Weight bytes stand in for quality, which is not simulated.")
shown = table.drop(columns="changes")
digits = st.column_config.NumberColumn(format="%.2f")
picked = st.dataframe(
    shown,
    column_config=dict.fromkeys(metrics, digits),
    on_select="rerun",
    selection_mode="single-row",
    hide_index=True,
    key="points",
)
actions = st.container(horizontal=True)
chosen = screens.first_point(event, picked, best)
if chosen is not None and chosen in table.index:
    row = table.loc[chosen]
    actions.button(
        f"Load {', '.join(str(row[axis]) for axis in axes)} into the sidebar",
        on_click=state.apply,
        args=(row["changes"],),
        key="load_point",
    )
actions.download_button("Table as CSV", shown.to_csv(), "sweep.csv", "text/csv", on_click="ignore")
alt = "Each line is a configuration; drag along an axis to keep a part of it."
screens.chart("Every choice and its numbers", tradeoff.parallel(table, axes, baseline), alt)

if not result.fits:
    st.stop()
moved = MOVED | {item.name: name for name, item in tradeoffs.own().items()}
metric = st.selectbox(
    "Which assumption moves",
    list(moved),
    format_func=lambda name: moved[name],
    key="tornado_metric",
)
before_value = nominal(pinned, metric) if pinned and before else None
widest = [swing_entry(swing) for swing in parameter_swings(choices, metric)[:MOST_BARS]]
swings = swing_chart(
    metric, nominal(choices, metric), widest, unit=moved[metric], before=before_value
)
if swings is None:
    st.info("No number of this device has a range that moves it.")
screens.show(swings, "Assumptions, one at a time")
