"""Operators of a profile beside those of the simulation: by kind and, where known, by shape.

How a profile is asked and added up is `sim.calibration.profiles`. A profile that leaves open what
its graph was is compared with nothing, and its own times are shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from hw_models.soc import SocSpec
from sim.calibration.profiles import kind_of, profile_of, totals
from sim.evidence.measured import MeasuredRun
from sim.evidence.questions import device_of_run
from sim.validation.tables import number, table

LONGEST: Final = 12
"""Lines of a table of operators."""


class OperatorRow(NamedTuple):
    """Seconds of one kind and shape, measured and simulated; 0 where one side has none [s]."""

    kind: str
    shape: str
    measured_s: float
    simulated_s: float

    @property
    def difference_s(self) -> float:
        """Simulated less measured [s]."""
        return self.simulated_s - self.measured_s


def compared(run: MeasuredRun, soc: SocSpec | None = None) -> list[OperatorRow]:
    """Return the operators of a run beside the simulation's, the largest difference first.

    Raises `CannotSimulate` where the run names no operators, or not what was run.
    """
    device = device_of_run(run, soc)
    profile = profile_of(run, device)
    merged: dict[tuple[str, str], list[float]] = {}
    for side, found in enumerate((profile.measured_s, profile.simulated_s(device))):
        for key, seconds in found.items():
            merged.setdefault(key, [0.0, 0.0])[side] += seconds
    rows = [OperatorRow(*key, *pair) for key, pair in merged.items()]
    return sorted(rows, key=lambda row: -abs(row.difference_s))


def measured_only(run: MeasuredRun) -> list[OperatorRow]:
    """Return the operators of a run by kind, the slowest first, with nothing beside them."""
    found = totals((kind_of(op.name), "", op.duration_s) for op in run.operators)
    rows = [OperatorRow(kind, shape, seconds, 0.0) for (kind, shape), seconds in found.items()]
    return sorted(rows, key=lambda row: -row.measured_s)


def operator_table(rows: Sequence[OperatorRow], longest: int = LONGEST) -> str:
    """Return the operators that differ most as a Markdown table, in milliseconds."""
    measured = sum(row.measured_s for row in rows) or 1.0
    simulated = sum(row.simulated_s for row in rows)
    cells = [
        [
            *(row.kind, row.shape or "-", number(row.measured_s * 1e3)),
            f"{row.measured_s / measured:.0%}",
            number(row.simulated_s * 1e3) if simulated else "-",
            f"{row.simulated_s / simulated:.0%}" if simulated else "-",
        ]
        for row in rows[:longest]
    ]
    header = ["kind", "m x n x k", "measured [ms]", "share", "simulated [ms]", "share"]
    return table(header, cells)
