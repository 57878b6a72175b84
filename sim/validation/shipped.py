"""The judged rows that ship beside the program, for "nearest evidence" in every answer.

    python -m sim.validation.shipped          writes validation_data/judged.csv, a few minutes

Rows in role validation, of the exhibits and the corpus, are judged by the shipped devices. Rows in
role calibration come from `sim.calibration.folds`: judged by a fit without their network. Nothing
is chosen here; writing the file again is the same look at the same rows after the devices changed.

Joules per token and rates over minutes are replayed by `sim.validation.energy`, in both roles.

Not modelled: intervals of memory and of rates over minutes, which have none yet; theirs are empty
(low = high).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cache, partial
from typing import Final

from hw_models.soc import SocSpec, list_socs, load_soc
from sim.calibration.folds import Fold, Residual, spread_of
from sim.calibration.networks import RESIDUALS as OF_NETWORKS
from sim.calibration.rows import observe
from sim.calibration.shipping import read_residuals
from sim.evidence.corpus_networks import network_rows
from sim.evidence.corpus_runs import language_runs
from sim.evidence.exhibits import load_exhibits, runs_in_role
from sim.evidence.measured import MeasuredRun
from sim.evidence.nearest import JudgedRow, Size, size_of, write_judged
from sim.evidence.questions import DECODE, CannotSimulate
from sim.validation.energy import Replayed, energy_rows, series_rows
from sim.validation.intervals import around, factor_80
from sim.validation.judging import WHOLE_RUN, Judged, judge
from sim.validation.networks import stacks_by_device

UNSEEN: Final[Fold] = "network"
"""The fold whose residuals are shown: the network was left out on every device."""
SIZES: Final = ("prompt_tokens", "output_tokens", "context_tokens", "depth_tokens", "image_px")
"""What a measured run's size depends on beside its model and formats."""
_SIZES: dict[tuple[object, ...], Size] = {}


def judged() -> list[JudgedRow]:
    """Return every row that ships and can be judged, those of both roles."""
    return [*_validated(), *_left_out(), *_over_minutes()]


def _validated() -> Iterator[JudgedRow]:
    """Yield the rows in role validation, judged by the shipped devices."""
    residuals = read_residuals()
    for run in _runs("validation"):
        for metric in run.metrics:
            try:
                found = judge(run, metric, None, residuals)
            except CannotSimulate:
                continue
            if not found.impossible:
                yield _row(found)


def _left_out() -> Iterator[JudgedRow]:
    """Yield the rows in role calibration as the fits without their networks simulate them."""
    runs = {(run.id, metric): run for run in _runs("calibration") for metric in run.metrics}
    for residuals in (read_residuals(), read_residuals(OF_NETWORKS)):
        spread = cache(partial(spread_of, residuals, UNSEEN))
        for item in (item for item in residuals if item.fold == UNSEEN):
            run = runs.get((item.id, item.metric))
            if run is not None:
                yield _of_residual(item, run, spread(item.stack, item.unit, item.metric))


def _over_minutes() -> Iterator[JudgedRow]:
    """Yield joules per token and late rates of phones that decoded for some time."""
    for role in ("calibration", "validation"):
        yield from (_replayed(row, "energy_j_per_token") for row in energy_rows(role))
        yield from (_replayed(row, "sustained_share") for row in series_rows(role))


def _replayed(row: Replayed, metric: str) -> JudgedRow:
    soc, stack = row.result.soc, row.result.stack
    groups = [times.group for times in row.result.groups if times.group.phase == "decode"]
    where = (row.role, soc.id, stack, soc.stack(stack).unit, metric)
    what = (row.model, row.weights, row.source, *size_of(groups, 0.0))
    values = (row.measured, row.simulated, row.low, row.high)
    return JudgedRow._make([row.id, *where, *what, *values])


def _runs(role: str) -> list[MeasuredRun]:
    shown = runs_in_role(load_exhibits(), "validation") if role == "validation" else []
    networks = (row.run for row in network_rows(stacks_by_device(), role) if row.is_own)
    known = frozenset(list_socs())
    found = [*shown, *language_runs(role), *networks]
    return [run for run in found if run.device in known]


@cache
def _device(name: str) -> SocSpec:
    return load_soc(name)


def _row(found: Judged) -> JudgedRow:
    low, high = found.interval or (found.simulated, found.simulated)
    metric = DECODE if found.metric in WHOLE_RUN else found.metric
    unit = _device(found.device).stack(found.stack).unit
    values = (found.measured, found.simulated, low, high)
    where = ("validation", found.device, found.stack, unit, found.metric)
    return _shipped(_asked(found.run, metric), metric, where, values)


def _asked(run: MeasuredRun, metric: str) -> MeasuredRun:
    """Return a run with a value for a metric, so that its program can be compiled."""
    return run if metric in run.metrics else run.model_copy(update={metric: 1.0})


def _of_residual(item: Residual, run: MeasuredRun, spread: float) -> JudgedRow:
    measured, factor = run.metrics[item.metric], factor_80(item.of_parameters, spread)
    simulated = measured * math.exp(item.log_error)
    where = ("calibration", item.device, item.stack, item.unit, item.metric)
    values = (measured, simulated, *around(simulated, factor))
    return _shipped(run, item.metric, where, values)


def _shipped(
    run: MeasuredRun, metric: str, where: Sequence[str], values: Sequence[float]
) -> JudgedRow:
    what = (run.model, run.weights or "", run.source_url)
    return JudgedRow._make([run.id, *where, *what, *_size(run, metric), *values])


def _size(run: MeasuredRun, metric: str) -> Size:
    """Return the size of a run; rows that ask alike share it, whatever their phone."""
    asked = (metric, run.model, run.weights, *(getattr(run, name) for name in SIZES))
    if asked not in _SIZES:
        row = observe(run, metric, _device(run.device))
        seen = (group for group in row.program.groups if group.phase == "vision")
        patches = float(sum(group.new_tokens.sum() for group in seen))
        _SIZES[asked] = size_of(row.groups, patches)
    return _SIZES[asked]


def main() -> None:
    """Write the file and say how many rows it holds."""
    rows = judged()
    write_judged(rows)
    print(f"{len(rows)} judged rows, {len({row.device for row in rows})} devices")


if __name__ == "__main__":
    main()
