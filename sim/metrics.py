"""The metrics of a run: one table, from which everything that names a metric is made.

    METRICS: name -> Metric(formula over facts, unit, words, which way is better, ...)

`sim.summary.Summary` is its shipped part, with the formulas; docs/metrics.md, reports, targets and
the columns of a sweep read the same table. A formula takes `sim.facts.Facts`, columns over runs,
and returns a column; a single run is a column of one. With several turns, times to first token and
their parts are means over the turns; token counts, bytes and joules are totals. A metric that a run
never reached (no memory, a single output token) is NaN there, and ``None`` wherever people see it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from types import FunctionType, ModuleType
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from sim.errors import SimError
from sim.facts import Facts
from sim.summary import Better, Formula, Summary
from workloads.errors import did_you_mean
from workloads.plugins import load_all
from workloads.scenario import Scenario

AnyFormula = TypeVar("AnyFormula", bound=Formula)

GROUP: Final = "andesim.metrics"
"""Modules that entry points of this group name are imported: what they decorate is known then."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes
    ----------
    unit
        As people read it; "yes or no" of a metric that is true or false.
    words
        Its name in a sentence, without the unit.
    better
        Which values are wished for; ``None``: neither.
    kind
        What its values are: float, int or bool.
    symbol, text
        Its symbol and formula on the page of metrics.
    """

    name: str
    formula: Formula
    unit: str
    words: str
    better: Better | None = None
    kind: type = float
    symbol: str = "-"
    text: str = ""

    def column(self, facts: Facts) -> NDArray[Any]:
        """Return the metric of each run, NaN where it was never reached, shape (runs,).

        Raises `SimError` where the formula does not give a number for each run.
        """
        try:
            found = np.broadcast_to(np.asarray(self.formula(facts), dtype=float), (facts.runs,))
        except Exception as error:  # a user's own formula may raise anything
            raise SimError(
                f"metric {self.name} must give a number for each of the {facts.runs} runs. "
                f"Got {type(error).__name__}: {error}. Known facts: {', '.join(_fact_names())}."
            ) from None
        return found if self.kind is float else found.astype(self.kind)

    def value(self, facts: Facts, run: int = 0) -> Any:
        """Return the metric of one run as a plain number, ``None`` where it was never reached."""
        found = self.column(facts)[run].item()
        return None if isinstance(found, float) and math.isnan(found) else found


KINDS: Final = {"int": int, "bool": bool}
METRICS: Final[dict[str, Metric]] = {
    item.name: Metric(item.name, kind=KINDS.get(str(item.type), float), **item.metadata)
    for item in fields(Summary)
}
"""Every metric by name: those of `Summary`, then those that users added."""


def known_metrics() -> dict[str, Metric]:
    """Return every metric by name, those of other packages included (entry points of `GROUP`)."""
    _import_plugins()
    return METRICS


@cache
def _import_plugins() -> None:
    load_all(GROUP, ModuleType, FunctionType)


def headlines(scenario: Scenario) -> tuple[str, ...]:
    """Return the metrics that answer a scenario first: those of a session, or of a network."""
    if scenario.network is not None:
        return ("inference_s",)
    return ("time_to_first_token_s", "tokens_per_s")


def ships(name: str) -> bool:
    """Return whether a metric ships, rather than having been added."""
    return name in Summary.__dataclass_fields__


def metric(
    *, unit: str, words: str, better: Better | None = None
) -> Callable[[AnyFormula], AnyFormula]:
    """Add a metric: decorate a formula over facts, whose name the metric gets.

    It is then known to runs, draws, sweeps, reports, targets and the dashboard.

    >>> @metric(unit="J/token", words="energy per decoded token", better="lower")
    ... def decode_j_per_token(facts):
    ...     return facts.decode.dynamic_j / facts.decode.committed_tokens
    >>> METRICS.pop("decode_j_per_token").unit
    'J/token'

    Parameters
    ----------
    unit
        As people read it, such as ``J/token``.
    words
        Its name in a sentence, without the unit.
    better
        Which values are wished for; ``None``: neither.

    Raises
    ------
    SimError
        Where a metric that ships has that name, or unit or words are missing.
    """

    def known(formula: AnyFormula) -> AnyFormula:
        name = getattr(formula, "__name__", "")
        if not name.isidentifier():
            raise SimError(f"a metric must be a function with a name. Got {name or formula!r}.")
        if ships(name):
            raise SimError(f"a metric must have a name of its own. Got '{name}', which ships.")
        if not unit.strip() or not words.strip():
            raise SimError(f"metric {name} must state unit and words. Got {unit!r} and {words!r}.")
        text = " ".join((formula.__doc__ or "").split())
        METRICS[name] = Metric(name, formula, unit, words, better, text=text)
        return formula

    return known


def named(name: str) -> Metric:
    """Return a metric by name; `SimError` names the nearest where there is none."""
    known = known_metrics()
    if name not in known:
        raise SimError(f"A metric must be known. Got {name!r}. {did_you_mean(name, known)}")
    return known[name]


def metric_columns(facts: Facts) -> dict[str, NDArray[Any]]:
    """Return every metric as a column over runs, shape (runs,)."""
    return {name: item.column(facts) for name, item in known_metrics().items()}


def metric_values(facts: Facts, run: int = 0) -> dict[str, Any]:
    """Return every metric of one run by name, ``None`` where it was never reached."""
    return {name: item.value(facts, run) for name, item in known_metrics().items()}


def summarise(facts: Facts, run: int = 0) -> Summary:
    """Return the metrics that ship, of one run."""
    return Summary(**{item.name: METRICS[item.name].value(facts, run) for item in fields(Summary)})


def page_rows() -> list[str]:
    """Return the table of docs/metrics.md: a line for each metric that ships."""
    shipped = [item for item in METRICS.values() if ships(item.name)]
    return [f"| `{m.name}` | {m.symbol} | {m.text} | {m.unit} |" for m in shipped]


def _fact_names() -> list[str]:
    return [item.name for item in fields(Facts)]


SAME = 1e-9
"""Relative difference below which two metrics are one: other processors differ in the last bits."""


def moved_metrics(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return the metrics of ``before`` that ``now`` lacks or that differ by more than `SAME`."""
    return [name for name, value in before.items() if not _is_same(value, now.get(name))]


def _is_same(before: float | None, now: float | None) -> bool:
    if before is None or now is None:
        return before is now
    return math.isclose(before, now, rel_tol=SAME)
