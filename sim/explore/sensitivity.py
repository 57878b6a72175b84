"""Which uncertain number matters: one at a time (tornado), by elementary effects, by variance.

- `tornado` moves each number to its low and its high value, all else equal.
- `morris` averages the effect of a move over places in the space (elementary effects, Morris 1991;
  their absolute mean, Campolongo et al. 2007).
- `sobol` splits the variance of a metric into what each number causes alone and in all
  (Sobol 1993, Saltelli et al. 2010).

The last two come from SALib, which the extra `sensitivity` installs. `least_certain` is the answer
in one line. Not modelled: uncertainty of the scenario itself, which a sweep shows; and, here, that
numbers of one stack rise and fall together (`sim.explore.draws`): each moves by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hw_models.provenance import Parameter
from sim.errors import SimError
from sim.explore.targets import bounded
from sim.metrics import ships
from workloads.errors import did_you_mean

if TYPE_CHECKING:
    from sim.results import Result

MIN_SPREAD = 1.05
"""Parameters whose range is narrower than 5 % are not worth a run."""

REPLY = "reply_s"
"""Seconds of the whole session, first image to last token; known here beside the metrics."""

SCREENED = 8
"""Parameters that `sobol` keeps, the widest of the tornado."""

SHARED = ("dram.", "flash.", "host.", "power.", "thermal.")
"""Parts of a device that every run stands on, whatever its stack and units."""


@dataclass(frozen=True, slots=True)
class Swing:
    """How far one parameter moves one metric.

    Attributes
    ----------
    source
        Title of the parameter's source.
    low, high
        The metric with the parameter at its low and at its high value, in the metric's unit.
    """

    path: str
    parameter: Parameter
    source: str
    metric: str
    low: float
    high: float

    @property
    def width(self) -> float:
        """Distance between the two outcomes."""
        return abs(self.high - self.low)

    def sentence(self) -> str:
        """Return the assumption and what it does, for people."""
        item = self.parameter
        least, most = sorted((self.low, self.high))
        unit = "" if item.unit in ("fraction", "count") else f" {item.unit}"
        return (
            f"{self.path} = {item.value:g}{unit} ({item.kind}, {item.low:g} to {item.high:g}) "
            f"puts {_spoken(self.metric, least, most)}."
        )


@dataclass(frozen=True, slots=True)
class Effect:
    """Influence of one parameter on a metric.

    Attributes
    ----------
    main
        Morris: mean absolute elementary effect, in the metric's unit. Sobol: share of the variance
        the parameter causes alone.
    interaction
        Morris: standard deviation of the effects. Sobol: share of the variance it takes part in.
    confidence
        Half width of the 95 % interval of `main`.
    """

    path: str
    main: float
    interaction: float
    confidence: float


def parameters_behind(result: Result) -> dict[str, Parameter]:
    """Return every parameter of the device that a run stands on, by dotted path.

    Those of its stack, of the units its tasks run on, and of what all runs share.
    """
    own = (f"stacks.{result.stack}.", *(f"units.{unit}." for unit in sorted(_units(result))))
    return {
        path: item
        for path, item in result.soc.parameters().items()
        if path.startswith((*own, *SHARED))
    }


def relevant(result: Result, metric: str) -> dict[str, Parameter]:
    """Return the uncertain parameters that can move a metric of a run.

    For times those are the numbers of the DRAM bus, of the units at work and of the stack. Raises
    `SimError` where the metric is not known.
    """
    from sim.explore.draws import BUS, uncertain

    known = {REPLY, *bounded()}
    if metric not in known:
        raise SimError(f"A metric must be known. Got {metric!r}. {did_you_mean(metric, known)}")
    others = ("load_s", "sustained_tokens_per_s")
    is_time = metric == REPLY or (ships(metric) and metric.endswith("_s") and metric not in others)
    timing = (
        *BUS,
        "dram.queueing",
        "dram.system_cache.",
        *(f"units.{unit}." for unit in _units(result)),
        "stacks.",
    )
    return {
        path: item
        for path, item in uncertain(result.soc, result.stack).items()
        if item.high > MIN_SPREAD * item.low and (not is_time or path.startswith(timing))
    }


def tornado(result: Result, metric: str = REPLY) -> list[Swing]:
    """Return the swing of each uncertain parameter that can move a metric, widest first.

    Costs two runs a parameter. Raises `SimError` where the metric is not known.
    """
    from sim.explore.variants import reply_seconds, variant_metrics

    items = relevant(result, metric)
    if not items:
        return []
    ends = [(path, end) for path, item in items.items() for end in (item.low, item.high)]
    nominal = {path: item.value for path, item in items.items()}
    moved = [nominal | {path: end} for path, end in ends]
    columns = {path: np.array([values[path] for values in moved]) for path in items}
    outcomes = (
        reply_seconds(result, columns)
        if metric == REPLY
        else variant_metrics(result, columns)[metric]
    )
    swings = [
        Swing(path, item, result.soc.sources[item.source].title, metric, float(low), float(high))
        for (path, item), (low, high) in zip(items.items(), outcomes.reshape(-1, 2), strict=True)
    ]
    return sorted(swings, key=lambda swing: -np.nan_to_num(swing.width))


def least_certain(result: Result, metric: str = REPLY) -> Swing | None:
    """Return the widest swing, or ``None`` where nothing uncertain moves the metric."""
    found = tornado(result, metric)
    return found[0] if found and found[0].width > 1e-9 * abs(found[0].high) else None


def morris(
    result: Result, metric: str = REPLY, *, trajectories: int = 10, seed: int = 0
) -> list[Effect]:
    """Return the elementary effects of each uncertain parameter, most influential first.

    Costs ``trajectories * (parameters + 1)`` runs. Raises `SimError` without SALib, where nothing
    is uncertain, and where a run does not reach the metric.
    """
    sample, analyze = _salib("morris")
    items = relevant(result, metric)
    problem = _problem(items)
    shares = sample.sample(problem, trajectories, seed=seed)
    outcomes = _outcomes(result, items, shares, metric)
    found = analyze.analyze(problem, shares, outcomes, seed=seed)
    return _effects(items, found["mu_star"], found["sigma"], found["mu_star_conf"])


def sobol(result: Result, metric: str = REPLY, *, samples: int = 64, seed: int = 0) -> list[Effect]:
    """Return the variance shares of the parameters with the widest swings, largest total first.

    Costs ``samples * (SCREENED + 2)`` runs; `samples` is a power of two. Raises as `morris`.
    """
    sample, analyze = _salib("sobol")
    items = {swing.path: swing.parameter for swing in tornado(result, metric)[:SCREENED]}
    problem = _problem(items)
    shares = sample.sample(problem, samples, calc_second_order=False, seed=seed)
    outcomes = _outcomes(result, items, shares, metric)
    found = analyze.analyze(problem, outcomes, calc_second_order=False, seed=seed)
    return _effects(items, found["S1"], found["ST"], found["S1_conf"])


def _units(result: Result) -> set[str]:
    """Return the compute units that the tasks of a run are placed on."""
    return {task.unit for group in result.program.groups for task, _ in group.tasks()}


def _effects(items: Mapping[str, Parameter], *columns: NDArray[np.float64]) -> list[Effect]:
    rows = zip(
        items, *(np.asarray(column, dtype=float).tolist() for column in columns), strict=True
    )
    effects = [Effect(*row) for row in rows]
    return sorted(effects, key=lambda effect: -max(effect.main, effect.interaction))


def _problem(items: Mapping[str, Parameter]) -> dict[str, Any]:
    if not items:
        raise SimError("Sensitivity must have an uncertain number. Got a device without any.")
    return {"num_vars": len(items), "names": list(items), "bounds": [[0.0, 1.0]] * len(items)}


def _outcomes(
    result: Result, items: Mapping[str, Parameter], shares: NDArray[np.float64], metric: str
) -> NDArray[np.float64]:
    """Return the metric where each parameter lies at a share of its distribution."""
    from sim.explore.draws import values_at
    from sim.explore.variants import variant_metrics

    outcomes = variant_metrics(result, values_at(items, shares))[metric]
    if not np.isfinite(outcomes).all():
        raise SimError(f"Sensitivity of {metric} must have a value in every run. Got none in some.")
    return outcomes


def _salib(method: str) -> tuple[Any, Any]:
    from importlib import import_module

    try:
        return import_module(f"SALib.sample.{method}"), import_module(f"SALib.analyze.{method}")
    except ModuleNotFoundError:
        raise SimError(
            f"{method} must have SALib. Got none. "
            "Remedy: pip install '.[sensitivity]' in andesim's folder."
        ) from None


SHORT_S = 0.1
"""Shorter runs are told in milliseconds [s]."""


def _spoken(metric: str, least: float, most: float) -> str:
    if metric == REPLY:
        if most < SHORT_S:
            return f"the whole run between {least * 1e3:.3g} and {most * 1e3:.3g} ms"
        return f"the whole reply between {least:.2f} and {most:.2f} s"
    return f"{metric} between {least:.4g} and {most:.4g}"
