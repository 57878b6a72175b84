"""A single network in place of a language model: what one call takes, and on how many draws.

Device, stack, environment and what-if values are those of the sidebar; what is said of prompts,
caches and drafts has no meaning here. The scenario is the one that the command line reads.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np

from dashboard.cards import Card, card, number
from dashboard.choices import GIB, STACK_DEFAULT, Choices
from dashboard.elsewhere import elsewhere
from dashboard.own import ids, is_own, kept, place
from dashboard.runs import REMEMBERED, SETTLE_S, USER_ERRORS, device
from dashboard.what_ifs import what_if_values
from dashboard.workers import Worker
from sim import Result, simulate
from sim.breakdown import phase_terms
from sim.charts.data import decode_chart
from sim.charts.shapes import BarChart
from sim.explore.targets import Target
from sim.explore.uncertainty import sampled_metrics
from sim.explore.variants import MetricColumns
from sim.verdicts import DRAWS
from workloads.scenario import Scenario
from workloads.shipped_ids import network_ids
from workloads.trace import NETWORK
from workloads.weight_formats import catalogue

FIRST: Final = "resnet50"
SAME: Final[tuple[str, ...]] = ("device", "stack", "environment", "assume")
"""Entries of the sidebar's scenario that a network's has, too."""
SCALES: Final = {"inference_s": 1e3, "energy_per_inference_j": 1e3, "peak_dram_bytes": 1 / GIB}
"""From a metric's unit to the one of its card."""


class Asked(NamedTuple):
    """A question about a network: the sidebar's choices, the network, its format, its calls."""

    choices: Choices
    network: str = FIRST
    weights: str = STACK_DEFAULT
    calls: int = 1

    def mapping(self) -> dict[str, Any]:
        """Return the scenario as a YAML file would hold it."""
        of_the_sidebar = self.choices.mapping()
        found: dict[str, Any] = {
            name: of_the_sidebar[name] for name in SAME if name in of_the_sidebar
        }
        if self.weights != STACK_DEFAULT:
            found["deployment"] = {"weights": self.weights}
        return found | {"model": place(self.network), "network": {"calls": self.calls}}

    def placed(self) -> Asked:
        """Return the question with the paths of own files for their names, for another process."""
        return self._replace(choices=self.choices.placed(), network=place(self.network))


def networks() -> tuple[str, ...]:
    """Return the networks that ship, then those that were brought."""
    return (*network_ids(), *ids("network"))


def formats() -> tuple[str, ...]:
    """Return what the weights of a network may be kept in, the stack's own first."""
    return (STACK_DEFAULT, *catalogue())


@lru_cache(maxsize=REMEMBERED)
def run(asked: Asked) -> Result:
    """Return the run; equal questions share one."""
    return simulate(Scenario.from_mapping(asked.mapping()), soc=device(asked.choices))


def targets(most_ms: float, most_mj: float) -> tuple[Target, ...]:
    """Return the targets of a call: its longest time and its largest energy; 0 asks nothing.

    >>> [str(target) for target in targets(5.0, 0.0)]
    ['inference_s<=0.005']
    """
    limits = {"inference_s": most_ms / 1e3, "energy_per_inference_j": most_mj / 1e3}
    return tuple(Target(name, "<=", limit) for name, limit in limits.items() if limit)


def bounds_chart(asked: Asked, before: Asked | None = None) -> BarChart:
    """Return what bounds a call, the longest first, and what bounds one of the baseline."""
    terms = phase_terms(run(asked), NETWORK)
    alt = f"A call is bound by {terms[0].name}: {terms[0].share:.0%} of it." if terms else ""
    theirs = (phase_terms(run(before), NETWORK), before.calls) if before else None
    drawn = decode_chart(terms, asked.calls, theirs, per="call")
    return replace(drawn, id="network", title="What bounds a call", alt=alt)


def draws(asked: Asked, viewer: str) -> MetricColumns | None:
    """Return the metrics on draws of the device; ``None`` while they are made, empty where none."""
    return _WORKER.ask(asked, viewer)


