"""The router: page set-up, sidebar, navigation. Pages hold no logic.

Once the sidebar was drawn its choices are known at the start of a run, so that the answer comes
first and the seventy elements of the sidebar, which have hardly changed, after it.
"""

from __future__ import annotations

from contextlib import suppress

import streamlit as st

from dashboard.beginning import loaded

loaded()

from dashboard import screens, state  # noqa: E402
from dashboard.labels import labelled  # noqa: E402
from dashboard.pages import PAGES  # noqa: E402
from dashboard.sidebar import baseline_sentence, sidebar  # noqa: E402

NARROW = (
    "<style>@media (min-width: 640px) {.st-key-pages {display: none}}"
    "@media (max-width: 639px) {.st-key-every_choice {display: none}}"
    "[data-testid=stMain] h1 {font-size: 1.5rem; padding: 0}"
    "[data-testid=stMain] h2 {padding: 0.1rem 0}"
    "[data-testid=stSelectbox] input {text-overflow: ellipsis}"
    "[data-testid=stPopoverBody] {max-height: 70vh; overflow-y: auto}</style>"
)
"""The list of pages stands in the page only where the bar at the top hides it; a chart of seven
upright axes only where they have room, since the table beside it says the same."""

DARK = (
    "<style>[data-testid^=stBaseButton-primary] p, [data-testid=stMultiSelect] span[title] "
    "{color: #10131A}</style>"
)
"""White would be hard to read on the light blue of a dark page."""

st.set_page_config(page_icon="📱", layout="wide")
state.open_link()
state.settle()
pages = {name: st.Page(f"app_pages/{name}.py", title=title) for name, (title, _) in PAGES.items()}
page = st.navigation(list(pages.values()), position="top")
st.set_page_config(page_title=f"{page.title} · andesim")
is_early = page is pages["explore"] and state.is_settled()
choices = state.current() if is_early else sidebar()
st.html(NARROW + (DARK if st.context.theme.type == "dark" else ""))
question = next(asked for title, asked in PAGES.values() if title == page.title)
st.title(f"{page.title} :gray[{question}]", anchor=False)
every_page = st.container(key="pages")
if state.faults():
    st.warning("This link was not fully understood. What is wrong in it was left at its default:")
    st.code(labelled("\n".join(state.faults())), language=None, wrap_lines=True)
    st.button("Dismiss", on_click=state.forget_faults)
if broken := state.broken():
    st.error(
        "**The numbers below are of the last question that could be asked**, not of what the "
        "sidebar shows:",
        icon=":material/history:",
    )
    st.code(labelled("\n".join(broken)), language=None, wrap_lines=True)
    st.button("Back to it", key="back_to_valid", on_click=state.back_to_valid)
pinned = state.baseline()
if pinned is not None:
    st.badge(baseline_sentence(choices, pinned), icon=":material/push_pin:", color="gray")
if is_early:
    screens.answer_early(choices)
    state.let_it_show()
    if sidebar() != choices:  # e.g. a stack that the new device has not
        st.rerun()
# a key for each page: the list closes over the page that was chosen
with every_page, st.popover("Pages", key=f"pages_{page.title}"):
    for target in pages.values():
        st.page_link(target)
with suppress(state.PageEnded):
    page.run()
if state.name_wrong_view():
    st.rerun()
