"""Says who?"""

import streamlit as st

from dashboard import assumptions, screens, state
from dashboard.charts import tornado
from dashboard.runs import device, parameter_swings, reply_s

choices = state.current()
result = screens.result_or_stop(choices)
parameters = assumptions.table(choices)
swings = parameter_swings(choices)
counts = parameters["kind"].value_counts()
st.markdown(
    f"**{len(parameters)} numbers describe {result.soc.name}:** "
    + ", ".join(f"{counts[kind]} {kind}" for kind in assumptions.KINDS if kind in counts)
    + f". {result.soc.describes}."
)
screens.chart(
    "Which assumption moves the reply most",
    tornado.tornado(swings, reply_s(choices)),
    tornado.takeaway(swings),
)

with st.container(border=True):
    st.markdown("**Change a number**")
    name, value, button = st.columns([3, 2, 1], vertical_alignment="bottom")
    path: str = name.selectbox("Parameter", parameters["parameter"].tolist(), key="parameter")
    item = device(choices).parameters()[path]
    new = value.number_input(
        f"Value [{item.unit}]", value=item.value, format="%.6g", key=f"value_{path}"
    )
    button.button(
        "What if",
        on_click=state.apply,
        args=({"what_if": assumptions.with_what_if(choices, path, new)},),
        width="stretch",
    )
    source = result.soc.sources[item.source]
    st.caption(
        f"{item.kind}, {item.low:g} to {item.high:g} {item.unit}. {source.title}. {item.note}"
    )
    if choices.what_if:
        clear, download = st.columns(2)
        clear.button("Back to the device's numbers", on_click=state.apply, args=({"what_if": ""},))
        download.download_button(
            "Download this device",
            device(choices).to_yaml(),
            "what_if_device.yaml",
            on_click="ignore",
            help="The command line reads it: --set device=what_if_device.yaml",
        )

with st.container(border=True):
    words, filters = st.columns([3, 2])
    text = words.text_input("Search", key="parameter_search", placeholder="bandwidth, launch")
    kinds = filters.pills("Kind", assumptions.KINDS, selection_mode="multi", key="kinds")
    shown = assumptions.found(parameters, text, kinds)
    columns = {
        "link": st.column_config.LinkColumn(display_text="open"),
        "reply_moves_s": st.column_config.NumberColumn("reply moves [s]", format="%.3f"),
        **{name: st.column_config.NumberColumn(format="%.4g") for name in ("value", "low", "high")},
    }
    st.dataframe(shown, hide_index=True, column_config=columns)
    st.caption(f"{len(shown)} of {len(parameters)} parameters; values in SI units.")
