"""Choices as text: a link that reproduces the screen, a command line, a scenario file.

A link carries every choice, so it keeps its meaning when a default changes. What a link holds that
is not valid keeps its default and is named; nothing is replaced in silence.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from math import inf
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

import yaml
from pydantic import ValidationError

from dashboard import own
from dashboard.choices import Choices
from dashboard.options import options
from workloads.errors import did_you_mean
from workloads.explain import sentences
from workloads.scenario import DEFAULT

BASELINE = "baseline"
"""Name of the entry of a link that holds the pinned baseline."""
VIEW = ("phase", "decode_per", "view", "tornado_metric", "across", "up", "exhibit", "errors_by",
        "sweep_axes", "fan_axis", "solve_for", "solve_by_memory", own.JUDGED, "evidence_metric",
        "network", "network_weights", "network_calls", "network_a", "network_a_weights",
        "network_ms", "network_mj")  # fmt: skip
"""Entries of a link that say what a page shows, beside the choices."""
BASELINE_FILE = "baseline.yaml"
"""Name of the pinned baseline as the Report page saves it."""


class Reading(NamedTuple):
    """What a link holds: choices, the pinned baseline if any, and a sentence per bad entry.

    ``wrong`` names the entries that the sentences are about.
    """

    choices: Choices
    baseline: Choices | None
    faults: tuple[str, ...]
    wrong: tuple[str, ...] = ()


def query(
    choices: Choices, baseline: Choices | None = None, view: Mapping[str, str] | None = None
) -> str:
    """Return the query string of a link; the baseline as what differs from the choices.

    ``view`` holds what the page itself shows, such as the phase of the timeline.

    >>> query(Choices(), Choices(body="w8")).rpartition("&")[2]
    'baseline=body%3Dw8'
    """
    entries = _texts(choices) | dict(view or {})
    if baseline is not None:
        entries[BASELINE] = difference(choices, baseline)
    return urlencode(entries)


def difference(choices: Choices, baseline: Choices) -> str:
    """Return what differs in the baseline, as an entry of a link holds it.

    >>> difference(Choices(), Choices(body="w8"))
    'body=w8'
    """
    ours = _texts(choices)
    return urlencode({name: text for name, text in _texts(baseline).items() if text != ours[name]})


def read_query(entries: Mapping[str, str]) -> Reading:
    """Return what the entries of a link stand for.

    >>> read_query({"body_bits": "99"}).faults
    ("body_bits must be less than or equal to 16. Got '99'.",)
    """
    own = {name: text for name, text in entries.items() if name not in (BASELINE, *VIEW)}
    choices, faults = _choices(own)
    wrong = tuple(name for name, fault in faults.items() if fault)
    said = tuple(fault for fault in faults.values() if fault)
    if "view" in entries and not window(entries["view"]):
        said += (f"view must be two numbers of seconds. Got {entries['view']!r:.60}.",)
    if BASELINE not in entries:
        return Reading(choices, None, said, wrong)
    pairs = dict(parse_qsl(entries[BASELINE], keep_blank_values=True))
    baseline, more = _choices(_texts(choices) | pairs)
    said += tuple(f"{BASELINE}: {fault}" for fault in more.values() if fault)
    return Reading(choices, baseline, said, wrong)


def window(text: str) -> list[float]:
    """Return the two ends of the timeline's window as a link writes them [s]; else nothing.

    >>> window("0.5,2e0"), window("nan,inf"), window("2,1")
    ([0.5, 2.0], [], [])
    """
    try:
        start_s, end_s = (float(part) for part in text.split(","))
    except ValueError:
        return []
    return [start_s, end_s] if -inf < start_s < end_s < inf else []


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
    names = {key: getattr(choices, key) for key in ("device", "model")}
    files = {key: own.kept(name).path.name for key, name in names.items() if own.is_own(name)}
    return choices.mapping() | files


def _texts(choices: Choices) -> dict[str, str]:
    return {name: str(value) for name, value in choices.model_dump().items()}


def _choices(entries: Mapping[str, str]) -> tuple[Choices, dict[str, str | None]]:
    """Return the choices of good entries, and what is wrong with each, ``None`` if nothing."""
    faults = {name: _fault(name, text, entries) for name, text in entries.items()}
    good = {name: text for name, text in entries.items() if faults[name] is None}
    return Choices.model_validate(good), faults


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
