"""Rows simulated at many values of their parameters, in this process or in several.

A row with its program weighs more than the values it is asked at, so every process is given all
rows once, and then only places and values. The answers are the same to the last bit.

Not modelled: processes on other machines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Final, NamedTuple

import numpy as np

from hw_models.soc import SocSpec
from sim.calibration.asked import Asked
from sim.calibration.fit import Vector

AT_ONCE: Final = 16
"""Rows that a process is given at a time."""


class Trial(NamedTuple):
    """One row at several values of parameters of its stack.

    Attributes
    ----------
    place
        The row's place among all rows.
    paths
        The parameters, as dotted paths within the stack.
    logs
        Logarithms of their values, shape (times asked, parameters).
    """

    place: int
    paths: tuple[str, ...]
    logs: Vector


Ask = Callable[[Sequence[Trial]], list[Vector]]
"""Returns for each trial the logarithms of the row's simulated values, shape (times asked,)."""


@dataclass(frozen=True)
class Here:
    """Asks rows in this process.

    Attributes
    ----------
    devices
        Each row's device by its id.
    """

    rows: Sequence[Asked]
    devices: Mapping[str, SocSpec]

    def __call__(self, trials: Sequence[Trial]) -> list[Vector]:
        """Return each trial's logarithms, one after another."""
        return [self._one(trial) for trial in trials]

    def _one(self, trial: Trial) -> Vector:
        row = self.rows[trial.place].row
        values = np.exp(trial.logs)
        columns = {
            f"stacks.{row.stack}.{path}": values[:, i : i + 1] for i, path in enumerate(trial.paths)
        }
        device = self.devices[row.device].with_values(columns)
        return np.asarray(np.log(row.simulated_on_each(device)))


@contextmanager
def side_by_side(
    rows: Sequence[Asked], devices: Mapping[str, SocSpec], processes: int
) -> Iterator[Ask]:
    """Yield what asks rows in several processes, which end with the context."""
    holds = rows, dict(devices)
    with ProcessPoolExecutor(processes, get_context("spawn"), _hold, holds) as pool:
        yield lambda trials: list(pool.map(_held, trials, chunksize=AT_ONCE))


_HELD: list[Ask] = []
"""What a process of `side_by_side` asks its rows by."""


def _hold(rows: Sequence[Asked], devices: Mapping[str, SocSpec]) -> None:
    _HELD[:] = [Here(rows, devices)]


def _held(trial: Trial) -> Vector:
    return _HELD[0]([trial])[0]
