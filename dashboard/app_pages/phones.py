"""Which phone, which stack?"""

import streamlit as st

from dashboard import phones, progress, screens, state
from dashboard.jobs import Job
from dashboard.runs import targets
from sim.charts.frame import DARK_THEME, INK

INK_DARK = DARK_THEME[INK]
choices = state.current()
chosen = st.multiselect("Phones", phones.known(), phones.first(), key="wall_phones")
metric = st.segmented_control(
    "Number", list(phones.METRICS), default="tokens_per_s", key="wall_metric", required=True,
    format_func=lambda name: phones.METRICS[name][0],
)  # fmt: skip
every_stack = st.toggle("Every stack of each phone", key="wall_every_stack")
limits = {item.metric: item.limit for item in targets(choices)}


def drawn(found: Job[phones.Mark]) -> None:
    """Draw the phones that are done."""
    marks = phones.latest(found.pieces)
    ink = INK_DARK if st.context.theme.type == "dark" else INK
    passing = [mark for mark in marks if mark.status == "PASS"]
    if not marks:
        return
    waiting = sum(not mark.is_drawn for mark in marks)
    later = f"{waiting} of them are judged on central numbers until theirs are drawn. "
    st.markdown(
        f"**{len(passing)} of {len(marks)} phones and stacks pass.** {later if waiting else ''}"
        "Bars hold 80 % of the draws, the dashed line is the target. ●●● validated, ●●○ partly, "
        "○○○ unvalidated."
    )
    top = phones.most(marks, metric)
    with st.grid(4, min_column_width=250, gap="small"):
        for own in phones.grouped(marks):
            with st.container(border=True, height="stretch", gap=None):
                st.markdown(f"**{own[0].name}**")
                st.image(
                    phones.picture(own, metric, top, limits.get(metric, 0.0), ink),
                    alt=phones.told(own, metric),
                )
                st.button(
                    "Take it",
                    key=f"take_{own[0].device}",
                    on_click=state.apply,
                    args=({"device": own[0].device, "stack": own[0].stack, "what_if": ""},),
                    type="tertiary",
                    help=f"Puts {own[0].name} with {own[0].stack} into the sidebar.",
                )
    percent = st.column_config.ProgressColumn(format="percent", min_value=0.0, max_value=1.0)
    digits = st.column_config.NumberColumn(format="%.2f")
    columns = {"probability": percent, "first token [s]": digits, "tokens/s": digits,
               "stack": st.column_config.TextColumn(width=170)}  # fmt: skip
    listed = phones.ordered(marks)
    picked = st.dataframe(
        phones.rows(listed),
        hide_index=True,
        column_config=columns,
        on_select="rerun",
        selection_mode="single-row",
        key="wall_rows",
    ).selection.rows
    if picked and picked[0] < len(listed):
        st.code(listed[picked[0]].reason, language=None, wrap_lines=True)
    else:
        st.caption("Choose a row to read why it has its verdict.")


screens.result_or_stop(choices)
question = (
    choices.changed(device="dimensity_9500", stack="default", what_if=""),
    tuple(chosen),
    every_stack,
)
held = st.session_state.get("job_wall")
job = progress.job(
    "wall",
    question,
    lambda: phones.wall(choices, chosen, every_stack),
    asked=held is None or held[0] != question,
)
if job is not None:
    progress.watch("wall", job, drawn, "Asking phones")
