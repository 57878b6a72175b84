"""What do I hand over?"""

import pandas as pd
import streamlit as st

from dashboard import handover, screens, state, timeline

choices = state.current()
result = screens.result_or_stop(choices)
found = handover.sections(choices, state.link())
titles = [section.title for section in found]
wanted = st.pills(
    "Sections", titles, selection_mode="multi", default=titles, key=f"sections_{titles[0]}"
)
chosen = [section for section in found if section.title in wanted]

with st.container(horizontal=True):
    st.download_button(
        "HTML", lambda: handover.html(chosen), "report.html", "text/html", on_click="ignore"
    )
    st.download_button(
        "JSON", lambda: handover.summary_json(choices), "summary.json", on_click="ignore"
    )
    if result.fits:
        st.download_button(
            "CSV of operators",
            lambda: timeline.operators(result.to_frame()).to_csv(index=False),
            "operators.csv",
            "text/csv",
            on_click="ignore",
        )
    if st.button("Make PDF", key="make_pdf"):
        made = screens.made_or_stop(lambda: handover.pdf(chosen))
        st.download_button("PDF", made, "report.pdf", "application/pdf", on_click="ignore")

for section in chosen:
    with st.container(border=True):
        st.markdown(f"**{section.title}**")
        if section.text:
            st.text(section.text)
        if section.rows:
            st.table(pd.DataFrame(section.rows, columns=section.header), hide_index=True)
