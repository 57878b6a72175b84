"""How far one setting of the sidebar can go before a target or memory objects.

The search is that of `andesim solve`; a fan shows what it means on the way: each target's
probability, and the 80 % range of each number, against the setting.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from dashboard.choices import BY_BITS, Choices, limits
from dashboard.runs import USER_ERRORS, device, judged, run, targets
from sim.errors import SimError
from sim.explore.cache_sizes import next_size
from sim.explore.limits import judge_of, limit_of
from sim.explore.scales import scale_of
from sim.explore.solve import Goal, Limit
from sim.explore.targets import Target
from sim.explore.uncertainty import sampled_metrics
from sim.wording import label, shown
from workloads.scenario import Scenario

DRAWS: Final = 40
"""Of each point of a fan."""
POINTS: Final = 7


@dataclass(frozen=True, slots=True)
class Setting:
    """A number of the sidebar that can be solved for.

    Attributes
    ----------
    word
        What `andesim solve` calls it.
    goal
        Which way a person wants it to go.
    reach
        Values of a fan.
    """

    choice: str
    word: str
    words: str
    goal: Goal
    reach: tuple[float, ...]
    unit: str = ""

    def changes(self, choices: Choices, value: float) -> dict[str, Any]:
        """Return what the sidebar becomes with the setting at a value."""
        if self.choice == "body_bits":
            return {"body": BY_BITS, "body_bits": round(value, 2)}
        if self.choice == "image_width_px":
            share = value / max(choices.image_width_px, choices.image_height_px)
            sides = (choices.image_width_px, choices.image_height_px)
            wide, high = (max(28, round(side * share)) for side in sides)
            return {"image_width_px": wide, "image_height_px": high}
        if self.choice == "app_budget_gib":
            return {self.choice: round(value / 2**30, 3)}
        kind = type(getattr(choices, self.choice))
        return {self.choice: kind(round(value, 4))}

    def now(self, choices: Choices) -> float:
        """Return the value of the sidebar."""
        if self.choice == "image_width_px":
            return float(max(choices.image_width_px, choices.image_height_px))
        return float(getattr(choices, self.choice))


SETTINGS: Final = {
    item.words: item
    for item in (
        Setting("prompt_tokens", "prompt", "prompt", "largest",
                (64, 256, 1024, 2048, 4096, 8192, 16384), "tokens"),
        Setting("image_width_px", "image_side", "image side", "largest",
                (224, 448, 672, 896, 1344, 1792, 2400), "px"),
        Setting("images", "images", "images", "largest", (0, 1, 2, 3, 4, 6, 8)),
        Setting("output_tokens", "output", "output", "largest",
                (32, 64, 128, 256, 512, 1024, 2048), "tokens"),
        Setting("body_bits", "bits", "bits per weight", "largest",
                (1.6, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0), "bits"),
        Setting("ambient_c", "ambient", "ambient", "largest",
                (15.0, 20.0, 25.0, 30.0, 35.0, 40.0, 45.0), "°C"),
        Setting("clock_fraction", "clock", "power mode", "smallest",
                (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)),
        Setting("app_budget_gib", "budget", "app budget", "smallest", (), "GiB"),
    )
}  # fmt: skip
"""What can be solved for, by its word on the page."""
FANS: Final = tuple(name for name, item in SETTINGS.items() if item.reach)


@dataclass(frozen=True, slots=True)
class Found:
    """An answer: in words, and what the sidebar becomes with it; nothing where there is none."""

    said: str
    changes: dict[str, Any]


def found(choices: Choices, name: str, by_memory: bool) -> Found:
    """Return how far a setting can go until a target, or memory alone, objects."""
    setting = SETTINGS[name]
    limit, rounded = _limit(choices if not by_memory else choices.question(), name, by_memory)
    what = f"{setting.goal} {name}" if limit.binds else f"no limit of {name} up to"
    what = what[0].upper() + what[1:]
    if limit.best is None:
        why = said_of(limit.binding) if limit.binding else "no value was found"
        return Found(f"**No {name} meets it**: {why}.", {})
    value = limit.best.value
    text = spoken(value / 2**30 if setting.choice == "app_budget_gib" else value, setting.unit)
    rate, first = limit.best.metrics["tokens_per_s"], limit.best.metrics["time_to_first_token_s"]
    numbers = f" First token {first:.2f} s" + (f", {rate:.1f} tokens/s." if rate else ".")
    beyond = f" Beyond it: {said_of(limit.binding)}." if limit.beyond else " Nothing tried fails."
    beyond += f" {rounded}" * bool(rounded)
    told = f"**{what}{':' * limit.binds} {text}.**"
    return Found(f"{told}{beyond}{numbers}", setting.changes(choices, value))


def spoken(value: float, unit: str) -> str:
    """Return a number for people.

    >>> spoken(16340.0, "tokens"), spoken(1.8, "bits")
    ('16,340 tokens', '1.8 bits')
    """
    text = f"{value:,.0f}" if value == round(value) else f"{value:.4g}"
    return f"{text} {unit}".strip()


def said_of(binding: str) -> str:
    """Return what is in the way for people.

    >>> said_of("memory"), said_of("tokens_per_s>=15")
    ('memory does not suffice', 'the decode rate is below 15.0 tokens/s')
    """
    words = {"memory": "memory does not suffice", "heat": "it throttles within ten minutes"}
    if binding in words:
        return words[binding]
    try:
        target = Target.parse(binding)
    except SimError:
        return binding.rstrip(".")  # a rule of the scenario, in words
    side = "above" if target.is_ceiling else "below"
    return f"the {label(target.metric)} is {side} {shown(target.metric, target.limit).text}"


@lru_cache(maxsize=64)
def _limit(choices: Choices, name: str, by_memory: bool) -> tuple[Limit, str]:
    """Return the limit, and a sentence where a compiled size of the cache makes it."""
    setting = SETTINGS[name]
    base = Scenario.from_mapping(choices.mapping())
    asked: tuple[Target, ...] = () if by_memory else targets(choices)
    low, high = _ends(setting)
    chip = device(choices)
    scale = scale_of(setting.word, base)
    limit = limit_of(base, scale, setting.goal, judge_of(asked), (low, high), soc=chip)
    return limit, next_size(base, limit, chip)


def _ends(setting: Setting) -> tuple[float, float]:
    """Return the least and the greatest value that the sidebar holds."""
    low, high = limits(setting.choice)
    if setting.choice == "app_budget_gib":
        return 2.0**28, float(high) * 2**30
    return float(low), float(high)


def fan(choices: Choices, name: str) -> tuple[Iterator[dict[str, Any]], int]:
    """Return the points of a fan as they are made, and how many there are."""
    reach = SETTINGS[name].reach
    return (_point(choices, name, value) for value in reach), len(reach)


def _point(choices: Choices, name: str, value: float) -> dict[str, Any]:
    """Return probabilities and ranges at one value; only the value where it cannot be asked."""
    changed = choices.changed(**SETTINGS[name].changes(choices, value))
    try:
        result = run(changed)
        sampled = sampled_metrics(result, DRAWS) if result.fits else None
    except USER_ERRORS:
        return {"value": value}
    verdict = judged(changed, result, sampled)
    return {
        "value": value,
        "all": verdict.probability,
        "sustained": verdict.probability_sustained,
        "targets": {
            item.target.metric: (item.probability, item.value, item.interval)
            for item in verdict.targets
        },
    }
