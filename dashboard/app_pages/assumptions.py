"""Says who?"""

import streamlit as st

from dashboard import assumptions, screens, state
from dashboard.runs import device

choices = state.current()
result = screens.result_or_stop(choices)
parameters = assumptions.table(choices)
counts = parameters["kind"].value_counts()
st.markdown(
    f"**{len(parameters)} numbers describe {result.soc.name}:** "
    + ", ".join(f"{counts[kind]} {kind}" for kind in assumptions.KINDS if kind in counts)
    + f". {result.soc.describes}."
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
            help="A device file with these values, to keep and to change",
        )

with st.container(border=True):
    words, filters = st.columns(2)
    text = words.text_input("Search", key="parameter_search", placeholder="bandwidth, launch")
    kinds = filters.pills("Kind", assumptions.KINDS, selection_mode="multi", key="kinds", wrap=True)
    shown = assumptions.found(parameters, text, kinds)
    columns = {
        "link": st.column_config.LinkColumn(display_text="open"),
        "reply_moves_s": st.column_config.NumberColumn("reply moves [s]", format="%.2f"),
    }
    order = ["rank", "parameter", "value", "low", "high", "reply_moves_s", "kind", "link"]
    st.dataframe(
        shown,
        hide_index=True,
        column_config=columns,
        column_order=[*order, "source", "note"],
        height=560,
        placeholder="–",
    )
    st.caption(
        f"{len(shown)} of {len(parameters)} parameters. A number in 'reply moves' is the distance "
        "between the whole reply with the parameter at its low and at its high value."
    )
