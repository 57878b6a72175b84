"""What moves, and what lies where?"""

import streamlit as st

from dashboard import flows, screens, state
from dashboard.charts import flow, roofline

choices = state.current()
result = screens.fitting_or_stop(choices)
moved = flows.flows(result)
if moved:
    whole = sum(moved.values())
    screens.chart(
        f"Bytes of one output token: {whole / 1e6:,.0f} MB",
        flow.sankey(moved, flows.waits(result)),
        f"Each output token moves {whole / 1e6:,.0f} MB.",
    )
    st.caption(
        "A group of layers says in which share of its time the unit waits for these bytes. Blue: "
        "it keeps up. Red: it waits."
    )
left, right = st.columns(2)
peak, budget = result.ledger.peak.total_bytes, result.ledger.budget_bytes
with left:
    screens.chart(
        "Memory at the peak, in the frame of the app budget",
        flow.treemap(flows.held(result), budget),
        f"{peak / 2**30:.2f} of {budget / 2**30:.2f} GiB are in use at the peak.",
    )
    st.caption(f"{flows.told(result)} Weights are divided as decode reads them.")
with right, st.spinner("Simulating longer contexts", show_time=True):
    table = flows.walk(choices)
    if not table.empty:
        lines, names = roofline.roofs(result, [0.1, 1e4])
        screens.chart(
            "Operators of a decode step as the context grows",
            flow.walkers(table, lines, names),
            "Attention moves under the roofs as the context grows; linear layers stand still.",
        )
        first, last = table["context"].min(), table["context"].max()
        st.caption(f"Markers grow from {first:,} to {last:,} tokens of context.")
