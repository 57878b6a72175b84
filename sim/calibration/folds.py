"""Cross-validation inside the calibration rows: leave one network out, leave one device out.

- *Network*: the stack is fitted again without any row of the network. Networks of equal shapes are
  left out together. A stack with one network falls back to its priors.
- *Device*: the stack takes the geometric mean of the fractions, efficiencies and shape factors that
  it was fitted to on the other devices. Overheads are the host's and stay with it.

The residuals choose the form of the model and give the reference intervals. Not modelled: releases
of a runtime, of which an exhibit may hold two.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal, NamedTuple

from hw_models.soc import SocSpec
from sim.calibration.rows import Observation, by_stack
from sim.calibration.stacks import Calibration, fit_stack
from sim.evidence.exhibits import same_shapes

OVERHEADS: Final = ("step_overhead_s", "graph_call_s")
"""Parameters that belong to the host and not to the runtime."""


class Residual(NamedTuple):
    """log(simulated / measured) of an observation that the fit had not seen."""

    fold: Literal["network", "device"]
    id: str
    device: str
    stack: str
    unit: str
    metric: str
    model: str
    log_error: float


def leave_one_out(
    rows: Sequence[Observation], fits: Sequence[Calibration], prior_of: Callable[[str], SocSpec]
) -> list[Residual]:
    """Return the residuals of both kinds of fold.

    Parameters
    ----------
    fits
        Fits to all of the rows; a device fold takes what its stack was fitted to on other devices.
    prior_of
        Returns the device with its priors.
    """
    found = [
        residual
        for (device, _), own in by_stack(rows).items()
        for residual in _networks(prior_of(device), own)
    ]
    return [*found, *_devices(fits, prior_of)]


def with_network_spread(
    fits: Sequence[Calibration], residuals: Iterable[Residual]
) -> list[Calibration]:
    """Return the fits with the spread that a network they have not seen must expect.

    It is the root mean square error of the stack's networks, each left out in turn. A stack with
    one network takes the pooled errors of the stacks with several, because its own residuals
    measure goodness of fit, not prediction.
    """
    errors: dict[tuple[str, str], list[float]] = {}
    networks: dict[tuple[str, str], set[str]] = {}
    for item in residuals:
        if item.fold == "network":
            errors.setdefault((item.device, item.stack), []).append(item.log_error)
            networks.setdefault((item.device, item.stack), set()).add(same_shapes(item.model))
    several = {key: own for key, own in errors.items() if len(networks[key]) > 1}
    pooled = [error for own in several.values() for error in own]
    return [_spread_out(fit, several.get((fit.device, fit.stack), pooled)) for fit in fits]


def _spread_out(fit: Calibration, errors: Sequence[float]) -> Calibration:
    if fit.found is None or not errors:
        return fit
    seen = math.sqrt(sum(error**2 for error in errors) / len(errors))
    return replace(fit, found=replace(fit.found, spread=max(fit.found.spread, seen)))


def network(row: Observation) -> str:
    """Return the network that a row's model counts as: models of equal shapes are one."""
    return same_shapes(row.run.model)


def _networks(soc: SocSpec, rows: Sequence[Observation]) -> Iterator[Residual]:
    for left_out in sorted({network(row) for row in rows}):
        kept = [row for row in rows if network(row) != left_out]
        found = fit_stack(soc, kept).found if kept else None
        judged = [row for row in rows if network(row) == left_out]
        yield from _residuals("network", judged, soc, found.values if found else {})


def _devices(fits: Sequence[Calibration], prior_of: Callable[[str], SocSpec]) -> Iterator[Residual]:
    for item in fits:
        others = [
            _of_the_runtime(other.found.values)
            for other in fits
            if other.stack == item.stack and other.device != item.device and other.found
        ]
        if others:
            yield from _residuals("device", item.rows, prior_of(item.device), mean_values(others))


def _of_the_runtime(values: Mapping[str, float]) -> dict[str, float]:
    return {path: value for path, value in values.items() if not path.endswith(OVERHEADS)}


def mean_values(values: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the geometric mean of each path over the mappings that hold it.

    >>> mean_values([{"a": 1.0}, {"a": 4.0, "b": 1.0}])
    {'a': 2.0, 'b': 1.0}
    """
    paths = sorted({path for found in values for path in found})
    return {
        path: math.exp(sum(logs) / len(logs))
        for path in paths
        if (logs := [math.log(found[path]) for found in values if path in found])
    }


def _residuals(
    fold: Literal["network", "device"],
    rows: Sequence[Observation],
    soc: SocSpec,
    values: Mapping[str, float],
) -> Iterator[Residual]:
    changed = soc.with_values(values)
    for row in rows:
        error = math.log(row.simulated(changed) / row.measured)
        run = row.run
        yield Residual(fold, run.id, row.device, row.stack, row.unit, row.metric, run.model, error)
