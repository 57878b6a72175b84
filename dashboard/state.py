"""What one viewer's session holds: choices in the widgets, pinned baseline, faults of the link.

Every widget of the sidebar is bound to the address bar under the name of its choice, and the pinned
baseline lies there too, so the address is a link; the full link adds what lies at its default.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, sleep
from typing import Any, NoReturn

import streamlit as st
from pydantic import ValidationError
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from dashboard import own
from dashboard.choices import Choices
from dashboard.links import BASELINE, VIEW, difference, query, read_query
from dashboard.presets import CUSTOM, preset
from workloads.explain import sentences

_BASELINE = "pinned_baseline"
_FAULTS = "link_faults"
_PAST, _FUTURE = "past_choices", "undone_choices"
_VIEW = "view_of_the_link"
_MINE = "own_files_used"
_SAVED = "saved_runs"
_VALID = "last_valid_choices"
_WAITING = "waiting_changes"
MOST_PAST = 100
"""Choices that Undo goes back through."""
PAUSE_S = 0.5
"""Between the first cards of a session and its first charts [s]."""
SHOW_S = 0.03
"""What a new answer gets to reach the screen ahead of all else [s]."""
PATIENCE_S, LOOK_S = 3.0, 0.01
"""How long a page waits for an answer before it looks now and then, and between two looks [s]."""


def open_link() -> None:
    """Read the address before any widget: baseline, and once per session what is wrong with it.

    The baseline is read again when Back or Forward was pressed.
    """
    entries = st.query_params.to_dict()
    if _FAULTS in st.session_state:
        if came_back():
            st.session_state[_BASELINE] = read_query(entries).baseline
        return
    reading = read_query(entries)
    st.session_state[_FAULTS] = reading.faults
    st.session_state[_BASELINE] = reading.baseline
    st.session_state[_VIEW] = {name: entries[name] for name in VIEW if name in entries}
    wrong = [name for name in Choices.model_fields if name in entries and name in reading.wrong]
    for name in wrong:  # its widget would cut it, or show what cannot be simulated
        del st.query_params[name]
    if wrong:
        st.rerun()  # bound widgets took the address of this run already


def name_wrong_view() -> bool:
    """Name what the link says of this page's own controls and they do not show.

    Call once the page has run; returns whether something new is to be told.
    """
    asked: dict[str, str] = st.session_state.get(_VIEW, {})
    here = {name: asked.pop(name) for name in list(asked) if name in st.session_state}
    wrong = [
        f"{name} must be what this page offers. Got {text!r:.60}."
        for name, text in here.items()
        if not _shows(st.session_state[name], text)
    ]
    st.session_state[_FAULTS] = (*faults(), *wrong)
    return bool(wrong)


def _shows(value: Any, text: str) -> bool:
    """Return whether a control holds what a link says.

    >>> _shows(["model"], "model"), _shows(True, "true"), _shows(5.0, "5"), _shows(None, "x")
    (True, True, True, False)
    """
    held = value if isinstance(value, list | tuple) else [value]
    try:
        return float(text) in held
    except ValueError:
        return text.lower() in [str(one).lower() for one in held]


def came_back() -> bool:
    """Return whether Back or Forward brought this run, so that the address and no control holds."""
    context = get_script_run_ctx()
    return context is not None and bool(context.is_history_navigation)


class PageEnded(Exception):
    """A page has said all it can; what follows every page goes on."""


def end_page() -> NoReturn:
    """End the page here.

    Streamlit's own stop would end the whole run, at the next look at the session's state.
    """
    raise PageEnded


def viewer() -> str:
    """Return the name of this viewer's session."""
    context = get_script_run_ctx()
    return context.session_id if context is not None else ""


def is_watching(viewer: str) -> bool:
    """Return whether a viewer's browser is connected; always outside of a server."""
    return not runtime.exists() or runtime.get_instance().is_active_session(viewer)


def faults() -> tuple[str, ...]:
    """Return what was wrong with the link this session began with."""
    found: tuple[str, ...] = st.session_state[_FAULTS]
    return found


def forget_faults() -> None:
    """Dismiss what was wrong with the link."""
    st.session_state[_FAULTS] = ()


def current() -> Choices:
    """Return the choices as the widgets stand; call after the sidebar.

    Where a number breaks a rule they are the last that broke none; `broken` says which.
    """
    try:
        choices = Choices(**_given())
    except ValidationError:
        return _last_valid()
    st.session_state[_VALID] = choices
    return choices


def is_settled() -> bool:
    """Return whether the sidebar was drawn before, so that its choices are known ahead of it."""
    return not came_back() and all(name in st.session_state for name in Choices.model_fields)


def broken() -> list[str]:
    """Return a sentence for each choice that breaks a rule."""
    try:
        Choices(**_given())
    except ValidationError as error:
        return list(sentences(error))
    return []


def back_to_valid() -> None:
    """Put the last valid choices into the widgets; for callbacks."""
    apply(_last_valid().model_dump())


