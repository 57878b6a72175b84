"""One calibration of all stacks of all devices: parameters that know each other, rows that repeat.

A *cell* is a stack of a device. With x the logarithms of all fitted parameters, m those of their
priors and s the deviations that the prior ranges stand for, the prior is normal::

    cov(x_i, x_j) = s_i s_j (share of the unit, if both cells run on one kind of unit
                             + of the stack, if they are of one stack
                             + of device and unit, if they are of one device and kind of unit
                             + of the cell, if they are one)         for one parameter, else 0

so that rows of Genie on one phone say something of Genie on another, and of other stacks on that
phone's NPU. A measured value has noise of its own and two errors that it shares: with every value
of its network in its cell, and with every value of its network on its stack::

    cov(y_a, y_b) = noise^2 [a = b] + cell^2 [same cell, network, metric]
                    + stack^2 [same stack, network, metric]

with the noise of `sim.calibration.figures`. The posterior is that of the linear Gaussian model at
the solution, found by Gauss-Newton steps; noise of single values that lie far outside is raised
(`FAR_OUT`), so garbage does not pull. What the model says of a cell without rows is its conditional
distribution, by the same formula.

Not modelled: parameters of silicon (the stacks' numbers absorb them), and skewed posteriors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hw_models.soc import SocSpec
from sim.calibration import figures
from sim.calibration.asked import Asked
from sim.calibration.asking import Ask, Here, Trial
from sim.calibration.fit import MARGIN, Vector, bounds, can_be_fitted, deviation
from sim.calibration.stacks import candidates

Cell = tuple[str, str]
"""Device and stack."""
Paths = Callable[[SocSpec, str], list[str]]
"""What of a stack of a device a fit may move, as dotted paths."""

SHARES: Final = {"unit": 0.15, "stack": 0.45, "device": 0.2, "cell": 0.2}
"""Shares of a prior's variance that cells have in common (assumed; their sum is 1)."""
OF_A_NETWORK: Final = 0.12
"""Deviation that the values of one network share, in a cell and on a stack (assumed)."""
FAR_OUT: Final = 2.0
"""Deviations beyond which the noise of a value is raised until it lies no farther out."""
STEP: Final = 0.02
"""Step of the logarithms in a derivative, wide enough to see past whole tiles."""
ROUNDS: Final = 8
"""Gauss-Newton steps at most."""
SHARES_OF_A_STEP: Final = (1.0, 0.5, 0.25, 0.1, 0.0)
"""What of a step is tried: what bounds a run changes from arithmetic to memory within one, and the
derivatives with it. None is taken where nothing is gained."""
HELD: Final = 4
"""Rounds in which slots that leave their limits are held there."""
HOLDING: Final = 1e-4
"""Deviation of a slot that is held."""
REWEIGHTED: Final = 4
"""Rounds of raising the noise of values that lie far outside, in each step."""


BANDWIDTH: Final = "bandwidth_fraction"
"""A stack attains no more than its unit can draw: beyond that nothing moves, and a fit that goes
there is stuck."""


class Slot(NamedTuple):
    """One parameter of one cell, with its prior in logarithms."""

    cell: Cell
    path: str
    unit: str
    centre: float
    deviation: float
    low: float
    high: float


@dataclass(frozen=True)
class Posterior:
    """What the rows say of every slot.

    Attributes
    ----------
    slots
        The parameters of the cells that rows are of.
    logs
        Their most probable logarithms.
    jacobian
        Derivatives of the logarithms of the simulated values, shape (values, slots).
    weights
        ``J' G^-1 J`` and ``J' G^-1 (y - f(m))`` of the linear model, G the covariance of the data.
    """

    slots: tuple[Slot, ...]
    logs: Vector
    jacobian: Vector
    information: Vector
    pull: Vector

    def of(self, slots: Sequence[Slot]) -> tuple[Vector, Vector]:
        """Return mean and covariance of the logarithms of any slots, with rows or without."""
        shared = covariance(slots, self.slots)
        centre = np.array([slot.centre for slot in slots])
        mean = np.clip(centre + shared @ self.pull, *_limits(slots))
        return mean, covariance(slots, slots) - shared @ self.information @ shared.T


def slots_of(soc: SocSpec, stack: str, paths_of: Paths = candidates) -> list[Slot]:
    """Return the parameters of a stack that are fitted, with their priors."""
    known, unit = soc.parameters(), soc.stack(stack).unit
    drawn = math.log(soc.units[unit].dram_fraction.value)
    found = []
    for path in paths_of(soc, stack):
        if path in known and can_be_fitted(known[path]):
            item = known[path]
            low, high = map(math.log, bounds(item))
            name = path.removeprefix(f"stacks.{stack}.")
            high = min(high, drawn) if name == BANDWIDTH else high
            slot = Slot(
                (soc.id, stack), name, unit, math.log(item.value), deviation(item), low, high
            )
            found.append(slot)
    return found


