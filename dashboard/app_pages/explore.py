"""Will it fit, and will it feel fast?"""

import streamlit as st

from dashboard import screens, state
from dashboard.remedies import remedies
from dashboard.runs import decode_terms, judged
from sim.charts.data import decode_chart, first_token_chart
from sim.verdicts import Status

choices = state.current()
result = screens.result_or_stop(choices)
summary = result.summary()
screens.show_verdict(choices, result)
screens.live_cards(choices, result)

if judged(choices, result).status is not Status.PASS:
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
before = baseline.summary().as_dict() if baseline and baseline.fits else None
left, right = st.columns(2)
if result.fits:
    with left:
        screens.show(first_token_chart(summary.as_dict(), choices.most_first_token_s, before))
    with right:
        steps = max(1, summary.decode_steps)
        screens.show(decode_chart(decode_terms(choices), steps, screens.baseline_terms()))
screens.show(screens.residency(result, baseline))
for warning in result.warnings:
    st.warning(warning)
