"""What Explore asks beside the run: how far a setting can go, and how likely it is on the way."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard import limits, progress, screens, state
from dashboard.charts.fan import fan
from dashboard.choices import Choices
from dashboard.jobs import Job
from dashboard.remedies import known_remedies
from dashboard.runs import targets
from sim.wording import PASSES


def remedies_box() -> Any:
    """Draw the box in which `remedies` come when they are found, and return it."""
    box = st.container(border=True)
    with box:
        screens.heading("Cheapest change that passes")
    return box


def remedies(box: Any, choices: Choices) -> bool:
    """Draw the cheapest changes that pass, each with its button; return whether they are late."""
    viewer = state.viewer()
    is_late = not state.arrived(lambda: known_remedies(choices, viewer) is not None)
    found = known_remedies(choices, viewer)
    with box:
        if found is None:
            st.caption("Trying changes, one by one …")
        elif not found:
            st.markdown(
                "No one or two of the changes that are tried pass; the Trade-offs page sweeps more."
            )
        if found:
            st.caption("Over the ranges of the device it may be MARGINAL; Apply draws how likely.")
        for index, remedy in enumerate(found or ()):
            text, button = st.columns([5, 1], vertical_alignment="center")
            said = remedy.text[:1].upper() + remedy.text[1:]
            text.markdown(f"**{said}** (costs: {remedy.cost}) {PASSES}: {remedy.answer}")
            button.button(
                "Apply",
                key=f"remedy_{index}",
                on_click=state.apply,
                args=(remedy.changes,),
                help=remedy.text,
                width="stretch",
            )
    return is_late


def solve_for(choices: Choices) -> None:
    """Offer to solve for a setting and show the answer with a button that applies it."""
    with st.container(border=True):
        screens.heading("How far can it go?")
        name = st.pills("Solve for", list(limits.SETTINGS), key="solve_for", bind="query-params")
        if name is None:
            return
        by_memory = st.toggle(
            "Memory alone, not the targets", key="solve_by_memory", bind="query-params"
        )
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
