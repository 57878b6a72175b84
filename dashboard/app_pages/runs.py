"""How do my runs compare?"""

from functools import partial

import streamlit as st

from dashboard import notebook, screens, state
from dashboard.runs import draws

choices = state.current()
screens.result_or_stop(choices)
saved = state.saved()
with st.container(border=True):
    name, button = st.columns([4, 1], vertical_alignment="bottom")
    given = name.text_input(
        "Name of this run", notebook.names(saved, choices), key=f"run_name_{len(saved)}"
    )
    button.button(
        "Save",
        type="primary",
        key="save_run",
        on_click=state.save,
        args=(given, choices),
        disabled=not given.strip(),
        width="stretch",
    )
if not saved:
    st.info("**Nothing is saved yet.** Save this run, change the sidebar, save again: here they "
            "stand side by side.")  # fmt: skip
    state.end_page()


def compared(waited: bool) -> None:
    """Draw the table and the bars, again once the ranges are made."""
    waiting = any(draws(one, f"{state.viewer()}/{name}") is None for name, one in saved.items())
    if waited and not waiting:
        st.rerun()
    table = notebook.table(saved, state.viewer())
    ends = [name for name in map(str, table) if name.endswith((" low", " high"))]
    digits = st.column_config.NumberColumn(format="%.2f")
    percent = st.column_config.ProgressColumn(format="percent", min_value=0.0, max_value=1.0)
    columns = dict.fromkeys(notebook.METRICS, digits) | {"probability": percent}
    st.dataframe(table.drop(columns=ends), hide_index=True, column_config=columns)
    with st.grid(3, min_column_width=330):
        for metric in notebook.METRICS:
            with st.container(border=True):
                screens.heading(metric)
                screens.plot(
                    notebook.bars(table, metric), f"{metric} of each run.", f"bar_{metric}"
                )


waits = any(draws(one, f"{state.viewer()}/{name}") is None for name, one in saved.items())
st.fragment(compared, run_every=screens.POLL_S if waits else None)(waits)
with st.container(border=True):
    picked = st.selectbox("A saved run", list(saved), key="picked_run")
    load, pin, drop = st.columns(3)
    load.button("Load into the sidebar", on_click=state.apply, width="stretch",
                args=(saved[picked].model_dump(),))  # fmt: skip
    pin.button("Pin as the baseline A", on_click=state.pin, args=(saved[picked],), width="stretch")
    drop.button("Forget it", on_click=state.forget, args=(picked,), width="stretch")
with st.container(horizontal=True):
    st.download_button("All as one report", partial(notebook.report, saved, state.viewer()),
                       "runs.html", "text/html", on_click="ignore")  # fmt: skip
    st.download_button("All as JSON", partial(notebook.document, saved), "runs.json",
                       "application/json", on_click="ignore")  # fmt: skip
