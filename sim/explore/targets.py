"""Targets of a sizing question: ``time_to_first_token_s<1.5``, ``peak_dram_bytes<=3 GB``.

The slack of a target is its distance from the limit as a share of the limit, positive where it is
met, so that seconds and joules can be compared.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from hw_models.errors import HardwareError
from hw_models.units import parse
from sim.errors import SimError
from sim.metrics import METRICS, Metric, known_metrics
from workloads.errors import did_you_mean

_TEXT = re.compile(r"\s*(?P<metric>\w+)\s*(?P<sign><=|>=|<|>)\s*(?P<limit>.+?)\s*")
_UNITS = {"s": "s", "B": "B", "J": "J", "W": "W", "°C": "C"}
"""Unit that a limit may be written in, by the metric's; a bare number else."""
ALIASES = {
    "ttft": "time_to_first_token_s",
    "tpot": "time_per_output_token_s",
    "tps": "tokens_per_s",
}
"""What people call a metric whose name does not resemble it."""


def bounded() -> dict[str, Metric]:
    """Return the metrics that a target may bound: all but those that are yes or no."""
    return {name: item for name, item in known_metrics().items() if item.kind is not bool}


@dataclass(frozen=True, slots=True)
class Target:
    """A bound on one metric; ``limit`` in the metric's SI unit, ``sign`` one of ``< <= > >=``.

    >>> target = Target.parse("time_to_first_token_s < 1500 ms")
    >>> target.limit, target.slack(0.75)
    (1.5, 0.5)
    """

    metric: str
    sign: str
    limit: float

    @classmethod
    def parse(cls, text: str) -> Target:
        """Return the target a text states; the limit may carry a unit.

        Raises `SimError` where the text, the metric or the limit is not one.
        """
        match = _TEXT.fullmatch(text)
        if match is None:
            raise SimError(
                f"--target must be METRIC<LIMIT or METRIC>LIMIT. Got {text!r}. "
                "Example: time_to_first_token_s<1.5"
            )
        metric = match["metric"]
        if metric not in bounded():
            known = ALIASES.get(metric.lower())
            hint = f"Did you mean {known!r}?" if known else did_you_mean(metric, bounded())
            raise SimError(f"--target must name a metric. Got {metric!r}. {hint}")
        return cls(metric, match["sign"], _limit(metric, match["limit"]))

    @property
    def is_ceiling(self) -> bool:
        """Whether less is better."""
        return self.sign.startswith("<")

    def slack(self, value: float | None) -> float:
        """Return how far a value is on the good side, as a share of the limit; -inf if unknown."""
        if value is None or math.isnan(value):
            return -math.inf
        distance = self.limit - value if self.is_ceiling else value - self.limit
        return distance / (abs(self.limit) or 1.0)

    def is_met(self, value: float | None) -> bool:
        """Return whether a value keeps the bound; the limit itself only with ``<=`` and ``>=``."""
        return self.holds(self.slack(value))

    def holds(self, slack: float) -> bool:
        """Return whether a slack keeps the bound."""
        return slack > 0.0 or (slack == 0.0 and self.sign.endswith("="))

    def __str__(self) -> str:
        """Return the text form."""
        return f"{self.metric}{self.sign}{self.limit:g}"


def parse_targets(texts: Iterable[str]) -> tuple[Target, ...]:
    """Return the targets of some texts; `SimError` where there is none."""
    targets = tuple(map(Target.parse, texts))
    if not targets:
        raise SimError("--target must be given. Got none. Example: --target 'tokens_per_s>20'")
    return targets


def _limit(metric: str, text: str) -> float:
    """Return the number a text states, in the metric's unit where it names none."""
    try:
        limit = float(text)
    except ValueError:
        limit = _quantity(metric, text)
    if not math.isfinite(limit):
        raise SimError(f"--target {metric} must have a finite limit. Got {text!r}.")
    return limit


def _quantity(metric: str, text: str) -> float:
    unit = _UNITS.get(METRICS[metric].unit, "count")
    try:
        return parse(text, unit)
    except HardwareError as error:
        if unit == "count":
            rule = f"--target {metric} must be a number, such as 20."
            raise SimError(f"{rule} Got {text!r}.") from None
        raise SimError(f"--target {metric} {error}") from None
