"""What Explore asks beside the run: how far a setting can go, and how likely it is on the way."""

from __future__ import annotations

import streamlit as st

from dashboard import limits, progress, screens, state
from dashboard.charts.fan import fan
from dashboard.choices import Choices
from dashboard.jobs import Job
from dashboard.runs import targets


def solve_for(choices: Choices) -> None:
    """Offer to solve for a setting and show the answer with a button that applies it."""
    with st.container(border=True):
        screens.heading("How far can it go?")
        name = st.pills("Solve for", list(limits.SETTINGS), key="solve_for", bind="query-params")
        if name is None:
            return
        by_memory = st.toggle("Memory alone, not the targets", key="solve_by_memory")
        with st.spinner("Searching", show_time=True):
            answer = screens.made_or_none_saying(
                lambda: limits.found(choices, str(name), by_memory), "This cannot be searched."
            )
        if answer is None:
            return
        text, button = st.columns([5, 1], vertical_alignment="center")
        text.markdown(answer.said)
        if answer.changes:
            button.button(
                "Apply",
                key="apply_limit",
                on_click=state.apply,
                args=(answer.changes,),
                width="stretch",
            )


def fans(choices: Choices) -> None:
    """Offer a fan along one setting; it is made point by point and stays while only that moves."""
    with st.container(border=True):
        screens.heading("How likely is it along the way?")
        name = st.pills("Along", list(limits.FANS), key="fan_axis", bind="query-params")
        if name is None:
            return
        setting = limits.SETTINGS[name]
        fixed = choices.changed(**setting.changes(choices, setting.reach[0]))
        key = (fixed, name)
        held = st.session_state.get("job_fan")
        begin = held is None or held[0] != key
        job = progress.job("fan", key, lambda: limits.fan(fixed, name), asked=begin)

        def draw(found: Job[dict[str, object]]) -> None:
            if found.pieces:
                drawn = fan(found.pieces, targets(choices), setting.now(choices),
                            f"{name} [{setting.unit}]" if setting.unit else name)  # fmt: skip
                screens.plot(drawn, f"Ranges and probabilities along the {name}.", key="fan")

        if job is not None:
            progress.watch("fan", job, draw, "Drawing devices")
