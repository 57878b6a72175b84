"""Validation: simulated against measured, on phones and hosts, on what no fit has seen.

Every row is simulated, or skipped with a reason; errors are relative to the measured value. There
is no aggregate over metrics: scores are given per metric and per group of rows. A case of
`andesim measure` is a row like any other, simulated by the engine that is asked for and compared
with its median call.

Not modelled: noise of the measurements, which the errors contain. Not judged: wall time of several
threads, and phases a measurement does not hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple, Protocol

import numpy as np

from hw_models.errors import HardwareError
from hw_models.soc import SocSpec
from sim.calibration.folds import Residual
from sim.calibration.operators import case_scenario
from sim.calibration.rows import Observation, Skipped, observe
from sim.errors import SimError
from sim.evidence.measured import MeasuredRun
from sim.evidence.measured_metrics import TIMED_PHASES
from sim.evidence.measuring.document import CaseTimes, MeasuredFile
from sim.evidence.questions import (
    DECODE,
    CannotSimulate,
    assumptions,
    device_of_run,
    scenario_of_run,
)
from sim.results import Result
from sim.simulation import EngineName, simulate
from sim.validation.intervals import around, conformal_factor, factor_80, interval_80, widening
from sim.validation.roofline import impossible
from sim.validation.units import unit_in_doubt
from workloads.errors import WorkloadError

WHOLE_RUN: Final = {
    "peak_dram_bytes": "peak_dram_bytes",
    "power_w": "mean_power_w",
    "energy_j_per_token": "energy_per_token_j",
}
"""Measured metrics of a whole run, and the simulated metric of each; they have no interval yet."""
OF_A_CASE: Final = {
    "vision": "vision_encode_s",
    "prefill": "prefill_s",
    "decode": "time_per_output_token_s",
}
"""The metric that a case of each phase is judged on."""
GROUPS: Final = ("unit", "stack", "device", "context", "weights")
"""Kinds of groups that scores are given for."""
SHORT_CONTEXT_TOKENS: Final = 1024
"""Largest context of the group of short ones."""
HEAVY_BYTES: Final = 1e9
"""Least weight bytes a step of the group of heavy networks reads [B]."""


@dataclass(frozen=True)
class Judged:
    """One metric of one run, measured and simulated, both in the metric's unit.

    Attributes
    ----------
    interval
        Central 80 % interval of the simulated value, if the metric has one.
    reference
        The same from the errors of networks left out, if there are enough; see `conformal`.
    impossible
        Why the measured value cannot be true, if it beats the roofline.
    groups
        What the row belongs to, by kind of group.
    warnings
        What the source left open or doubtful, a unit too, and what was taken for granted here.
    noise
        Disagreement of the measurement's rounds, a fraction: no error below it means anything;
        none where the source does not say.
    """

    run: MeasuredRun
    metric: str
    device: str
    stack: str
    measured: float
    simulated: float
    interval: tuple[float, float] | None = None
    reference: tuple[float, float] | None = None
    impossible: str | None = None
    groups: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    noise: float | None = None

    @property
    def error(self) -> float:
        """(simulated - measured) / measured."""
        return self.simulated / self.measured - 1.0

    @property
    def is_held(self) -> bool:
        """Whether the interval holds what was measured, or there is none."""
        return self.interval is None or self.interval[0] <= self.measured <= self.interval[1]


class Compared(Protocol):
    """A measured value beside the simulated one; see `Judged`."""

    @property
    def measured(self) -> float:
        """In the metric's unit."""

    @property
    def error(self) -> float:
        """(simulated - measured) / measured."""

    @property
    def interval(self) -> tuple[float, float] | None:
        """Central 80 % interval of the simulated value."""

    @property
    def reference(self) -> tuple[float, float] | None:
        """The same from the errors of networks left out."""


class Scores(NamedTuple):
    """How well a group of rows of one metric was simulated.

    Mean absolute (MAPE), mean signed (bias) and 95th percentile of the absolute errors, relative to
    the measured values; the shares of rows inside their intervals, of those that have one.
    """

    n: int
    mape: float
    bias: float
    p95_abs_error: float
    inside_interval: float | None
    inside_reference: float | None


@dataclass(frozen=True)
class Validation:
    """Rows that were judged and rows that were not."""

    rows: tuple[Judged, ...]
    skipped: tuple[Skipped, ...]

    def metrics(self) -> list[str]:
        """Return the metrics that were judged."""
        return sorted({row.metric for row in self.rows})

    def by_group(self, kind: str) -> dict[tuple[str, str], Scores]:
        """Return the scores by (metric, group) for one kind of group, such as "stack"."""
        found: dict[tuple[str, str], list[Judged]] = {}
        for row in self.rows:
            found.setdefault((row.metric, row.groups[kind]), []).append(row)
        return {key: scores(rows) for key, rows in sorted(found.items())}

    def by_metric(self) -> dict[str, Scores]:
        """Return the scores of all rows of each metric."""
        return {
            metric: scores([row for row in self.rows if row.metric == metric])
            for metric in self.metrics()
        }


def validate(
    runs: Iterable[MeasuredRun],
    soc: SocSpec | None = None,
    residuals: Sequence[Residual] = (),
) -> Validation:
    """Judge every metric of every run.

    Parameters
    ----------
    soc
        Device to use instead of the ones the rows name.
    residuals
        What left-out calibration rows gave, for the reference intervals.
    """
    rows: list[Judged] = []
    skipped: list[Skipped] = []
    for run in runs:
        reasons: list[str] = []
        for metric in run.metrics or ("",):
            try:
                rows.append(judge(run, metric, soc, residuals))
            except CannotSimulate as error:
                reasons.append(str(error))
        skipped += [Skipped(run.id, reason) for reason in dict.fromkeys(reasons)]
    return Validation(tuple(rows), tuple(skipped))


