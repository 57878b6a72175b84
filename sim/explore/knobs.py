"""What a sizing may turn: formats of weights and cache, and what the cache forgets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sim.assumed import device_of
from sim.errors import SimError
from sim.explore.candidates import Knobs
from sim.explore.designs import SweepSpec
from sim.explore.sweep_rows import evaluate
from sim.planning import ACTIVATION_BITS, formats
from workloads.kv_cache import get_kv_format
from workloads.scenario import Scenario
from workloads.weight_formats import get_format

BODIES = ("w8", "w4_g128", "w4", "w3", "w2")
CACHES = ("int16", "int8", "int4")
KEEPS = (0.5, 0.25)
"""What a sizing steps down to: formats of the weights and of the cache, shares of it kept."""


def default_knobs(scenario: Scenario) -> dict[str, tuple[Any, ...]]:
    """Return what a sizing may change if the question does not say: formats and the cache.

    Each list begins with what the scenario has, or else its stack's default, and steps down.
    """
    soc = device_of(scenario)
    stored = formats(scenario, soc, soc.stack(scenario.stack))
    body, cache = stored.weights.format_for("body"), stored.kv
    lighter = (name for name in BODIES if get_format(name).traffic_bits < body.traffic_bits)
    if scenario.network is not None:
        own = stored.activations
        narrower = (n for n in ("int16", "int8") if ACTIVATION_BITS[n] < ACTIVATION_BITS[own])
        return {
            "deployment.weights.body": (body.id, *lighter),
            "deployment.activations": (own, *narrower),
        }
    smaller = (name for name in CACHES if get_kv_format(name).bits < cache.bits)
    return {
        "deployment.weights.body": (body.id, *lighter),
        "deployment.kv_cache.dtype": (cache.id, *smaller),
        "deployment.kv_cache.eviction": tuple(_evictions(scenario)),
    }


def _evictions(scenario: Scenario) -> Iterator[dict[str, Any]]:
    """Yield the scenario's own policy, then the same one, or `okv`, that keeps less."""
    given = scenario.deployment.kv_cache.eviction
    named = {name: getattr(given, name, None) for name in ("policy", "keep")}
    own = {name: value for name, value in named.items() if value is not None}
    own |= given.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    yield own
    if own["policy"] != "none" and "keep" not in own:
        return
    policy = "okv" if own["policy"] == "none" else own["policy"]
    for keep in KEEPS:
        if keep < own.get("keep", 1.0):
            yield {**own, "policy": policy, "keep": keep}


def check_knobs(base: Mapping[str, Any], knobs: Knobs) -> None:
    """Refuse knobs without values, and knobs of which no value makes a valid scenario.

    Raises `SimError` with the knob and the first value's fault.
    """
    for path, values in knobs.items():
        if not values:
            raise SimError(f"--free {path} must have at least one value. Got none.")
        rows = evaluate(SweepSpec(base=base, axes={path: tuple(values)}), 0, len(values))
        if all(row["error"] for row in rows):
            raise SimError(f"{path} must have a valid value to be sized. Got {rows[0]['error']}")
