"""What does one network take?"""

import streamlit as st

from dashboard import network_page, networks, screens, state, timeline
from sim.explore.sensitivity import least_certain
from sim.trust import aspects

choices = state.current()
asked, limits = network_page.question(choices)
before = network_page.baseline(asked)
result = screens.made_or_stop(lambda: networks.run(asked))
then = networks.run(before) if before is not None else None
viewer = f"{state.viewer()}/network"
drawn = networks.draws(asked, viewer)
verdict = st.empty()
with verdict:
    network_page.show_verdict(result, limits, drawn)
places = screens.show_cards(networks.cards(result, drawn, then))
if result.fits:
    screens.show(networks.bounds_chart(asked, before))
    if then is not None:
        network_page.differences(then, result)
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
st.code(networks.command_line(asked, limits), language=None, wrap_lines=True)
if drawn is None and state.arrived(lambda: networks.draws(asked, viewer) is not None):
    drawn = networks.draws(asked, viewer)
    with verdict:
        network_page.show_verdict(result, limits, drawn)
    for where, card in zip(places, networks.cards(result, drawn), strict=True):
        if card.range:
            where.caption(card.range)
elif drawn is None:
    screens.look_again(lambda: networks.draws(asked, viewer) is not None)