def validate_host(
    files: Iterable[MeasuredFile], soc: SocSpec, engine: EngineName = "maxplus"
) -> Validation:
    """Judge every case of measurements on a host device."""
    rows = [_case(file, times, soc, engine) for file in files for times in file.measurement.cases]
    return Validation(tuple(rows), ())


def judge(
    run: MeasuredRun, metric: str, soc: SocSpec | None, residuals: Sequence[Residual]
) -> Judged:
    """Return one metric of one run, judged, or raise `CannotSimulate`."""
    if run.refusal:
        raise CannotSimulate(run.refusal)
    if run.role in ("calibration", "context"):
        said = " ".join((f"the row has role {run.role}: it does not judge.", run.notes))
        raise CannotSimulate(said.strip())
    if not metric:
        raise CannotSimulate(" ".join(("the row holds no metric to judge.", *run.warnings)))
    device = device_of_run(run, soc)
    if metric in TIMED_PHASES:
        row = _timed(observe(run, metric, device), device, residuals)
    else:
        row = _whole(run, metric, device)
    doubt = unit_in_doubt(metric, row.measured, row.simulated)
    return replace(row, warnings=(doubt, *row.warnings)) if doubt else row


def scores(rows: Sequence[Compared]) -> Scores:
    """Return the scores of rows of one metric, at least one."""
    errors = [row.error for row in rows]
    sizes = np.abs(errors)
    return Scores(
        n=len(rows),
        mape=float(sizes.mean()),
        bias=float(np.mean(errors)),
        p95_abs_error=float(np.percentile(sizes, 95)),
        inside_interval=_inside(rows, lambda row: row.interval),
        inside_reference=_inside(rows, lambda row: row.reference),
    )


def _timed(row: Observation, soc: SocSpec, residuals: Sequence[Residual]) -> Judged:
    value, low, high = interval_80(row, soc)
    factor = conformal_factor(
        item.log_error
        for item in residuals
        if (item.fold, item.unit, item.metric) == ("network", row.unit, row.metric)
    )
    return Judged(
        run=row.run,
        metric=row.metric,
        device=row.device,
        stack=row.stack,
        measured=row.measured,
        simulated=value,
        interval=(low, high),
        reference=around(value, factor) if factor else None,
        impossible=impossible(row, soc),
        groups=_groups(row),
        warnings=(*row.run.warnings, *assumptions(row.run, row.metric)),
    )


def _whole(run: MeasuredRun, metric: str, soc: SocSpec) -> Judged:
    """Return a metric of the whole run, judged, or raise `CannotSimulate`."""
    scenario = scenario_of_run(run, DECODE, soc)
    try:
        result = simulate(scenario, soc=soc)
    except (WorkloadError, HardwareError, SimError) as error:
        raise CannotSimulate(" ".join(str(error).split())) from None
    simulated = getattr(result.summary(), WHOLE_RUN[metric])
    if simulated is None:
        raise CannotSimulate(f"the run does not fit in memory, so it has no {metric}.")
    return Judged(
        run=run,
        metric=metric,
        device=soc.id,
        stack=result.stack,
        measured=run.metrics[metric],
        simulated=simulated,
        groups=_whole_groups(result),
        warnings=(*run.warnings, *assumptions(run, metric)),
    )


def _case(file: MeasuredFile, times: CaseTimes, soc: SocSpec, engine: EngineName) -> Judged:
    """Return one case, judged; its interval is the spread that the fit left with the stack."""
    run, case = file.measurement, times.case
    scenario = case_scenario(file.model, case, run.dtype)
    result = simulate(scenario, engine=engine, soc=soc)
    fitted = soc.stack(result.stack).fit
    spread = fitted.spread if fitted else 0.0
    metric = OF_A_CASE[case.phase]
    simulated = float(getattr(result.summary(), metric))
    beyond = widening(result.program, soc, result.stack)
    name = f"{run.model} {case.id}"
    return Judged(
        run=MeasuredRun(id=name, device=soc.id, stack=result.stack, model=run.model),
        metric=metric,
        device=soc.id,
        stack=result.stack,
        measured=times.median_s(run.device),
        simulated=simulated,
        interval=around(simulated, factor_80(spread, beyond)),
        groups=_whole_groups(result),
        noise=times.noise(run.device),
    )


def _whole_groups(result: Result) -> dict[str, str]:
    """Return the groups of a whole run, which is of no regime of context or weights."""
    own = {"unit": result.soc.stack(result.stack).unit, "stack": result.stack}
    return dict.fromkeys(GROUPS, "all") | own | {"device": result.soc.id}


def _groups(row: Observation) -> dict[str, str]:
    tokens = row.run.context_tokens or row.program.kv_tokens_final
    short = tokens <= SHORT_CONTEXT_TOKENS
    heavy = row.program.weight_bytes_per_step >= HEAVY_BYTES
    return {
        "unit": row.unit,
        "stack": row.stack,
        "device": row.device,
        "context": f"{'up to' if short else 'above'} {SHORT_CONTEXT_TOKENS} tokens",
        "weights": f"{'from' if heavy else 'below'} {HEAVY_BYTES / 1e9:g} GB a step",
    }


def _inside(
    rows: Sequence[Compared], interval_of: Callable[[Compared], tuple[float, float] | None]
) -> float | None:
    """Return the share of measured values inside their interval, of those that have one."""
    inside = [
        interval[0] <= row.measured <= interval[1]
        for row in rows
        if (interval := interval_of(row)) is not None
    ]
    return sum(inside) / len(inside) if inside else None
