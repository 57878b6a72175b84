"""The sidebar: every choice as a widget bound to the address, in groups a person would look for."""

from __future__ import annotations

from functools import cache
from math import inf, isclose

import streamlit as st

from dashboard import own, state
from dashboard.choices import (
    BY_BITS,
    MOST_CHARACTERS,
    STACK_DEFAULT,
    WEIGHT_CLASSES,
    Choices,
    default,
    has_keep,
    limits,
)
from dashboard.labels import LABELS
from dashboard.links import command_line, scenario_yaml
from dashboard.options import options
from dashboard.presets import CUSTOM, PRESETS, preset_of
from hw_models.files import read_head
from hw_models.soc import load_soc
from sim.charts.frame import BASELINE

STEPS = {
    **dict.fromkeys(("lm_head_bits", "embedding_bits", "vision_bits"), 0.5),
    "body_bits": 0.1,
    "keep": 0.05,
    "acceptance": 0.05,
    "image_width_px": 28,
    "image_height_px": 28,
    "prompt_tokens": 64,
    "output_tokens": 64,
    "context_tokens": 1024,
    "app_budget_gib": 0.5,
    "clock_fraction": 0.05,
    "most_first_token_s": 0.25,
    "least_tokens_per_s": 5.0,
}


def sidebar() -> Choices:
    """Draw the sidebar and return the choices it holds."""
    with st.sidebar:
        top = st.container()
        _select("model", options(_device())["model"])
        _named_device(options(_device())["device"])
        _select("stack", options(_device())["stack"])
        _targets()
        _task()
        _weights()
        _kv_cache()
        _mechanisms()
        _environment()
        choices = state.current()
        state.note(choices)
        with top:
            _presets(choices)
            _share(choices)
    state.show_baseline_in_address(choices)
    return choices


def baseline_sentence(choices: Choices, pinned: Choices) -> str:
    """Return how the pinned baseline differs from the choices.

    >>> baseline_sentence(Choices(model="andesvl-1b"), Choices())
    'A, pinned, has Model andesvl-4b.'
    """
    theirs = [
        f"{LABELS[name]} {getattr(pinned, name)}".strip()
        for name in Choices.model_fields
        if getattr(pinned, name) != getattr(choices, name)
    ]
    if not theirs:
        return f"{BASELINE}, is what the sidebar shows: change something to compare."
    return f"{BASELINE}, has {', '.join(theirs)}."


def _device() -> str:
    """Return the device chosen before this run; its stacks are the options."""
    known = options(default("device"))["device"]
    given = str(st.session_state.get("device", st.query_params.get("device", "")))
    return given if given in known else str(default("device"))


def _stack() -> str:
    """Return the chosen stack, the device's own where none is chosen."""
    chosen = str(st.session_state["stack"])
    return load_soc(own.place(_device())).default_stack if chosen == STACK_DEFAULT else chosen


def _presets(choices: Choices) -> None:
    """Offer the presets; what the choices are now is selected."""
    now = preset_of(choices)
    names = [*PRESETS, *([CUSTOM] if now == CUSTOM else [])]
    st.session_state["preset"] = now
    st.selectbox(
        "Preset",
        names,
        key="preset",
        on_change=lambda: state.apply_preset(st.session_state["preset"]),
        help="Sets every control. Shows 'custom' once a control differs.",
    )


def _targets() -> None:
    with st.expander("Targets and memory", expanded=True):
        _number("most_first_token_s")
        _number("least_tokens_per_s")
        _number("app_budget_gib")


def _task() -> None:
    with st.expander("Task", expanded=True):
        left, right = st.columns(2)
        with left:
            _number("images")
        left, right = st.columns(2)
        with left:
            _number("image_width_px")
        with right:
            _number("image_height_px")
        left, right = st.columns(2)
        with left:
            _number("prompt_tokens")
        with right:
            _number("output_tokens")


def _weights() -> None:
    with st.expander("Weights", expanded=True):
        theirs = load_soc(own.place(_device())).stack(_stack()).defaults
        said = ", ".join(f"{LABELS[name]} {getattr(theirs, name)}" for name in WEIGHT_CLASSES)
        st.caption(f"Default of {_stack()}: {said}.")
        _select("body", options(_device())["body"])
        _slider_with_box("body_bits", 0.1, disabled=st.session_state["body"] != BY_BITS)
        for name in WEIGHT_CLASSES[1:]:
            left, right = st.columns([3, 2])
            with left:
                _select(name, options(_device())[name])
            with right:
                _number(f"{name}_bits", disabled=st.session_state[name] != BY_BITS)


def _kv_cache() -> None:
    with st.expander("KV cache and context", expanded=True):
        _number("context_tokens")
        _select("kv_dtype", options(_device())["kv_dtype"])
        _select("eviction", options(_device())["eviction"])
        _slider_with_box("keep", 0.05, disabled=not has_keep(st.session_state["eviction"]))


