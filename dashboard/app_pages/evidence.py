"""Why should I believe it?"""

import streamlit as st

from dashboard import screens, state, witnesses
from dashboard.runs import parameter_swings
from sim.charts.data import parity_chart
from sim.charts.plotly import named
from sim.explore.next_measurement import best_sentence, worth_measuring
from sim.reports.evidence import CALLED, MEANING, status_of, unseen
from sim.trust import of_metric

WORTH_DRAWS = 40

choices = state.current()
result = screens.fitting_or_stop(choices)
status = status_of(result.soc.id, result.stack)
swings = parameter_swings(choices)
draw_status = {"validated": st.success, "partly": st.warning, "unvalidated": st.warning}[status]
draw_status(
    f"**{result.soc.name} under {result.stack} is {CALLED[status]}.** {MEANING[status]}",
    icon=":material/fact_check:",
)
if swings:
    st.markdown(witnesses.widest_sentence(swings[0].path, swings[0].width))
if st.button("Which one measurement would tell most?", key="worth"):
    with st.spinner("Drawing the device for every run that could be measured", show_time=True):
        worth = worth_measuring(result, WORTH_DRAWS)
    st.info(f"**{best_sentence(worth)}**", icon=":material/straighten:")
    share = st.column_config.NumberColumn(format="percent")
    table = witnesses.worth_table(worth)
    st.dataframe(table, hide_index=True, column_config=dict.fromkeys(table.columns[2:], share))


judged = unseen()
metrics = sorted({row.metric for row in judged})
default = "tokens_per_s" if "tokens_per_s" in metrics else metrics[0]
left, right = st.columns([2, 3])
metric = left.selectbox(
    "Number", metrics, metrics.index(default), format_func=named, key="evidence_metric"
)
every = sorted({row.stack for row in judged})
chosen = right.multiselect("Stacks of the parity plot", every, key="evidence_stacks",
                           placeholder="all")  # fmt: skip
near = of_metric(result, metric, witnesses.MOST_NEAR)
screens.chart(
    "The nearest measured rows, beside this question",
    witnesses.beside(near, result, metric, screens.sampled(choices)),
    f"{len(near)} measured rows of {named(metric)}, the nearest first.",
    key="nearest",
)
st.caption(
    "Green circle: this device and stack. Blue square: this device, another stack. Light blue "
    "diamond: this stack, another device. Grey cross: neither."
)
shown = [row for row in judged if row.metric == metric and (not chosen or row.stack in chosen)]
screens.show(parity_chart([row._asdict() for row in shown],
                          f"{named(metric)}: simulated against measured",
                          f"{len(shown)} rows that no fit has seen."))  # fmt: skip
with st.container(border=True):
    screens.heading("Coverage: of rows that no fit has seen")
    digits = st.column_config.NumberColumn(format="%.0f")
    columns = dict.fromkeys(("mean error [%]", "bias [%]", "inside 80 % [%]"), digits)
    st.dataframe(witnesses.coverage(judged), hide_index=True, column_config=columns, height=400,
                 placeholder="–")  # fmt: skip
percent = st.column_config.NumberColumn(format="percent")
times = st.column_config.NumberColumn(format="%.1f×")
st.dataframe(
    witnesses.readable(near),
    hide_index=True,
    column_config={
        "error": percent,
        "times apart": times,
        "source": st.column_config.LinkColumn(display_text="open"),
    },
)
