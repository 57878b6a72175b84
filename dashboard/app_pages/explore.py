"""Will it fit, and will it feel fast?"""

import streamlit as st

from dashboard import questions, screens, state
from dashboard.remedies import known_remedies
from dashboard.runs import decode_terms, judged
from sim.charts.data import TOKEN, decode_chart, first_token_chart
from sim.charts.plotly import drawn
from sim.judgements import Status

choices = state.current()
result = screens.result_or_stop(choices)
summary = result.summary()
early = screens.early_answer()
shown = early or screens.answer(choices, result)
fails = judged(choices, result).status is not Status.PASS
box = questions.remedies_box() if fails else None
if box is not None:  # begun while the rest is drawn
    known_remedies(choices, state.viewer())
questions.solve_for(choices)
if early is None:
    state.pause()  # the browser takes a second to load what draws charts, and shows nothing else
baseline = screens.baseline_result()
before = baseline.summary().as_dict() if baseline and baseline.fits else None
left, right = st.columns(2)
if result.fits:
    with left:
        screens.show(first_token_chart(summary.as_dict(), choices.most_first_token_s, before))
    with right:
        per = st.session_state.get("decode_per") or TOKEN
        count, before_terms = screens.decoded(result, per), screens.baseline_terms(per)
        drawn_decode = decode_chart(decode_terms(choices), count, before_terms, per)
        with st.container(border=True, height="stretch"):
            screens.heading(drawn_decode.title)
            screens.plot(drawn(drawn_decode), drawn_decode.alt)
            screens.count_decode_by(result)
screens.show(screens.residency(result, baseline))
questions.fans(choices)
for warning in result.warnings:
    st.warning(warning)
is_late = screens.complete(choices, result, shown)
if box is not None:
    is_late |= questions.remedies(box, choices)
if is_late:
    screens.look_again(
        lambda: (
            screens.sampled(choices) is not None
            and (box is None or known_remedies(choices, state.viewer()) is not None)
        )
    )
