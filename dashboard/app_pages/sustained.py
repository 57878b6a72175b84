"""What happens after ten minutes?"""

import streamlit as st

from dashboard import screens, state, sustained
from dashboard.charts import endurance
from dashboard.runs import judged

choices = state.current()
result = screens.fitting_or_stop(choices)

with st.spinner("Simulating ten minutes", show_time=True):
    session = screens.made_or_stop(lambda: sustained.session(choices))
    before = screens.made_or_none(lambda: sustained.baseline_session(state.baseline()))
found = sustained.endurance(session)
then = sustained.endurance(before) if before else None
said = sustained.against_target(session, choices.least_tokens_per_s)
missed = sustained.missed_from_s(session, choices.least_tokens_per_s)
drawn = screens.sampled(choices)
likely = ""
if drawn:
    share = judged(choices, result, drawn).probability_sustained
    likely = f" {share:.0%} of the draws of the device meet every target in minute ten."
screens.show_toned(
    choices,
    result,
    f"**{said} {found.sentence()}**{likely} The question is asked again as soon as it is answered.",
    missed is None and found.throttled_at_s is None,
)
screens.show_cards(sustained.cards(found, then))
screens.chart(
    "Ten minutes",
    endurance.endurance(session, before, choices.least_tokens_per_s),
    f"{said} {found.sentence()}".strip(),
)
st.caption("Ambient temperature and background are set in the sidebar, Environment and device.")
