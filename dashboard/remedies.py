"""The cheapest change that passes, `sim.explore.remedies`, as choices of the sidebar."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dashboard.choices import BY_BITS, Choices
from dashboard.elsewhere import elsewhere
from dashboard.runs import REMEMBERED, SETTLE_S, run, targets
from dashboard.workers import Superseded, Worker
from sim.explore import remedies as changes
from sim.explore.remedies import MOST_SHOWN, Change

__all__ = ["MOST_SHOWN", "Remedy", "known_remedies", "remedies"]

SAME = {
    "model": "model",
    "stack": "stack",
    "deployment.kv_cache.dtype": "kv_dtype",
    "deployment.kv_cache.capacity_tokens": "context_tokens",
}
"""Settings that are one choice of the same value."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """One change, what it costs, and the numbers with it.

    Attributes
    ----------
    changes
        New values by name of the choice.
    """

    text: str
    cost: str
    changes: dict[str, Any]
    answer: str


def known_remedies(choices: Choices, viewer: str) -> list[Remedy] | None:
    """Return the remedies of a viewer's question, ``None`` while they are looked for."""
    return _WORKER.ask(choices, viewer)


def remedies(choices: Choices) -> list[Remedy]:
    """Return the changes that make a failing run pass, cheapest first; two at once if one fails."""
    return _remedies(choices, lambda: True)


def attempt(choices: Choices, change: Change) -> changes.Remedy | None:
    """Return a change with its answer if the run with it passes."""
    result = run(choices)
    return changes.attempt(result.scenario, change, targets(choices), soc=result.soc)


def _wanted_remedies(choices: Choices) -> list[Remedy]:
    return _remedies(choices, lambda: _WORKER.is_wanted(choices))


def _remedies(choices: Choices, is_wanted: Callable[[], bool]) -> list[Remedy]:
    """Return the remedies; raises `Superseded` once nobody wants them."""
    placed, result = choices.placed(), run(choices)

    def passes(change: Change) -> changes.Remedy | None:
        if not is_wanted():
            raise Superseded
        return elsewhere(attempt, placed, change)

    found = changes.search(result.scenario, result.soc, passes)
    return [Remedy(one.text, one.cost, _choices(one.settings), one.answer) for one in found]


_WORKER = Worker(_wanted_remedies, REMEMBERED, SETTLE_S)


def _choices(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings of a scenario as choices.

    >>> _choices({"deployment.weights.body": "bpw1.8"})
    {'body': 'by bits', 'body_bits': 1.8}
    """
    found: dict[str, Any] = {SAME[path]: value for path, value in settings.items() if path in SAME}
    if body := settings.get(changes.BODY):
        found |= {"body": BY_BITS, "body_bits": float(body.removeprefix("bpw"))}
    if eviction := settings.get("deployment.kv_cache.eviction"):
        found |= {"eviction": eviction["policy"], "keep": eviction["keep"]}
    if draft := settings.get("deployment.speculation"):
        found |= {"speculation": draft["method"], "depth": draft["depth"]}
        found |= {"acceptance": draft["acceptance"]["alpha"]}
    if images := settings.get("session.turns.0.images_px"):
        found |= {"image_width_px": images[0][0], "image_height_px": images[0][1]}
    return found
