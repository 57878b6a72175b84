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


def played(waited: bool) -> None:
    """Play the replies, again with their ghosts once the draws are made."""
    drawn = [draws(asked, f"{state.viewer()}/{name}") for asked, _, name in phones]
    if waited and None not in drawn:
        st.rerun()  # a full run ends the polling
    instruments.reply(
        [(one, name, columns) for (_, one, name), columns in zip(phones, drawn, strict=True)],
        instruments.MINUTES[when],
    )


waits = any(draws(asked, f"{state.viewer()}/{name}") is None for asked, _, name in phones)
st.fragment(played, run_every=screens.POLL_S if waits else None)(waits)
st.caption(
    "Tokens come when the simulation says; the words are an example. Dotted words are not there "
    "yet on a phone at the slow end of the 80 % range. Pin a baseline to play A beside B."
)
