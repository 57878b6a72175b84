"""Judging the shipped validation exhibits: tolerances, and the two-number law as baseline.

Rows of MediaTek devices are shown apart: few, of mixed origin, and the reason to be careful. Not
done here: choosing the form of the model, which calibration rows alone decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from hw_models.soc import SocSpec
from sim.calibration.rows import by_stack, observe
from sim.calibration.shipping import exhibit_rows, prior_of, read_residuals
from sim.calibration.two_numbers import TwoNumberLaw, two_number_device
from sim.evidence.exhibits import load_exhibits, runs_in_role
from sim.evidence.questions import DECODE
from sim.validation.judging import Judged, Validation, scores, validate

TARGET_DEVICES: Final = ("snapdragon_8_elite", "snapdragon_8_elite_gen_5")
"""Devices whose rows the project's aims are set for."""
MEDIATEK: Final = "dimensity"
"""What the ids of MediaTek devices begin with."""


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


def two_number_errors(found: Validation) -> Mapping[str, float]:
    """Return the two-number law's error of each decode row of a stack it was fitted to, by id."""
    fitted = {}
    for (device, stack), rows in by_stack(exhibit_rows()[0]).items():
        decode = [row for row in rows if row.metric == DECODE]
        if decode:
            fitted[device, stack] = two_number_device(prior_of(device), decode)
    errors = {}
    for row in found.rows:
        soc = fitted.get((row.device, row.stack))
        if row.metric == DECODE and soc is not None:
            law = TwoNumberLaw(observe(row.run, DECODE, soc))
            errors[row.run.id] = law.simulated(soc) / row.measured - 1.0
    return errors


def mediatek(found: Validation) -> list[Judged]:
    """Return the judged rows of MediaTek devices."""
    return [row for row in found.rows if row.device.startswith(MEDIATEK)]
