"""What happens after ten minutes?"""

import streamlit as st

from dashboard import screens, state, sustained
from dashboard.charts import endurance

choices = state.current()
screens.fitting_or_stop(choices)

with st.spinner("Simulating ten minutes", show_time=True):
    session = screens.made_or_stop(lambda: sustained.session(choices))
    before = screens.made_or_none(lambda: sustained.baseline_session(state.baseline()))
found = sustained.endurance(session)
then = sustained.endurance(before) if before else None
draw = st.success if found.throttled_at_s is None else st.warning
draw(f"**{found.sentence()}** The question is asked again as soon as it is answered.")
screens.show_cards(sustained.cards(found, then))
screens.chart("Ten minutes", endurance.endurance(session, before), found.sentence())
st.caption("Ambient temperature and background are set in the sidebar, Environment and device.")
