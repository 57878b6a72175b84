"""What is it like to wait for it?"""

import streamlit as st

from dashboard import instruments, screens, state
from dashboard.runs import draws

choices = state.current()
result = screens.fitting_or_stop(choices)
when = st.segmented_control(
    "Asked", list(instruments.MINUTES), default=next(iter(instruments.MINUTES)), key="asked_when",
    required=True,
)  # fmt: skip
phones = [(choices, result, "This phone")]
pinned, baseline = state.baseline(), screens.baseline_result()
if pinned is not None and baseline is not None and baseline.fits:
    phones = [(pinned, baseline, "A, pinned"), (choices, result, "B, the sidebar")]
instruments.reply(
    [(one, name, draws(asked, f"{state.viewer()}/{name}")) for asked, one, name in phones],
    instruments.MINUTES[when],
)
st.caption(
    "Tokens come when the simulation says; the words are an example. Dotted words are not there "
    "yet on a phone at the slow end of the 80 % range. Pin a baseline to play A beside B."
)
