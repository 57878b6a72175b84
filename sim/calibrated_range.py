"""Warn where a run leaves the sizes its kernels were calibrated for.

Only stacks with a table of utilisation over size have such sizes; a stack fitted end to end has
none, and never warns. Beyond the end of a table its last utilisation is used, which is a guess:
`log_distance` says how far beyond the end the run is.

Not judged: sizes between two nodes, and the two edges of a matrix product.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hw_models.schema import Stack
from sim.engine.utilisation import kernel_size
from workloads.program import Program
from workloads.tasks import Task


@dataclass(frozen=True, slots=True)
class Outside:
    """One operator whose sizes leave the calibrated range.

    Attributes
    ----------
    smallest, largest
        Sizes of the run: keys, rows or operations.
    low, high
        Calibrated sizes; both zero where no kernel was calibrated.
    """

    phase: str
    operator: str
    smallest: float
    largest: float
    low: float
    high: float

    @property
    def log_distance(self) -> float:
        """How far the run's sizes lie outside, as a natural logarithm of a ratio."""
        if not self.high:
            return math.inf
        return max(0.0, math.log(self.low / self.smallest), math.log(self.largest / self.high))

    @property
    def place(self) -> str:
        """Phase and operator."""
        return f"{self.phase} {self.operator}"

    def sentence(self) -> str:
        """Return the warning of an operator whose kernel was calibrated, for people."""
        return (
            f"{self.place} of size {self.smallest:g} to {self.largest:g} leaves the calibrated "
            f"{self.low:g} to {self.high:g}: its utilisation is that of the nearest end."
        )


def range_warnings(program: Program, stack: Stack) -> list[str]:
    """Return a warning per operator outside its range, and one for all that have no kernel."""
    found = outside(program, stack)
    said = [item.sentence() for item in found if item.high]
    absent = [item.place for item in found if not item.high]
    if absent:
        said.append(
            f"No kernel was calibrated for {', '.join(absent)}: they run at their roofline."
        )
    return said


def outside(program: Program, stack: Stack) -> list[Outside]:
    """Return every operator of a program that leaves the range its kernel was calibrated for."""
    found: dict[tuple[str, str], Outside] = {}
    for phase, task in _tasks(program, stack):
        item = _outside(phase, task, stack)
        before = found.get((phase, task.operator))
        if item is not None and (before is None or item.log_distance > before.log_distance):
            found[phase, task.operator] = item
    return list(found.values())


def _tasks(program: Program, stack: Stack) -> Iterator[tuple[str, Task]]:
    has_tables = any(len(kernel.sizes) > 1 for kernel in stack.kernels.values())
    for group in program.groups if has_tables else ():
        for task, _ in group.tasks():
            if task.operator and task.unit == stack.unit:
                yield group.phase, task


def _outside(phase: str, task: Task, stack: Stack) -> Outside | None:
    kernel = stack.kernel(phase, task.operator)
    sizes = np.maximum(kernel_size(task)[task.runs > 0], 1.0)
    if not sizes.size:
        return None
    low, high = (kernel.sizes[0].value, kernel.sizes[-1].value) if kernel else (0.0, 0.0)
    item = Outside(phase, task.operator, float(sizes.min()), float(sizes.max()), low, high)
    return item if item.log_distance > 0.0 else None
