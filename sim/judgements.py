"""What a verdict says: a status and a probability for each target and for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sim.explore.targets import Target

PASS_FROM: Final = 0.9
FAIL_TO: Final = 0.1
"""Shares of the draws from which a target passes, and up to which it fails."""


class Status(StrEnum):
    """How one target fares, and a run as a whole."""

    PASS = "PASS"
    MARGINAL = "MARGINAL"
    FAIL = "FAIL"
    THROTTLES = "THROTTLES"

    @classmethod
    def of(cls, burst: float, sustained: float) -> Status:
        """Return the status of two probabilities.

        >>> Status.of(0.95, 0.95).value, Status.of(0.95, 0.5).value, Status.of(0.5, 0.0).value
        ('PASS', 'THROTTLES', 'MARGINAL')
        """
        if burst < PASS_FROM:
            return cls.FAIL if burst <= FAIL_TO else cls.MARGINAL
        return cls.PASS if sustained >= PASS_FROM else cls.THROTTLES

    @property
    def is_missed(self) -> bool:
        """Whether a command that was given targets ends with exit code 1."""
        return self in (Status.FAIL, Status.THROTTLES)


@dataclass(frozen=True, slots=True)
class Judgement:
    """How one target fares.

    Attributes
    ----------
    value, value_sustained
        Of the run itself, at first and in the minute asked about; ``None`` where it has none.
    interval
        10th and 90th percentile over the draws at first; ``None`` without draws.
    probability, probability_sustained
        Share of the draws that meet the target, at first and in the minute asked about.
    is_budget
        The target is the app budget, which nobody asks for and every run has.
    """

    target: Target
    value: float | None
    value_sustained: float | None
    interval: tuple[float, float] | None
    probability: float
    probability_sustained: float
    is_budget: bool = False

    @property
    def status(self) -> Status:
        """Return how the target fares."""
        return Status.of(self.probability, self.probability_sustained)

    @property
    def slack(self) -> float | None:
        """Share of the limit to spare, negative where missed; ``None`` without a value."""
        return None if self.value is None else self.target.slack(self.value)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a run meets its targets, all at once.

    Attributes
    ----------
    probability, probability_sustained
        Share of the draws that meet every target at first, and also in minute ``minutes``.
    targets
        Each target that was asked for.
    budget
        The app budget.
    draws
        How many; 1: the run itself.
    sentence
        Why the verdict is what it is.
    """

    status: Status
    probability: float
    probability_sustained: float
    minutes: int
    targets: tuple[Judgement, ...]
    budget: Judgement
    draws: int
    sentence: str

    def shares(self) -> dict[str, float]:
        """Return the probability of each target at first, and of ``all`` of them at once."""
        found = {str(item.target): item.probability for item in self.targets}
        return found | {"all": self.probability}

    def plain(self) -> dict[str, Any]:
        """Return the verdict as `simulate --json` has it."""
        return {
            "status": self.status.value,
            "probability": self.probability,
            "probability_sustained": self.probability_sustained,
            "minutes": self.minutes,
            "targets": [
                {
                    "target": str(item.target),
                    "value": item.value,
                    "value_sustained": item.value_sustained,
                    "probability": item.probability,
                }
                for item in self.targets
            ],
        }
