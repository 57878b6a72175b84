"""Validation: simulated against measured, on rows that no fit has seen.

Every row is simulated, or skipped with a reason; errors are relative to the measured value. There
is no aggregate over metrics: scores are given per metric and per group of rows.

Not modelled: noise of the measurements, which the errors contain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from hw_models.errors import HardwareError
from hw_models.soc import SocSpec
from sim.calibration.folds import Residual
from sim.calibration.rows import PHASES, Observation, Skipped, observe
from sim.errors import SimError
from sim.evidence.measured import MeasuredRun
from sim.evidence.physics import impossible
from sim.evidence.questions import (
    DECODE,
    CannotSimulate,
    assumptions,
    device_of_run,
    scenario_of_run,
)
from sim.simulation import simulate
from sim.validation.conformal import conformal_factor
from sim.validation.intervals import interval_80
from sim.validation.scores import error_scores
from workloads.errors import WorkloadError

WHOLE_RUN: Final = {
    "peak_dram_bytes": "peak_dram_bytes",
    "power_w": "mean_power_w",
    "energy_j_per_token": "energy_per_token_j",
}
"""Measured metrics of a whole run, and the simulated metric of each; they have no interval yet."""
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

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the source left open or doubtful, and what was taken for granted here."""
        return (*self.run.warnings, *assumptions(self.run, self.metric))

    @property
    def error(self) -> float:
        """(simulated - measured) / measured."""
        return self.simulated / self.measured - 1.0


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
    if metric in PHASES:
        return _timed(observe(run, metric, device), device, residuals)
    return _whole(run, metric, device)


def scores(rows: Sequence[Judged]) -> Scores:
    """Return the scores of rows of one metric, at least one."""
    return Scores(
        n=len(rows),
        **error_scores([row.error for row in rows])._asdict(),
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
        reference=(value / factor, value * factor) if factor else None,
        impossible=impossible(row, soc),
        groups=_groups(row),
    )


def _whole(run: MeasuredRun, metric: str, soc: SocSpec) -> Judged:
    """Return a metric of the whole run, judged, or raise `CannotSimulate`."""
    if metric not in WHOLE_RUN:
        raise CannotSimulate(f"{metric} is of one call of a network, which no session has.")
    scenario = scenario_of_run(run, DECODE, soc)
    try:
        simulated = getattr(simulate(scenario, soc=soc).summary(), WHOLE_RUN[metric])
    except (WorkloadError, HardwareError, SimError) as error:
        raise CannotSimulate(" ".join(str(error).split())) from None
    if simulated is None:
        raise CannotSimulate(f"the run does not fit in memory, so it has no {metric}.")
    stack = scenario.stack or soc.default_stack
    groups = dict.fromkeys(GROUPS, "all") | {"stack": stack, "device": soc.id}
    return Judged(
        run=run,
        metric=metric,
        device=soc.id,
        stack=stack,
        measured=run.metrics[metric],
        simulated=simulated,
        groups=groups | {"unit": soc.stack(stack).unit},
    )


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
    rows: Sequence[Judged], interval_of: Callable[[Judged], tuple[float, float] | None]
) -> float | None:
    """Return the share of measured values inside their interval, of those that have one."""
    inside = [
        interval[0] <= row.measured <= interval[1]
        for row in rows
        if (interval := interval_of(row)) is not None
    ]
    return sum(inside) / len(inside) if inside else None
