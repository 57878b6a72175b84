"""How far measurements carry an answer: a status per metric, and the nearest judged rows.

Each aspect of an answer (first token, decode, vision encode, energy, memory) is held against the
measured rows of its metrics, see `sim.evidence.nearest`. A sustained rate is held as the share of
the first rate that is left in the last of about ten minutes.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from sim.evidence.measured_metrics import TIMED_PHASES
from sim.evidence.nearest import PLACES, Near, Status, nearest, size_of, status_of
from sim.results import Result

WITH_IMAGE: Final = "vision encode"
FIRST_TOKEN: Final = "first token"
DECODE: Final = "decode"
ASPECTS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        FIRST_TOKEN: ("time_to_first_token_s", "prefill_tokens_per_s"),
        DECODE: ("tokens_per_s",),
        WITH_IMAGE: ("vision_encode_s",),
        "energy": ("energy_j_per_token", "power_w"),
        "memory": ("peak_dram_bytes",),
        "sustained": ("sustained_share",),
    }
)
"""What an answer says, and the measured metrics that judge it."""
INFERENCE: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({"inference": ("inference_s",)})
"""The same of a network's answer."""


class Aspect(NamedTuple):
    """One thing an answer says, its status, and the nearest rows that judge it."""

    name: str
    status: Status
    near: tuple[Near, ...]

    def text(self) -> str:
        """Return the nearest rows in words, place by place."""
        told = [
            f"{', '.join(f'{item.row.model} {item.row.error:+.0%}' for item in items)} ({place})"
            for place, items in groupby(self.near, key=lambda item: item.place)
        ]
        return "; ".join(told) or "no measured row"


def aspects(result: Result, most: int = 3) -> list[Aspect]:
    """Return what measured rows say of each aspect of a run, ``most`` rows of each at most."""
    wanted = ASPECTS if result.scenario.network is None else INFERENCE
    has_image = any(group.phase == "vision" for group in result.program.groups)
    return [
        Aspect(name, _status(result, name, has_image), _near(result, metrics, most))
        for name, metrics in wanted.items()
        if has_image or name != WITH_IMAGE
    ]


def _status(result: Result, name: str, has_image: bool) -> Status:
    """Return what is known of an aspect; of a first token after an image no more than of encoding.

    Where rows without an image judge the rest of it, it is known in part.
    """
    wanted = {**ASPECTS, **INFERENCE}
    found = status_of(wanted[name], result.soc.id, result.stack)
    if name != FIRST_TOKEN or not has_image or found != "validated":
        return found
    encoding = status_of(wanted[WITH_IMAGE], result.soc.id, result.stack)
    return found if encoding == "validated" else "partly"


def _near(result: Result, metrics: tuple[str, ...], most: int) -> tuple[Near, ...]:
    """Return the nearest rows of the first metric that has any in the nearest place."""
    found: list[list[Near]] = [of_metric(result, metric, most) for metric in metrics]
    held = [near for near in found if near]
    best: list[Near] = min(held, key=lambda near: PLACES.index(near[0].place)) if held else []
    return tuple(best)


def of_metric(result: Result, metric: str, most: int) -> list[Near]:
    """Return the judged rows of a metric that lie nearest to a run."""
    phases = TIMED_PHASES.get(metric, ("decode",))
    groups = [group for group in result.program.groups if group.phase in phases]
    seen = [group for group in result.program.groups if group.phase == "vision"]
    patches = float(sum(group.new_tokens.sum() for group in seen))
    unit = result.soc.stack(result.stack).unit
    return nearest(metric, result.soc.id, result.stack, unit, size_of(groups, patches), most)


def trust_document(result: Result) -> dict[str, Any]:
    """Return aspects, their status and nearest rows as plain data."""
    return {
        aspect.name: {
            "status": aspect.status,
            "nearest": [
                {
                    "id": item.row.id,
                    "where": item.place,
                    "role": item.row.role,
                    "device": item.row.device,
                    "stack": item.row.stack,
                    "model": item.row.model,
                    "weights": item.row.weights,
                    "source": item.row.source,
                    "metric": item.row.metric,
                    "measured": item.row.measured,
                    "simulated": item.row.simulated,
                    "error": item.row.error,
                    "inside_interval": item.row.is_inside,
                    "times_apart": item.times_apart,
                }
                for item in aspect.near
            ],
        }
        for aspect in aspects(result)
    }
