"""What would make a failing run pass: changes tried one by one, then two at once.

Ordered by what they cost the person who uses the phone, least first: what only the engineer sees,
then numerics, then less input, then a smaller model. That order is a judgement and is shown.

A change passes where the run on the device's own numbers does, at first and later. Not searched
here: three changes and more, which `andesim size` and a sweep try.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations, islice
from typing import Any, Final

from hw_models.soc import SocSpec
from sim.assumed import device_of
from sim.explore.sweep_rows import RULE_BREAKS
from sim.explore.targets import Target
from sim.judgements import Status
from sim.planning import formats
from sim.results import Result
from sim.simulation import simulate
from sim.verdict_words import headline
from sim.verdicts import MINUTES, judge
from workloads.scenario import Scenario, with_override

MOST_SHOWN: Final = 4
MOST_PAIRS: Final = 40
"""Pairs of changes that are tried."""
MOST_STEPS: Final = 2_000
"""Of a longer run no changes are tried unasked: each is a run of its own."""
MOST_STACKS: Final = 3
"""Stacks of a device that are tried, in the order of its file."""
EIGHT_BITS: Final = 8.0
BODY_BITS: Final = (3.0, 2.0, 1.8)
SMALL_PX: Final = 448
"""Side that images are scaled to [px]."""
SMALLER: Final = ("andesvl-4b", "andesvl-2b", "andesvl-1b", "andesvl-0.6b")
DRAFT: Final = {"method": "eagle", "depth": 4, "acceptance": {"alpha": 0.7}}
HALF: Final = {"policy": "okv", "keep": 0.5}

TURN = "session.turns.0"
BODY, CACHE = "deployment.weights.body", "deployment.kv_cache"


@dataclass(frozen=True, slots=True)
class Change:
    """A change in words, what it costs, and the new settings by dotted path."""

    text: str
    cost: str
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Remedy(Change):
    """A change that passes, and the answer with it in a line."""

    answer: str


def remedies(
    base: Scenario,
    targets: Sequence[Target],
    minutes: int = MINUTES,
    seed: int = 0,
    soc: SocSpec | None = None,
) -> list[Remedy]:
    """Return the changes that make a failing run pass, cheapest first; two at once if one fails.

    ``soc`` stands for the scenario's device, e.g. with numbers moved.
    """
    device = device_of(base, soc)
    return search(base, device, lambda one: attempt(base, one, targets, minutes, seed, soc))


def search(base: Scenario, soc: SocSpec, passes: Callable[[Change], Remedy | None]) -> list[Remedy]:
    """Return the changes that pass, cheapest first; two at once only if no single one does.

    ``passes`` says of each change whether it does, as `attempt`.
    """

    def passing(tried: Iterable[Change]) -> list[Remedy]:
        return list(islice(filter(None, map(passes, tried)), MOST_SHOWN))

    single = list(changes(base, soc))
    return passing(single) or passing(islice(_pairs(single), MOST_PAIRS))


def attempt(
    base: Scenario,
    change: Change,
    targets: Sequence[Target],
    minutes: int = MINUTES,
    seed: int = 0,
    soc: SocSpec | None = None,
) -> Remedy | None:
    """Return a change with its answer if the run with it passes."""
    mapping = base.model_dump(mode="json", exclude_defaults=True)
    result = _run(mapping, change, seed, soc)
    if result and judge(result, targets, minutes=minutes).status is Status.PASS:
        return Remedy(change.text, change.cost, change.settings, headline(result))
    return None


def remedies_of(result: Result, targets: Sequence[Target], minutes: int = MINUTES) -> list[Remedy]:
    """Return the remedies of a run that missed its targets; none of one that is long."""
    if result.steps > MOST_STEPS:
        return []
    return remedies(result.scenario, targets, minutes, result.seed, result.soc)


def plain(found: Sequence[Remedy]) -> list[dict[str, Any]]:
    """Return remedies as plain data."""
    return [asdict(remedy) | {"settings": dict(remedy.settings)} for remedy in found]


def _run(
    mapping: Mapping[str, Any], change: Change, seed: int, soc: SocSpec | None
) -> Result | None:
    """Return the run with a change; ``None`` where it does not exist here."""
    try:
        for path, value in change.settings.items():
            mapping = with_override(mapping, path, value)
        return simulate(Scenario.from_mapping(mapping), seed=seed, soc=soc)
    except RULE_BREAKS:
        return None  # e.g. a format the unit cannot compute


def _pairs(single: Iterable[Change]) -> Iterator[Change]:
    """Yield two changes at once that do not overrule each other, the cheapest first."""
    for one, other in combinations(single, 2):
        if not one.settings.keys() & other.settings.keys():
            yield Change(
                f"{one.text} and {other.text}",
                f"{one.cost}; {other.cost}",
                {**one.settings, **other.settings},
            )


def changes(base: Scenario, soc: SocSpec) -> Iterator[Change]:
    """Yield the changes to try, those that cost the person least first."""
    speaks = base.network is None
    if speaks and base.deployment.speculation.method == "none":
        cost = "a draft to train; acceptance assumed"
        yield Change("draft with EAGLE, depth 4", cost, {"deployment.speculation": DRAFT})
    own = base.stack or soc.default_stack
    for stack in [name for name in soc.stacks if name != own][:MOST_STACKS]:
        yield Change(f"use the {stack} stack", "another toolchain", {"stack": stack})
    yield from _numerics(base, soc, speaks)
    if speaks and base.session.turns:
        yield from _less_input(base)
    if base.model in SMALLER:
        for model in SMALLER[SMALLER.index(base.model) + 1 :]:
            yield Change(f"use {model}", "a less able model", {"model": model})


def _numerics(base: Scenario, soc: SocSpec, speaks: bool) -> Iterator[Change]:
    stored = formats(base, soc, soc.stack(base.stack))
    if speaks and stored.kv.bits > EIGHT_BITS:
        settings = {f"{CACHE}.dtype": "int8"}
        yield Change("keep the KV cache in int8", "some accuracy", settings)
    if speaks and base.deployment.kv_cache.eviction.policy == "none":
        yield Change("evict half of the KV cache", "some accuracy", {f"{CACHE}.eviction": HALF})
    for bits in BODY_BITS:
        if stored.weights.format_for("body").traffic_bits > bits:
            text = f"compress the body to {bits:g} bits per weight"
            yield Change(text, "accuracy", {BODY: f"bpw{bits:g}"})


def _less_input(base: Scenario) -> Iterator[Change]:
    turn, held = base.session.turns[0], base.deployment.kv_cache.capacity_tokens
    if any(max(sides) > SMALL_PX for sides in turn.images_px):
        small = [[SMALL_PX, SMALL_PX] for _ in turn.images_px]
        text = f"scale images to {SMALL_PX} x {SMALL_PX}"
        yield Change(text, "detail in images", {f"{TURN}.images_px": small})
    for share in (2, 4):
        if held and held // share >= turn.prompt_tokens + turn.output_tokens:
            settings = {f"{CACHE}.capacity_tokens": held // share}
            text = f"cut the context to {held // share} tokens"
            yield Change(text, "a shorter conversation", settings)
