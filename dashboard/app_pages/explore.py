"""Will it fit, and will it feel fast?"""

import streamlit as st

from dashboard import screens, state
from dashboard.charts import memory, phases
from dashboard.remedies import remedies
from dashboard.runs import decode_terms
from dashboard.verdicts import verdict

choices = state.current()
result = screens.result_or_stop(choices)
summary = result.summary()
answer = verdict(choices, result)
screens.show_verdict(choices, answer)
screens.live_cards(choices, result)

if answer.status != "PASS":
    with st.container(border=True):
        st.markdown("**Cheapest change that passes**")
        found = remedies(choices)
        if not found:
            st.markdown("No single change passes. Try two: the Trade-offs page sweeps them.")
        for index, remedy in enumerate(found):
            text, button = st.columns([5, 1], vertical_alignment="center")
            said = remedy.text[:1].upper() + remedy.text[1:]
            text.markdown(f"**{said}** (costs: {remedy.cost}): {remedy.answer}")
            button.button(
                "Apply",
                key=f"remedy_{index}",
                on_click=state.apply,
                args=(remedy.changes,),
                help=remedy.text,
                width="stretch",
            )

baseline = screens.baseline_result()
before = baseline.summary() if baseline and baseline.fits else None
left, right = st.columns(2)
if result.fits:
    with left:
        drawn = phases.first_token_waterfall(summary, choices.most_first_token_s, before)
        alt = phases.first_token_takeaway(summary, before)
        screens.chart("Where the first token's time goes", drawn, alt)
    with right:
        terms = decode_terms(choices)
        drawn = phases.decode_bounds(terms, max(1, summary.decode_steps), screens.baseline_terms())
        screens.chart("What bounds decode", drawn, phases.takeaway(terms))
screens.chart("DRAM over time", memory.residency(result, baseline), memory.takeaway(result))
for warning in result.warnings:
    st.warning(warning)
