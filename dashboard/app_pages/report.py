"""What do I hand over?"""

from functools import partial

import streamlit as st

from dashboard import handover, progress, screens, state, timeline
from dashboard.jobs import Job
from dashboard.links import BASELINE_FILE, scenario_yaml
from sim.reports.page import html
from sim.reports.sections import sizing_page

choices = state.current()
result = screens.result_or_stop(choices)
screens.show_verdict(choices, result)
asked = st.button(
    "Write the report",
    type="primary",
    key="write_report",
    help="In the background, step by step: the page stays usable, and Stop ends it.",
)
pinned = state.baseline()
if pinned is not None and screens.baseline_result() is None:
    pinned = None  # it cannot be simulated
writing = progress.job(
    "report",
    (choices, pinned),
    lambda: handover.writing(choices, state.address(), pinned),
    asked=asked,
)
if writing is None:
    st.info(
        "**The report on these choices is not written yet.** It holds the verdict against the "
        "targets, what to change, memory, the first token, sensitivities, sources; with a pinned "
        "baseline also why the two differ, operator by operator. Then choose sections and download "
        "HTML, PDF, Markdown, JSON or CSV."
    )
    state.end_page()


def drawn(found: Job[object]) -> None:
    """Draw the report once it is written."""
    whole = found.pieces[-1] if found.is_whole and found.pieces else None
    if not isinstance(whole, dict):
        if not found.is_working and not found.error:
            st.info("Stopped. Write the report again to have it.")
        return
    every = sizing_page(whole)
    titles = [section.title for section in every.sections]
    wanted = st.pills(
        "Sections", titles, selection_mode="multi", default=titles, key="sections", wrap=True
    )
    shown = handover.shortened(every, wanted)
    with st.container(horizontal=True):
        for ending, name in ((".html", "HTML"), (".pdf", "PDF"), (".md", "Markdown"),
                             (".json", "JSON")):  # fmt: skip
            make = partial(handover.file, whole, shown, ending)
            st.download_button(name, make, f"report{ending}", on_click="ignore")
        if pinned is not None:
            st.download_button(
                "Baseline (YAML)",
                scenario_yaml(pinned),
                BASELINE_FILE,
                "application/yaml",
                on_click="ignore",
                help="What `andesim report --baseline` reads.",
            )
        if result.fits:
            st.download_button(
                "CSV of operators",
                lambda: timeline.operators(result.to_frame()).to_csv(index=False),
                "operators.csv",
                "text/csv",
                on_click="ignore",
            )
    st.iframe(html(shown), height=900)


progress.watch("report", writing, drawn, "Writing the report")
