"""The cheapest change that passes: changes of the choices, tried one by one, then two at once.

Ordered by what they cost the person who uses the phone, least first: what only the engineer sees,
then numerics, then less input, then a smaller model. That order is a judgement and is shown.

A change passes where the run on the device's own numbers does; draws are made once it is applied.
Not searched here: three changes and more; the sweep on the Trade-offs page tries those.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Any

from dashboard.choices import BY_BITS, STACK_DEFAULT, Choices
from dashboard.options import stacks
from dashboard.runs import USER_ERRORS, device, judged, run
from sim.verdicts import Status, headline
from workloads.kv_cache import get_kv_format

Change = tuple[str, str, dict[str, Any]]
"""A change in words, what it costs, and the new values by name of the choice."""

SMALLER = ("andesvl-4b", "andesvl-2b", "andesvl-1b", "andesvl-0.6b")
MOST_SHOWN = 4
MOST_PAIRS = 40
"""Pairs of changes that are tried."""
EIGHT_BITS = 8.0
MOST_STACKS = 3
"""Stacks of a device that are tried, in the order of its file."""
SMALL_PX = 448
"""Side that images are scaled to [px]."""


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


@lru_cache(maxsize=64)
def remedies(choices: Choices) -> list[Remedy]:
    """Return the changes that make a failing run pass, cheapest first; two at once if one fails."""
    single = list(_candidates(choices))
    return _passing(choices, single) or _passing(choices, list(_pairs(single))[:MOST_PAIRS])


def _passing(choices: Choices, tried: Iterable[Change]) -> list[Remedy]:
    found = []
    for text, cost, changes in tried:
        changed = choices.changed(**changes)
        try:
            result = run(changed)
        except USER_ERRORS:
            continue  # this change does not exist here, e.g. a format the unit cannot compute
        if judged(changed, result).status is Status.PASS:
            found.append(Remedy(text, cost, changes, headline(result)))
        if len(found) == MOST_SHOWN:
            break
    return found


def _pairs(single: Iterable[Change]) -> Iterator[Change]:
    """Yield two changes at once that do not overrule each other, the cheapest first."""
    for (one, its_cost, first), (other, cost, second) in combinations(single, 2):
        if not first.keys() & second.keys():
            yield f"{one} and {other}", f"{its_cost}; {cost}", first | second


def _candidates(choices: Choices) -> Iterator[Change]:
    """Yield the changes to try, those that cost the person least first."""
    yield from _software(choices)
    yield from _numerics(choices)
    yield from _less_input(choices)
    yield from _smaller_models(choices)


def _software(choices: Choices) -> Iterator[Change]:
    if choices.speculation == "none":
        changes = {"speculation": "eagle", "depth": 4}
        yield "draft with EAGLE, depth 4", "a draft to train; acceptance assumed", changes
    own = stacks(choices.device)[1:]  # the first stands for the device's default
    for stack in own[:MOST_STACKS]:
        if stack != choices.stack:
            yield f"use the {stack} stack", "another toolchain", {"stack": stack}


def _kv_bits(choices: Choices) -> float:
    """Return the bits of the KV cache's format, the stack's own where none is chosen."""
    soc = device(choices)
    own = soc.stack(choices.stack if choices.stack in soc.stacks else soc.default_stack).defaults
    name = own.kv if choices.kv_dtype == STACK_DEFAULT else choices.kv_dtype
    return get_kv_format(str(name)).bits


def _numerics(choices: Choices) -> Iterator[Change]:
    if _kv_bits(choices) > EIGHT_BITS:
        yield "keep the KV cache in int8", "some accuracy", {"kv_dtype": "int8"}
    if choices.eviction == "none":
        changes = {"eviction": "okv", "keep": 0.5}
        yield "evict half of the KV cache", "some accuracy", changes
    for bits in (3.0, 2.0, 1.8):
        if choices.body != BY_BITS or choices.body_bits > bits:
            changes = {"body": BY_BITS, "body_bits": bits}
            yield f"compress the body to {bits:g} bits per weight", "accuracy", changes


def _less_input(choices: Choices) -> Iterator[Change]:
    if choices.images and max(choices.image_width_px, choices.image_height_px) > SMALL_PX:
        changes = {"image_width_px": SMALL_PX, "image_height_px": SMALL_PX}
        yield f"scale images to {SMALL_PX} x {SMALL_PX}", "detail in images", changes
    for share in (2, 4):
        if choices.context_tokens // share >= choices.prompt_tokens + choices.output_tokens:
            shorter = choices.context_tokens // share
            changes = {"context_tokens": shorter}
            yield f"cut the context to {shorter} tokens", "a shorter conversation", changes


def _smaller_models(choices: Choices) -> Iterator[Change]:
    if choices.model in SMALLER:
        for model in SMALLER[SMALLER.index(choices.model) + 1 :]:
            yield f"use {model}", "a less able model", {"model": model}