def covariance(one: Sequence[Slot], other: Sequence[Slot]) -> Vector:
    """Return the prior covariance of two lists of slots."""

    def same(name: str) -> NDArray[np.bool_]:
        return np.asarray(columns[0][name][:, None] == columns[1][name][None])

    columns = [
        {
            "path": np.array([slot.path for slot in slots]),
            "unit": np.array([slot.unit for slot in slots]),
            "device": np.array([slot.cell[0] for slot in slots]),
            "stack": np.array([slot.cell[1] for slot in slots]),
        }
        for slots in (one, other)
    ]
    unit, device, stack = same("unit"), same("device"), same("stack")
    share = (
        SHARES["unit"] * unit
        + SHARES["stack"] * stack
        + SHARES["device"] * (device & unit)
        + SHARES["cell"] * (device & stack)
    )
    widths = [np.array([slot.deviation for slot in slots]) for slots in (one, other)]
    return np.asarray(same("path") * share * np.outer(*widths))


def data_covariance(rows: Sequence[Asked], raised: Vector) -> Vector:
    """Return the covariance of the logarithms of measured values; ``raised`` factors on noise."""
    metric = np.array([item.row.metric for item in rows])
    network = np.array([item.network for item in rows])
    stack = np.array([item.row.stack for item in rows])
    device = np.array([item.row.device for item in rows])

    def alike(column: NDArray[np.str_]) -> NDArray[np.bool_]:
        return np.asarray(column[:, None] == column[None])

    on_stack = alike(metric) & alike(network) & alike(stack)
    noise = np.array([figures.noise(item.row.metric) ** 2 / min(len(item.ids), 3) for item in rows])
    shared = OF_A_NETWORK**2 * (on_stack.astype(float) + (on_stack & alike(device)))
    return np.asarray(shared + np.diag(noise * raised))


