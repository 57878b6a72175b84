"""Judging the shipped exhibits in role validation, and the tolerances of their manifests.

Not done here: choosing the form of the model, which calibration rows alone decide.
"""

from __future__ import annotations

from typing import NamedTuple

from hw_models.soc import SocSpec
from sim.calibration.shipping import read_residuals
from sim.evidence.exhibits import load_exhibits, runs_in_role
from sim.validation.judging import Validation, scores, validate


class Missed(NamedTuple):
    """A tolerance of a manifest that the mean error of its rows exceeds."""

    exhibit: str
    metric: str
    n: int
    mape: float
    tolerance: float

    def __str__(self) -> str:
        return (
            f"{self.exhibit}, {self.metric}: mean error {self.mape:.1%} of {self.n} rows, "
            f"tolerance {self.tolerance:.0%}"
        )


def validate_exhibits(soc: SocSpec | None = None) -> Validation:
    """Judge every validation row that is shipped, on its own device or on ``soc``."""
    return validate(runs_in_role(load_exhibits(), "validation"), soc, read_residuals())


def missed_tolerances(found: Validation) -> list[Missed]:
    """Return the tolerances, by exhibit and metric, that the mean error of the rows exceeds."""
    missed = []
    for exhibit in load_exhibits():
        ids = {run.id for run in exhibit.runs}
        for metric, tolerance in exhibit.manifest.tolerances.items():
            rows = [row for row in found.rows if row.run.id in ids and row.metric == metric]
            if rows and (mape := scores(rows).mape) > tolerance:
                missed.append(Missed(exhibit.name, metric, len(rows), mape, tolerance))
    return missed
