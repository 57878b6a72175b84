"""What a sizing question may move: short words for settings, and what numbers a setting takes.

A setting is a dotted path of the scenario. Some questions mean more than one path at once (the side
of every image, how many images); those have a short word here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sim.errors import SimError
from workloads.errors import WorkloadError, did_you_mean
from workloads.scenario import Scenario, with_override

PATHS = {
    "prompt": "session.turns.0.prompt_tokens",
    "output": "session.turns.0.output_tokens",
    "context": "deployment.kv_cache.capacity_tokens",
    "ambient": "environment.ambient_c",
    "clock": "environment.clock_fraction",
    "threads": "deployment.threads",
    "budget": "environment.app_budget_bytes",
    "keep": "deployment.kv_cache.eviction.keep",
    "depth": "deployment.speculation.depth",
}
"""Short words for single settings."""

OF_THE_TURN = {"prompt", "output", "images", "image_side", "adapters"}
"""Short words of what the first turn asks."""
UNITS = {
    "_bytes": "B",
    "_tokens": "tokens",
    "_px": "px",
    "_c": "°C",
    "_s": "s",
    "_w": "W",
    "depth": "drafts",
}
"""Endings of paths, and the unit of what stands there."""

NEEDED = {
    "keep": ("a policy", "'deployment.kv_cache.eviction={policy: okv, keep: 0.5}'"),
    "depth": (
        "a draft method",
        "'deployment.speculation={method: eagle, acceptance: {alpha: 0.7}}'",
    ),
}
"""Short words of settings within something that a scenario need not have, and how to give it."""

MOST_ADAPTERS = 1_000
"""More are refused: each is a turn of its own."""


@dataclass(frozen=True, slots=True)
class Scale:
    """One setting as a number.

    Attributes
    ----------
    name
        The word or dotted path it was asked by.
    put
        Returns the scenario's mapping with the setting at a value.
    start
        Where a search begins: the scenario's own value, or 1.
    step
        Values are multiples of it: 1 for whole numbers; 0: any number.
    unit
        Of its values, in SI; empty for counts and shares.
    least
        Smaller values mean nothing.
    """

    name: str
    put: Callable[[Mapping[str, Any], int | float], Mapping[str, Any]]
    start: float
    step: float
    unit: str = ""
    least: float = -math.inf

    @property
    def whole(self) -> bool:
        """Whether only whole numbers make sense."""
        return self.step == 1.0

    def rounded(self, value: float) -> float:
        """Return the nearest value the setting can take."""
        return round(round(value / self.step) * self.step, 9) if self.step else value

    def scenario(self, base: Mapping[str, Any], value: float) -> Scenario:
        """Return the scenario at a value; `WorkloadError` where it breaks a rule."""
        return Scenario.from_mapping(self.put(base, int(value) if self.whole else value))


def scale_of(name: str, base: Scenario) -> Scale:
    """Return the setting that a word or a dotted path names.

    Raises `SimError` where no scenario has such a setting, or where it holds no number.
    """
    _check_needed(name, base)
    if name == "images":
        count = float(len(_first_images(base)) or 1)
        return Scale(name, _with_images, count, 1.0, least=0.0)
    if name == "image_side":
        sides = [max(image) for image in _first_images(base)]
        return Scale(name, _with_side, float(max(sides, default=448)), 1.0, "px", 1.0)
    if name == "bits":
        return Scale(name, _with_bits, 8.0, 0.1, "bits per weight")
    if name == "adapters":
        lora = base.deployment.lora
        count = float(len(lora.adapters) if lora else 1)
        return Scale(name, _with_adapters, count, 1.0, least=1.0)
    path = PATHS.get(name, name)
    start = _start(name, path, base)
    unit = next((unit for ending, unit in UNITS.items() if path.endswith(ending)), "")
    least = -math.inf if unit == "°C" else 0.0

    def put(mapping: Mapping[str, Any], value: float) -> Mapping[str, Any]:
        return with_override(mapping, path, value)

    return Scale(name, put, *start, unit, least)


def _check_needed(name: str, base: Scenario) -> None:
    """Raise SimError, with the remedy, where a word stands for a part the scenario lacks."""
    if name in OF_THE_TURN and base.session.clients:
        path = f"session.clients.{next(iter(base.session.clients))}.turns.0.prompt_tokens"
        raise SimError(
            f"{name} must be asked of a session of turns. Got clients. "
            f"Remedy: a dotted path such as {path}, or a scenario of one turn."
        )
    if name in NEEDED and _value(base.model_dump(), PATHS[name]) is None:
        what, remedy = NEEDED[name]
        raise SimError(f"{name} must have {what}. Got none. Remedy: --set {remedy}")


def _start(name: str, path: str, base: Scenario) -> tuple[float, float]:
    """Return a value the setting may hold, and the step between those it may hold."""
    mapping = base.model_dump(mode="json", exclude_defaults=True)
    now = _value(base.model_dump(), path)
    if isinstance(now, bool) or not isinstance(now, int | float | None):
        raise SimError(f"{name} must be a number to be solved for. Got {now!r}.")
    tried = [now] if now is not None else [1, 1024, 10**9, 0.5]
    allowed = [value for value in tried if _is_valid(mapping, path, value)]
    if not allowed:
        raise SimError(f"{name} must be a setting of the scenario. {_hint(name, mapping, path)}")
    whole = isinstance(now, int | None) and not _is_valid(mapping, path, allowed[0] + 0.5)
    return float(allowed[0]), float(whole)


def _value(node: Any, path: str) -> Any:
    """Return what a complete scenario holds at a path; ``None``: nothing, or no such place."""
    for part in path.split("."):
        if isinstance(node, Mapping):
            node = node.get(part)
        elif isinstance(node, list | tuple) and part.isdecimal() and int(part) < len(node):
            node = node[int(part)]
        else:
            return None
    return node


def _is_valid(mapping: Mapping[str, Any], path: str, value: float) -> bool:
    try:
        Scenario.from_mapping(with_override(mapping, path, value))
    except WorkloadError:
        return False
    return True


def _hint(name: str, mapping: Mapping[str, Any], path: str) -> str:
    """Return why the path takes no number, with the nearest word."""
    words = [*PATHS, "images", "image_side", "bits", "adapters"]
    try:
        Scenario.from_mapping(with_override(mapping, path, 1))
    except WorkloadError as error:
        return f"Got {name!r}: {error} {did_you_mean(name, words)}"
    return f"Got {name!r}. {did_you_mean(name, words)}"


def _first_images(base: Scenario) -> list[tuple[int, int]]:
    turns = base.session.turns
    return list(turns[0].images_px) if turns else []


def _with_images(mapping: Mapping[str, Any], value: float) -> Mapping[str, Any]:
    """Return the scenario whose first turn has so many images, each like its first."""
    given = _value(mapping, "session.turns.0.images_px") or [[1080, 2400]]
    return with_override(mapping, "session.turns.0.images_px", [given[0]] * int(value))


def _with_side(mapping: Mapping[str, Any], value: float) -> Mapping[str, Any]:
    """Return the scenario whose first turn's images are scaled to a longer side [px]."""
    given = _value(mapping, "session.turns.0.images_px") or [[448, 448]]
    scaled = [[max(1, round(side * value / max(image))) for side in image] for image in given]
    return with_override(mapping, "session.turns.0.images_px", scaled)


def _with_bits(mapping: Mapping[str, Any], value: float) -> Mapping[str, Any]:
    """Return the scenario whose decoder has so many bits per weight."""
    return with_override(mapping, "deployment.weights.body", f"bpw{value:g}")


def _with_adapters(mapping: Mapping[str, Any], value: float) -> Mapping[str, Any]:
    """Return the scenario with so many adapters, its own first, and a turn like the first for each.

    An adapter takes memory once a turn has asked for it, and then stays: none is put away. Raises
    `WorkloadError` for more than `MOST_ADAPTERS`.
    """
    if value > MOST_ADAPTERS:
        raise WorkloadError(f"adapters must be at most {MOST_ADAPTERS}. Got {value:.0f}.")
    own = list(_value(mapping, "deployment.lora.adapters") or [])
    names = [*own, *(f"adapter {index}" for index in range(len(own), int(value)))][: int(value)]
    first = _value(mapping, "session.turns.0") or {}
    turns = [{**first, "adapter": name, "fresh": index > 0} for index, name in enumerate(names)]
    resident = with_override(mapping, "deployment.lora.resident", None)
    adapted = with_override(resident, "deployment.lora.adapters", names)
    return with_override(adapted, "session.turns", turns)
