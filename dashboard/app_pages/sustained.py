"""What happens after ten minutes?"""

import streamlit as st

from dashboard import screens, state, sustained
from dashboard.cards import change, number
from dashboard.charts import endurance

choices = state.current()
once = screens.result_or_stop(choices)
if not once.fits:
    st.info("Nothing ran: the model does not fit. Explore says what to change.")
    st.stop()

with st.spinner("Simulating ten minutes", show_time=True):
    session = screens.made_or_stop(lambda: sustained.session(choices))
found = sustained.endurance(session)
st.markdown(f"**{found.sentence()}** The question is asked again as soon as it is answered.")
first, tenth = found.first_tokens_per_s, found.tenth_tokens_per_s
with st.grid(4, min_column_width=170):
    st.metric("First minute", number(first, "tok/s", 1), border=True, height="stretch")
    st.metric(
        "Tenth minute",
        number(tenth, "tok/s", 1),
        change(tenth, first, "tok/s", 1),
        border=True,
        height="stretch",
    )
    st.metric("Hottest body", f"{found.hottest_body_c:.1f} °C", border=True, height="stretch")
    st.metric(
        "Mean power",
        f"{session.energy.total_j / session.makespan_s:.1f} W",
        border=True,
        height="stretch",
    )
trip_c = session.soc.thermal.governor.trip_c[0].value
screens.chart(
    f"Ten minutes; the governor steps in at {trip_c:g} °C of the body",
    endurance.endurance(session),
    found.sentence(),
)
st.caption("Ambient temperature and background are set in the sidebar, Environment and device.")