def _given() -> dict[str, Any]:
    return {name: st.session_state[name] for name in Choices.model_fields}


def _last_valid() -> Choices:
    found: Choices = st.session_state.get(_VALID, Choices())
    return found


def note(choices: Choices) -> None:
    """Remember the choices for Undo; those before, as Back brings them, are taken as undone."""
    past: list[Choices] = st.session_state.setdefault(_PAST, [])
    future: list[Choices] = st.session_state.setdefault(_FUTURE, [])
    if past and past[-1] == choices:
        return
    if len(past) > 1 and past[-2] == choices:
        future.append(past.pop())
        return
    past.append(choices)
    del past[:-MOST_PAST]
    if future and future[-1] == choices:
        future.pop()
    else:
        future.clear()


def can_undo() -> bool:
    """Return whether there are choices to go back to."""
    return len(st.session_state.get(_PAST, ())) > 1


def can_redo() -> bool:
    """Return whether something was undone."""
    return bool(st.session_state.get(_FUTURE))


def undo() -> None:
    """Go back to the choices before; for callbacks."""
    past: list[Choices] = st.session_state[_PAST]
    st.session_state.setdefault(_FUTURE, []).append(past.pop())
    apply(past[-1].model_dump())


def redo() -> None:
    """Take back what was undone last; for callbacks."""
    again: Choices = st.session_state[_FUTURE].pop()
    st.session_state[_PAST].append(again)
    apply(again.model_dump())


def baseline() -> Choices | None:
    """Return the pinned baseline."""
    pinned: Choices | None = st.session_state[_BASELINE]
    return pinned


def pin(choices: Choices | None) -> None:
    """Pin choices as the baseline, or none."""
    st.session_state[_BASELINE] = choices


def show_baseline_in_address(choices: Choices) -> None:
    """Keep the pinned baseline in the address bar, as what differs from the choices."""
    pinned = baseline()
    if pinned is not None:
        st.query_params[BASELINE] = difference(choices, pinned)
    elif BASELINE in st.query_params:
        del st.query_params[BASELINE]


def saved() -> dict[str, Choices]:
    """Return the runs this viewer saved, by name, in the order they were saved."""
    found: dict[str, Choices] = st.session_state.setdefault(_SAVED, {})
    return found


def save(name: str, choices: Choices) -> None:
    """Save a run under a name; one of the same name is replaced. For callbacks."""
    saved()[name.strip()] = choices


def forget(name: str) -> None:
    """Forget a saved run; for callbacks."""
    saved().pop(name, None)


def mine(*names: str) -> tuple[str, ...]:
    """Return the files this viewer brought, after adding some; names of the catalogue are none."""
    found: list[str] = st.session_state.setdefault(_MINE, [])
    found += [name for name in names if own.is_own(name) and name not in found]
    return tuple(found)


def judged() -> own.Brought | None:
    """Return the measurements that the address says are to be judged."""
    name = st.query_params.get(own.JUDGED, "")
    return own.kept(name) if name in own.ids("measured") else None


def apply(changes: dict[str, Any]) -> None:
    """Change some choices; for callbacks, which run before the widgets.

    A button of a part that is drawn alone reaches no widget outside it: its changes wait for the
    whole page, see `settle`.
    """
    context = get_script_run_ctx()
    if context is not None and context.fragment_ids_this_run:
        st.session_state[_WAITING] = dict(changes)
        return
    for name, value in changes.items():
        st.session_state[name] = value


def arrived(is_there: Callable[[], bool]) -> bool:
    """Return whether an answer is there, after waiting for it a moment.

    A move of any control ends the wait, and the run of the page with it.
    """
    until_s = monotonic() + PATIENCE_S
    while not is_there():
        if monotonic() > until_s:
            return False
        sleep(LOOK_S)
        st.session_state.get(_VALID)  # where Streamlit sees whether a control was moved
    return True


def let_it_show() -> None:
    """Leave sender and browser a moment, so that what is drawn so far is seen before the rest."""
    sleep(SHOW_S)


def pause() -> None:
    """Leave the browser a moment to show what it has."""
    sleep(min(PAUSE_S, PATIENCE_S))


def waits() -> bool:
    """Return whether changes wait for the whole page to be drawn."""
    return _WAITING in st.session_state


def settle() -> None:
    """Make the changes that waited; call before any widget."""
    if waits():
        apply(st.session_state.pop(_WAITING))


def apply_preset(name: str) -> None:
    """Set every choice to a preset; "custom" changes nothing."""
    if name != CUSTOM:
        apply(preset(name).model_dump())


def link() -> str:
    """Return the address that reproduces this screen: choices, baseline, and the page's view."""
    entries = st.query_params.to_dict()
    view = {name: entries[name] for name in entries if name not in Choices.model_fields}
    view.pop(BASELINE, None)
    return f"{(st.context.url or '').partition('?')[0]}?{query(current(), baseline(), view)}"


def address() -> str:
    """Return the address under which this dashboard was opened."""
    return (st.context.url or "").partition("?")[0].rpartition("/")[0] + "/"
