"""Choices as text: a link that reproduces the screen, a command line, a scenario file.

A link carries every choice, so it keeps its meaning when a default changes. What a link holds that
is not valid keeps its default and is named; nothing is replaced in silence.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

import yaml
from pydantic import ValidationError

from dashboard.choices import Choices
from dashboard.options import options
from workloads.errors import did_you_mean
from workloads.explain import sentences
from workloads.scenario import DEFAULT

BASELINE = "baseline"
"""Name of the entry of a link that holds the pinned baseline."""
WHAT_IF_DEVICE = "what_if_device.yaml"
"""Name under which the Assumptions page saves the device with its what-if values."""


class Reading(NamedTuple):
    """What a link holds: choices, the pinned baseline if any, and a sentence per bad entry."""

    choices: Choices
    baseline: Choices | None
    faults: tuple[str, ...]


def query(choices: Choices, baseline: Choices | None = None) -> str:
    """Return the query string of a link; the baseline as what differs from the choices.

    >>> query(Choices(), Choices(body="w8")).rpartition("&")[2]
    'baseline=body%3Dw8'
    """
    entries = _texts(choices)
    if baseline is not None:
        theirs = _texts(baseline)
        entries[BASELINE] = urlencode(
            {name: text for name, text in theirs.items() if text != entries[name]}
        )
    return urlencode(entries)


def read_query(entries: Mapping[str, str]) -> Reading:
    """Return what the entries of a link stand for.

    >>> read_query({"body_bits": "99"}).faults
    ("body_bits must be less than or equal to 16. Got '99'.",)
    """
    own = {name: text for name, text in entries.items() if name != BASELINE}
    choices, faults = _choices(own)
    if BASELINE not in entries:
        return Reading(choices, None, faults)
    pairs = dict(parse_qsl(entries[BASELINE], keep_blank_values=True))
    baseline, more = _choices(_texts(choices) | pairs)
    return Reading(choices, baseline, faults + tuple(f"{BASELINE}: {fault}" for fault in more))


def command_line(choices: Choices) -> str:
    """Return the command that gives the same numbers.

    >>> command_line(Choices(prompt_tokens=512))
    'andesim simulate --set session.turns.0.prompt_tokens=512'
    """
    settings = [f"--set {shlex.quote(override)}" for override in overrides(choices)]
    return " ".join(["andesim simulate", *settings])


def overrides(choices: Choices) -> list[str]:
    """Return what the choices change of the default scenario, as `--set` takes it.

    >>> overrides(Choices(prompt_tokens=512))
    ['session.turns.0.prompt_tokens=512']
    """
    ours, theirs = dict(_leaves(DEFAULT)), dict(_leaves(_mapping(choices)))
    changed = {path: value for path, value in theirs.items() if ours.get(path) != value}
    changed |= {path: None for path in ours if path not in theirs}
    return [f"{path}={_flow(value)}" for path, value in changed.items()]


def scenario_yaml(choices: Choices) -> str:
    """Return the scenario file of the choices."""
    return yaml.safe_dump(_mapping(choices), sort_keys=False)


def _mapping(choices: Choices) -> dict[str, Any]:
    """Return the scenario; what-if values lie in a device file, `WHAT_IF_DEVICE`, that it names."""
    device = {"device": WHAT_IF_DEVICE} if choices.what_if else {}
    return choices.mapping() | device


def _texts(choices: Choices) -> dict[str, str]:
    return {name: str(value) for name, value in choices.model_dump().items()}


def _choices(entries: Mapping[str, str]) -> tuple[Choices, tuple[str, ...]]:
    faults = {name: _fault(name, text, entries) for name, text in entries.items()}
    good = {name: text for name, text in entries.items() if faults[name] is None}
    return Choices.model_validate(good), tuple(fault for fault in faults.values() if fault)


def _fault(name: str, text: str, entries: Mapping[str, str]) -> str | None:
    """Say what is wrong with one entry of a link, or nothing."""
    if name not in Choices.model_fields:
        return f"{name!r:.40} is not a known choice. {did_you_mean(name, Choices.model_fields)}"
    allowed = options(entries.get("device", Choices().device)).get(name)
    if allowed and text not in allowed:
        return f"{name} must be a known option. Got {text!r:.60}. {did_you_mean(text, allowed)}"
    try:
        Choices.model_validate({name: text})
    except ValidationError as error:
        return sentences(error)[0]
    return None


def _leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted path and value of what lies in mappings, and in the list of turns."""
    if isinstance(node, Mapping):
        for name, child in node.items():
            yield from _leaves(child, f"{path}.{name}" if path else name)
    elif path == "session.turns":
        for index, child in enumerate(node):
            yield from _leaves(child, f"{path}.{index}")
    else:
        yield path, node


def _flow(value: Any) -> str:
    """Return a value as YAML on one line.

    >>> _flow([[1080, 2400]]), _flow("w4"), _flow(None)
    ('[[1080, 2400]]', 'w4', '[]')
    """
    if value is None:  # a list that the default scenario has and this one has not
        return "[]"
    return yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("...\n").strip()
