"""The router: page set-up, sidebar, navigation. Pages hold no logic."""

from __future__ import annotations

import streamlit as st

from dashboard import state
from dashboard.sidebar import baseline_sentence, sidebar

PAGES = ("explore", "timeline", "tradeoffs", "sustained", "validate", "report", "assumptions")
TITLES = {"tradeoffs": "Trade-offs"}

st.set_page_config(page_title="andesim", page_icon="📱", layout="wide")
state.open_link()
page = st.navigation(
    [st.Page(f"app_pages/{name}.py", title=TITLES.get(name, name.capitalize())) for name in PAGES],
    position="top",
)
choices = sidebar()
if state.faults():
    st.warning("This link was not fully understood. What is wrong in it was left at its default:")
    st.code("\n".join(state.faults()), language=None, wrap_lines=True)
    st.button("Dismiss", on_click=state.forget_faults)
pinned = state.baseline()
if pinned is not None:
    st.badge(baseline_sentence(choices, pinned), icon=":material/push_pin:", color="gray")
page.run()
