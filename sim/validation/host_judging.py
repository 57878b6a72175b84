"""Judge a host device on measured runs, per phase and never as one number.

A case is simulated as a user would simulate it, by the engine that is asked for, and compared with
the median call. Errors are relative to the measured value. An interval is the spread that the
fit left with the stack, widened where the run leaves the calibrated sizes.

Not judged: wall time of several threads, and phases a measurement does not hold.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from hw_models.soc import SocSpec
from sim.calibrated_range import outside
from sim.calibration.operators import Samples, case_scenario
from sim.evidence.measuring.document import CaseTimes, MeasuredFile, Measurement
from sim.explore.draws import CENTRAL_80
from sim.results import Result
from sim.simulation import Engine, simulate
from sim.summary import Summary
from sim.validation.scores import error_scores

METRICS: Final = {
    "vision": "vision_encode_s",
    "prefill": "prefill_s",
    "decode": "time_per_output_token_s",
}
OUTSIDE_SPREAD: Final = 0.5  # assumed: error grows by half the log distance outside the range
FARTHEST_OUTSIDE: Final = 4.0  # largest log distance that counts; an unknown kernel is as far


@dataclass(frozen=True, slots=True)
class HostRow:
    """One case, measured and simulated.

    Attributes
    ----------
    measured, simulated, low, high
        Seconds; ``low`` to ``high`` is the nominal 80 % interval of the simulation [s].
    error
        ``simulated / measured - 1``.
    noise
        Disagreement of the measurement's rounds, a fraction: no error below it means anything.
    """

    id: str
    phase: str
    metric: str
    engine: str
    measured: float
    simulated: float
    low: float
    high: float
    error: float
    noise: float

    @property
    def inside(self) -> bool:
        """Whether the measured value lies in the interval."""
        return self.low <= self.measured <= self.high


@dataclass(frozen=True, slots=True)
class PhaseErrors:
    """Relative errors of one phase: mean absolute, signed mean, 95th percentile, coverage."""

    phase: str
    n: int
    mape: float
    bias: float
    p95_abs_error: float
    inside_interval: float


def judge(
    measurement: Measurement,
    soc: SocSpec,
    *,
    trace: str | None = None,
    engine: Engine = "maxplus",
) -> list[HostRow]:
    """Return a row for each case of a measurement.

    Parameters
    ----------
    trace
        Path of the model's trace, for a model that is not in the catalogue.
    """
    model = trace or measurement.model
    return [_row(measurement, model, times, soc, engine) for times in measurement.cases]


def _row(
    measurement: Measurement, model: str, times: CaseTimes, soc: SocSpec, engine: Engine
) -> HostRow:
    scenario = case_scenario(model, times.case, measurement.dtype)
    result = simulate(scenario, engine=engine, soc=soc)
    metric = METRICS[times.case.phase]
    measured, simulated = times.median_s(measurement.device), _seconds(result.summary(), metric)
    factor = _factor_80(result)
    return HostRow(
        id=f"{measurement.model} {times.case.id}",
        phase=times.case.phase,
        metric=metric,
        engine=result.engine,
        measured=measured,
        simulated=simulated,
        low=simulated / factor,
        high=simulated * factor,
        error=simulated / measured - 1.0,
        noise=times.noise(measurement.device),
    )


def _factor_80(result: Result) -> float:
    """Return what an 80 % interval divides and multiplies by."""
    stack = result.soc.stack(result.stack)
    spread = stack.fit.spread if stack.fit else 0.0
    found = outside(result.program, stack)
    beyond = max((item.log_distance for item in found), default=0.0)
    widening = OUTSIDE_SPREAD * min(beyond, FARTHEST_OUTSIDE)
    return math.exp(CENTRAL_80 * math.hypot(spread, widening))


def judge_all(
    runs: Iterable[MeasuredFile], soc: SocSpec, *, engine: Engine = "maxplus"
) -> list[HostRow]:
    """Return a row for each case of some measured runs; see `judge`."""
    rows: list[HostRow] = []
    for run in runs:
        rows += judge(run.measurement, soc, trace=run.trace, engine=engine)
    return rows


def phase_errors(rows: Iterable[HostRow]) -> list[PhaseErrors]:
    """Return the errors of each phase that has rows."""
    by_phase: dict[str, list[HostRow]] = {}
    for row in rows:
        by_phase.setdefault(row.phase, []).append(row)
    return [_errors(phase, found) for phase, found in by_phase.items()]


def operator_errors(samples: Samples, soc: SocSpec) -> dict[str, float]:
    """Return the median absolute relative error per kernel, and over ``all`` operators."""
    found = np.abs(np.expm1(samples.log_errors([soc])[0][0]))
    errors: dict[str, list[float]] = {}
    for group, own in zip(samples.operators, np.split(found, samples.ends[:-1]), strict=True):
        errors.setdefault(group.kernel, []).extend(own.tolist())
    pooled = [error for found in errors.values() for error in found]
    medians = {name: statistics.median(found) for name, found in sorted(errors.items())}
    return {**medians, "all": statistics.median(pooled)}


def _seconds(summary: Summary, metric: str) -> float:
    return float(getattr(summary, metric))


def _errors(phase: str, rows: Sequence[HostRow]) -> PhaseErrors:
    return PhaseErrors(
        phase=phase,
        n=len(rows),
        **error_scores([row.error for row in rows])._asdict(),
        inside_interval=statistics.fmean(row.inside for row in rows),
    )