def _mechanisms() -> None:
    with st.expander("Speculation and adapters"):
        _select("speculation", options(_device())["speculation"])
        drafts = st.session_state["speculation"] != "none"
        _number("depth", disabled=not drafts)
        _slider_with_box("acceptance", 0.05, disabled=not drafts)
        _number("adapters")
        _number("rank", disabled=not st.session_state["adapters"])


def _environment() -> None:
    with st.expander("Environment and device"):
        _number("ambient_c")
        _select("background", options(_device())["background"])
        _select("start", options(_device())["start"])
        _number("clock_fraction")
        unit = load_soc(own.place(_device())).stack(_stack()).unit
        _number("threads", disabled=unit != "cpu")
        st.text_input(
            LABELS["what_if"],
            max_chars=MOST_CHARACTERS,
            key="what_if",
            bind="query-params",
            help="Parameters by dotted path, e.g. dram.rate=9.6 GT/s; see Assumptions.",
        )


def _share(choices: Choices) -> None:
    back, forth, reset = st.columns([1, 1, 2])
    back.button(
        "Undo",
        icon=":material/undo:",
        key="undo",
        on_click=state.undo,
        disabled=not state.can_undo(),
        help="Back to the choices before",
        width="stretch",
    )
    forth.button(
        "Redo",
        icon=":material/redo:",
        key="redo",
        on_click=state.redo,
        disabled=not state.can_redo(),
        help="Take back what was undone",
        width="stretch",
    )
    reset.button("Reset", on_click=state.apply_preset, args=("balanced",), width="stretch")
    pinned = state.baseline() is not None
    st.button(
        "Unpin baseline" if pinned else "Pin baseline",
        key="pin",
        on_click=state.pin,
        args=(None if pinned else choices,),
        width="stretch",
        help="Later numbers are compared with these choices.",
    )
    with st.popover("Copy link, command or scenario", width="stretch"):
        st.caption("Link with every choice and the baseline")
        st.code(state.link(), language=None, wrap_lines=True)
        st.caption("The same numbers from the command line")
        st.code(command_line(choices), language=None, wrap_lines=True)
        st.download_button(
            "Download scenario YAML",
            scenario_yaml(choices),
            "scenario.yaml",
            "application/yaml",
            on_click="ignore",
        )


def _named_device(allowed: tuple[str, ...]) -> None:
    """Draw the devices by name and id, so that both are found by typing.

    A bound list writes into the address what it shows, so the bound one, of ids, is not seen.
    """
    with st.container(key="bound_device"):
        st.html("<style>.st-key-bound_device {display: none}</style>")
        _select("device", allowed)
    # in every run: of one that was cut short, the browser may not have been told
    st.session_state["named_device"] = st.session_state["device"]
    st.selectbox(
        LABELS["device"],
        _reachable("device", allowed),
        format_func=_name_and_id,
        key="named_device",
        on_change=lambda: state.apply({"device": st.session_state["named_device"]}),
        help=_name_and_id(_device()),
    )


@cache
def _name_and_id(device: str) -> str:
    """Return what the list shows: first what a narrow list must not cut, last the maker's number.

    A file of one's own has its id first.
    """
    name = read_head(own.place(device)).get("name", device)
    if own.is_own(device):
        return f"{device}: {name}"
    said, _, number = name.removesuffix(")").partition(" (")
    return f"{said} ({', '.join(filter(None, (device, number)))})"


def _reachable(name: str, allowed: tuple[str, ...]) -> tuple[str, ...]:
    """Return the options without files that others brought."""
    mine = (*state.mine(), str(st.session_state.get(name, st.query_params.get(name, ""))))
    return tuple(one for one in allowed if not own.is_own(one) or one in mine)


def _select(name: str, allowed: tuple[str, ...]) -> None:
    allowed = _reachable(name, allowed)
    index = allowed.index(str(default(name)))
    st.selectbox(LABELS[name], allowed, index, key=name, bind="query-params")


def _number(name: str, disabled: bool = False) -> None:
    """Draw a number box; it takes any number, and the page says which break a rule."""
    kind = type(default(name))
    st.number_input(
        LABELS[name],
        value=default(name),
        step=kind(STEPS.get(name, 1)),
        format="%d" if kind is int else "%.4g",
        key=name,
        bind="query-params",
        disabled=disabled,
    )


def _slider_with_box(name: str, step: float, disabled: bool = False) -> None:
    """Draw a slider to drag and a box to type into; the box holds the number.

    The slider is moved only where it stands elsewhere, lest it jump back under a quick hand.
    """
    lowest, highest = limits(name)
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    with right:
        _number(name, disabled)
    hand = f"{name}_slider"
    held = min(max(float(st.session_state[name]), lowest), highest)
    if not isclose(st.session_state.get(hand, -inf), held, rel_tol=1e-9):
        st.session_state[hand] = held
    left.slider(
        LABELS[name],
        float(lowest),
        float(highest),
        step=step,
        key=hand,
        on_change=lambda: state.apply({name: round(st.session_state[hand], 6)}),
        disabled=disabled,
        label_visibility="collapsed",
    )
