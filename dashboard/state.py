"""What one viewer's session holds: choices in the widgets, pinned baseline, faults of the link.

Every widget of the sidebar is bound to the address bar under the name of its choice, so the
address is a link; the full link adds what lies at its default, and the baseline.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard.choices import Choices
from dashboard.links import BASELINE, query, read_query
from dashboard.presets import CUSTOM, preset

_BASELINE = "pinned_baseline"
_FAULTS = "link_faults"
_REPORTED = "reported_choices"


def open_link() -> None:
    """Read the address once per session, before any widget: baseline, and what is wrong."""
    if _FAULTS in st.session_state:
        return
    entries = st.query_params.to_dict()
    reading = read_query(entries)
    st.session_state[_FAULTS] = reading.faults
    st.session_state[_BASELINE] = reading.baseline
    if BASELINE in st.query_params:
        del st.query_params[BASELINE]
    if reading.choices.what_if != entries.get("what_if", ""):
        del st.query_params["what_if"]  # too long: its widget would cut it and not drop it
        st.rerun()  # bound widgets took the address of this run already


def faults() -> tuple[str, ...]:
    """Return what was wrong with the link this session began with."""
    found: tuple[str, ...] = st.session_state[_FAULTS]
    return found


def forget_faults() -> None:
    """Dismiss what was wrong with the link."""
    st.session_state[_FAULTS] = ()


def current() -> Choices:
    """Return the choices as the widgets stand; call after the sidebar."""
    return Choices(**{name: st.session_state[name] for name in Choices.model_fields})


def baseline() -> Choices | None:
    """Return the pinned baseline."""
    pinned: Choices | None = st.session_state[_BASELINE]
    return pinned


def pin(choices: Choices | None) -> None:
    """Pin choices as the baseline, or none."""
    st.session_state[_BASELINE] = choices


def note_report(choices: Choices) -> None:
    """Remember which choices the report was asked for."""
    st.session_state[_REPORTED] = choices


def reported() -> Choices | None:
    """Return the choices the report was asked for."""
    found: Choices | None = st.session_state.get(_REPORTED)
    return found


def apply(changes: dict[str, Any]) -> None:
    """Change some choices; for callbacks, which run before the widgets."""
    for name, value in changes.items():
        st.session_state[name] = value


def apply_preset(name: str) -> None:
    """Set every choice to a preset; "custom" changes nothing."""
    if name != CUSTOM:
        apply(preset(name).model_dump())


def link() -> str:
    """Return the address that reproduces this screen."""
    return f"{(st.context.url or '').partition('?')[0]}?{query(current(), baseline())}"