def _drawn(asked: Asked) -> MetricColumns:
    try:
        return sampled_metrics(run(asked), DRAWS)
    except USER_ERRORS:
        return {}


def _drawn_elsewhere(asked: Asked) -> MetricColumns:
    return elsewhere(_drawn, asked.placed())


_WORKER = Worker(_drawn_elsewhere, REMEMBERED, SETTLE_S)


def scaled(value: float | None) -> float | None:
    """Return a value in thousandths of its unit, none where there is none."""
    return None if value is None else 1e3 * value


def cards(result: Result, drawn: MetricColumns | None, before: Result | None = None) -> list[Card]:
    """Return the four cards of a network: a call's time and energy, memory, cold start."""
    now, then = result.summary(), before.summary() if before else None
    budget, cold = result.ledger.budget_bytes, result.cold_start()
    warm = now.sustained_inference_s
    plain = [
        card("One call", scaled(now.inference_s), scaled(then.inference_s) if then else None, "ms",
             metric="inference_s", help="Mean of the calls, on loaded weights.",
             note="" if warm is None else f"{number(1e3 * warm, 'ms')} in the tenth minute"),
        card("Energy per call", scaled(now.energy_per_inference_j),
             scaled(then.energy_per_inference_j) if then else None, "mJ", 1,
             metric="energy_per_inference_j", note=number(now.mean_power_w, "W", 1),
             help="Energy of the whole device while it runs, display and host included."),
        card("Peak DRAM", now.peak_dram_bytes / GIB,
             then.peak_dram_bytes / GIB if then else None, "GiB", metric="peak_dram_bytes",
             note=f"of {budget / GIB:.2f} GiB app budget",
             help="Weights, activations and runtime at once."),
        card("Cold start", now.load_s, then.load_s if then else None, "s",
             note=f"{cold.read_s:.2f} s reading, {cold.graph_init_s:.2f} s set-up",
             help="Reading the file from flash and setting up its graph."),
    ]  # fmt: skip
    return [with_range(one, drawn) for one in plain]


def with_range(one: Card, drawn: MetricColumns | None) -> Card:
    """Return a card with its 80 % interval, or that it is being computed."""
    if one.metric not in SCALES:
        return one
    if drawn is None:
        return replace(one, range="80 % range: computing")
    column = drawn.get(one.metric)
    if column is None or not np.isfinite(column).all():
        return one
    low, high = (SCALES[one.metric] * np.percentile(column, [10.0, 90.0])).tolist()
    digits = 2 if high < 10.0 else 1
    return replace(one, range=f"80 % range {low:.{digits}f} to {high:.{digits}f}")


def command_line(asked: Asked, limits: Sequence[Target] = ()) -> str:
    """Return the command that gives the same numbers, and judges the same targets.

    >>> command_line(Asked(Choices(), "vit-b-16-224"))
    'andesim simulate --set model=vit-b-16-224 --set network.calls=1'
    """
    choices, mapping = asked.choices, asked.mapping()
    file = kept(asked.network).path.name if is_own(asked.network) else asked.network
    settings: dict[str, Any] = {"model": file, "network.calls": asked.calls}
    if choices.device != Choices().device:
        own = kept(choices.device).path.name if is_own(choices.device) else ""
        settings["device"] = own or choices.device
    if "stack" in mapping:
        settings["stack"] = mapping["stack"]
    if asked.weights != STACK_DEFAULT:
        settings["deployment.weights"] = asked.weights
    for name, value in mapping.get("environment", {}).items():
        settings[f"environment.{name}"] = value
    for name, value in what_if_values(choices.what_if).items():
        settings[f"assume.{name}"] = value
    words = [f"--set {shlex.quote(f'{name}={value}')}" for name, value in settings.items()]
    words += [f"--target {shlex.quote(str(target))}" for target in limits]
    return " ".join(["andesim simulate", *words])
