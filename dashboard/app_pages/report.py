"""What do I hand over?"""

from functools import partial

import streamlit as st

from dashboard import handover, screens, state, timeline
from sim.reports.page import html

choices = state.current()
result = screens.result_or_stop(choices)
screens.show_verdict(choices, result)
asked = st.button(
    "Write the report",
    type="primary",
    key="write_report",
    help="Tries other configurations and compares with measurements: about ten seconds.",
)
if asked:
    state.note_report(choices)
if state.reported() != choices:
    st.info(
        "**The report on these choices is not written yet.** It holds the verdict against the "
        "targets, what to change, memory, the first token, sensitivities and sources. Writing it "
        "tries other configurations, about ten seconds; then choose sections and download HTML, "
        "PDF, Markdown, JSON or CSV."
    )
    st.stop()

with st.spinner("Trying configurations, comparing with measurements", show_time=True):
    whole = screens.made_or_stop(lambda: handover.page(choices))
titles = [section.title for section in whole.sections]
wanted = st.pills("Sections", titles, selection_mode="multi", default=titles, key="sections")
shown = handover.shortened(whole, wanted)

with st.container(horizontal=True):
    for ending, name in ((".html", "HTML"), (".md", "Markdown"), (".json", "JSON")):
        make = partial(handover.file, choices, shown, ending)
        st.download_button(name, make, f"report{ending}", on_click="ignore")
    if result.fits:
        st.download_button(
            "CSV of operators",
            lambda: timeline.operators(result.to_frame()).to_csv(index=False),
            "operators.csv",
            "text/csv",
            on_click="ignore",
        )
    if st.button("Make PDF", key="make_pdf"):
        made = screens.made_or_stop(lambda: handover.file(choices, shown, ".pdf"))
        st.download_button("PDF", made, "report.pdf", "application/pdf", on_click="ignore")
st.iframe(html(shown), height=900)
