"""What does one network take?"""

import streamlit as st

from dashboard import networks, screens, state, timeline
from dashboard.own import is_own
from sim.explore.sensitivity import least_certain
from sim.trust import aspects
from sim.verdict_words import headline
from workloads.network_calls import MAX_CALLS

choices = state.current()
linked = st.query_params.get("network", "")
known = [one for one in networks.networks() if not is_own(one) or one in (*state.mine(), linked)]
name, kept, count = st.columns([2, 1, 1])
network = name.selectbox(
    "Network", known, known.index(networks.FIRST), key="network", bind="query-params"
)
weights = kept.selectbox("Weights", networks.formats(), key="network_weights", bind="query-params")
calls = count.number_input(
    "Calls, one after another", 1, MAX_CALLS, 1, key="network_calls", bind="query-params"
)
asked = networks.Asked(choices, network, weights, int(calls))
result = screens.made_or_stop(lambda: networks.run(asked))
viewer = f"{state.viewer()}/network"
(st.info if result.fits else st.error)(f"**{headline(result)}**", icon=":material/memory:")
drawn = networks.draws(asked, viewer)
places = screens.show_cards(networks.cards(result, drawn))
if result.fits:
    screens.show(networks.bounds_chart(asked))
    operators = timeline.operators(result.to_frame())
    with st.container(border=True):
        screens.heading("Its operators, slowest first")
        share = st.column_config.NumberColumn(format="percent")
        table = timeline.readable(operators).rename(columns={"share of the step": "share"})
        st.dataframe(table, hide_index=True, column_config={"share": share})
for aspect in aspects(result):
    st.markdown(f"**Measured beside it** ({aspect.name}: {aspect.status}): {aspect.text()}.")
found = least_certain(result) if result.fits else None
if found is not None:
    st.markdown(f"**Least certain assumption:** {found.sentence()}")
for warning in result.warnings:
    st.warning(warning)
st.caption(
    "Device, stack, environment, app budget and what-if values are those of the sidebar; the rest "
    "of it is about language models. The same numbers from the command line:"
)
st.code(networks.command_line(asked), language=None, wrap_lines=True)
if drawn is None and state.arrived(lambda: networks.draws(asked, viewer) is not None):
    ranged = networks.cards(result, networks.draws(asked, viewer))
    for where, card in zip(places, ranged, strict=True):
        if card.range:
            where.caption(card.range)
elif drawn is None:
    screens.look_again(lambda: networks.draws(asked, viewer) is not None)
