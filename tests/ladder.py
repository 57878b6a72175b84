"""A setting that rises step by step, and what must rise or fall with it: relations of one kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

import sim
from hw_models.soc import load_soc
from sim.results import Result
from tests.random_questions import Asked
from tests.relation_exceptions import ROUNDING, value_of

Outcome = Literal["holds", "explained", "breaks", "does not apply"]
Explained = Callable[[Result, Result, str], bool]


def ran(asked: Asked, settings: Mapping[str, Any] | None = None, **options: Any) -> Result:
    """Return the run of a scenario with entries changed."""
    return sim.simulate(asked, set=settings, **options)


@dataclass(frozen=True)
class Ladder:
    """A setting that rises step by step, and what must not fall, or not rise, as it does.

    Attributes
    ----------
    path
        Dotted path of the scenario; of its device where it begins with ``device:``, what it lacks
        included, ``{stack}`` being its stack and ``{unit}`` the unit of that.
    always
        Other settings.
    explained
        Whether an exception accounts for a step that breaks the rule.
    """

    path: str
    values: tuple[Any, ...]
    rises: tuple[str, ...] = ()
    falls: tuple[str, ...] = ()
    always: Mapping[str, Any] = field(default_factory=dict)
    applies: Callable[[Asked], bool] = lambda asked: True
    explained: Explained = lambda before, after, metric: False

    def __call__(self, asked: Asked) -> Outcome:
        """Return how the relation does on a scenario."""
        if not self.applies(asked):
            return "does not apply"
        runs = [self._run(asked, value) for value in self.values]
        outcome: Outcome = "holds"
        for before, after in pairwise(runs):
            for metric, sign in (*((m, 1) for m in self.rises), *((m, -1) for m in self.falls)):
                earlier, later = value_of(before, metric), value_of(after, metric)
                if earlier is None or later is None:
                    continue
                if sign * (later - earlier) >= -ROUNDING * abs(earlier):
                    continue
                if not self.explained(before, after, metric):
                    return "breaks"
                outcome = "explained"
        return outcome

    def _run(self, asked: Asked, value: Any) -> Result:
        if not self.path.startswith("device:"):
            return ran(asked, {**self.always, self.path: value})
        soc = load_soc(asked["device"])
        names = {"unit": soc.stack().unit, "stack": soc.default_stack}
        path = self.path.removeprefix("device:").format(**names)
        return ran(asked, self.always, device=soc.with_overrides({path: value}))