class Problem:
    """All rows over all slots, linearised where the simulator was last asked."""

    def __init__(
        self,
        rows: Sequence[Asked],
        devices: Mapping[str, SocSpec],
        paths_of: Paths = candidates,
        ask: Ask | None = None,
    ) -> None:
        self.rows, self.devices = rows, devices
        self.ask = ask or Here(rows, devices)
        cells = dict.fromkeys(item.cell for item in rows)
        self.by_cell = {cell: slots_of(devices[cell[0]], cell[1], paths_of) for cell in cells}
        self.slots = tuple(slot for slots in self.by_cell.values() for slot in slots)
        self.places = {(slot.cell, slot.path): i for i, slot in enumerate(self.slots)}
        self.centre = np.array([slot.centre for slot in self.slots])
        self.prior = covariance(self.slots, self.slots)
        self.measured = np.array([item.log_measured for item in rows])
        self.raised = np.ones(len(rows))
        self.logs = self.centre
        self.pull = self.whole = np.zeros(len(self.slots))
        self.simulated = self.at_priors = self.measured
        self.jacobian = np.zeros((len(rows), len(self.slots)))

    def solved(self) -> Posterior:
        """Return the posterior of all rows, after `ROUNDS` steps from the priors at most."""
        everything = np.ones(len(self.rows), dtype=bool)
        for step in range(ROUNDS):
            self.linearise(self.logs)
            if step == 0:
                self.at_priors = self.simulated
            for _ in range(REWEIGHTED):
                found, deviations = self._step(everything)
                self.raised = np.maximum(1.0, self.raised * (deviations / FAR_OUT) ** 2)
            share = self._best_share(found.pull - self.pull)
            self.pull = self.pull + share * (found.pull - self.pull)
            self.logs = self._logs(self.pull)
            if share == 0.0:
                break
        self.linearise(self.logs)
        self.whole = self._step(everything)[0].pull
        return self.without(~everything)

    def without(self, left_out: NDArray[np.bool_]) -> Posterior:
        """Return the posterior of the rows that are not left out, at the last linearisation.

        It differs from the solution as the linear model without these rows does from that with all.
        """
        found = self._step(~left_out)[0]
        pull = self.pull + found.pull - self.whole
        return replace(found, pull=pull, logs=self._logs(pull))

    def _best_share(self, step: Vector) -> float:
        """Return the share of a step with the least misfit, of values and from the priors."""
        pulls = self.pull + np.outer(SHARES_OF_A_STEP, step)
        misses = self.measured - self._simulated(self._logs(pulls))
        inverse = np.linalg.inv(data_covariance(self.rows, self.raised))
        misfits = np.einsum("ti,ij,tj->t", misses, inverse, misses)
        misfits += np.einsum("ti,ij,tj->t", pulls, self.prior, pulls)
        return SHARES_OF_A_STEP[int(np.argmin(misfits))]

    def _logs(self, pulls: Vector) -> Vector:
        """Return logarithms within their limits; ``pulls`` along the last axis."""
        return np.clip(self.centre + pulls @ self.prior, *_limits(self.slots))

    def _simulated(self, logs: Vector) -> Vector:
        """Return the logarithms of every value at several logarithms, shape (of them, values)."""
        columns = [logs[:, self.own(item.cell)] for item in self.rows]
        return np.column_stack(self._asked(columns))

    def linearise(self, logs: Vector) -> None:
        """Ask the simulator for every value and its derivatives at some logarithms."""
        owns = [self.own(item.cell) for item in self.rows]
        found = self._asked([logs[own] + _shifts(len(own)) for own in owns])
        jacobian = np.zeros((len(self.rows), len(self.slots)))
        for i, (own, values) in enumerate(zip(owns, found, strict=True)):
            count = len(own)
            jacobian[i, own] = (values[1 : count + 1] - values[count + 1 :]) / (2.0 * STEP)
        self.logs, self.jacobian = logs, jacobian
        self.simulated = np.array([values[0] for values in found])

    def value(self, place: int, posterior: Posterior) -> float:
        """Return the logarithm of a row's simulated value at a posterior's parameters."""
        logs, _ = posterior.of(self.by_cell[self.rows[place].cell])
        return float(self.ask([self._trial(place, logs[None])])[0][0])

    def own(self, cell: Cell) -> list[int]:
        """Return the places of a cell's slots."""
        return [self.places[cell, slot.path] for slot in self.by_cell[cell]]

    def _asked(self, columns: Sequence[Vector]) -> list[Vector]:
        """Return every row's logarithms at each row of logarithms of its own slots."""
        return self.ask([self._trial(place, logs) for place, logs in enumerate(columns)])

    def _trial(self, place: int, logs: Vector) -> Trial:
        slots = self.by_cell[self.rows[place].cell]
        return Trial(place, tuple(slot.path for slot in slots), logs)

    def _step(self, kept: NDArray[np.bool_]) -> tuple[Posterior, Vector]:
        """Return the posterior of some rows, and each row's deviations from the others' word.

        Slots that would leave their limits are held there, and the others solved again.
        """
        rows = [item for item, wanted in zip(self.rows, kept, strict=True) if wanted]
        data = data_covariance(rows, self.raised[kept])
        misses = self.measured[kept] - self.simulated[kept]
        misses = misses + self.jacobian[kept] @ (self.logs - self.centre)
        held = np.full(len(self.slots), np.nan)
        for _ in range(HELD):
            found, deviations = self._posterior(self.jacobian[kept], data, misses, held)
            free = self.centre + self.prior @ found.pull
            low, high = _limits(self.slots)
            outside = np.isnan(held) & ((free < low) | (free > high))
            if not outside.any():
                break
            held = np.where(outside, np.clip(free, low, high), held)
        return found, deviations

    def _posterior(
        self, jacobian: Vector, data: Vector, misses: Vector, held: Vector
    ) -> tuple[Posterior, Vector]:
        """Return the posterior with some slots held at logarithms (the others NaN)."""
        places = np.flatnonzero(~np.isnan(held))
        asked = np.vstack((jacobian, np.eye(len(self.slots))[places]))
        count, total = len(misses), len(misses) + len(places)
        noise = np.diag(np.full(total, HOLDING**2))
        noise[:count, :count] = data
        inverse = np.linalg.inv(asked @ self.prior @ asked.T + noise)
        explained = inverse @ np.concatenate((misses, held[places] - self.centre[places]))
        pull = asked.T @ explained
        logs = np.clip(self.centre + self.prior @ pull, *_limits(self.slots))
        found = Posterior(self.slots, logs, jacobian, asked.T @ inverse @ asked, pull)
        return found, (explained / np.sqrt(np.diag(inverse)))[:count]


def _shifts(count: int) -> Vector:
    """Return what a derivative adds to logarithms: nothing, then a step of each up, then down."""
    return STEP * np.vstack([np.zeros(count), np.eye(count), -np.eye(count)])


def _limits(slots: Sequence[Slot]) -> tuple[Vector, Vector]:
    low, high = np.array([(slot.low, slot.high) for slot in slots]).reshape(-1, 2).T
    return low + MARGIN, high - MARGIN
