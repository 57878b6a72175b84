"""The errors of every question at a glance: networks, phones and rows that no fit has seen.

A question is a metric on one kind of unit. Errors are relative to the measured value; intervals
are the central 80 %. Aims are those the project set itself before the rows were judged. Nothing is
simulated here: the residuals of left-out calibration rows and the judged rows ship.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from sim.calibration.folds import Residual, held
from sim.evidence.nearest import JudgedRow
from sim.validation.tables import table

UNITS: Final = ("npu", "gpu", "cpu")
HELD: Final = (0.73, 0.87)
"""Aimed share of measured values inside their 80 % interval."""
SWAYED: Final = 0.5
"""A mean is one row's where without it no more than this share is left."""
FEWEST: Final = 8
"""Rows below which a group is shown and not held against an aim."""


class Aim(NamedTuple):
    """What a question should reach: its name, the largest median error, that of unseen phones."""

    name: str
    network: float
    device: float | None = None


AIMS: Final = {
    "tokens_per_s": Aim("decode", 0.12, 0.25),
    "time_to_first_token_s": Aim("first token", 0.15),
    "prefill_tokens_per_s": Aim("prefill", 0.20),
    "inference_s": Aim("one inference of a network", 0.25),
    "energy_j_per_token": Aim("joules per token", 0.30),
    "sustained_share": Aim("rate left after minutes", 0.20),
    "peak_dram_bytes": Aim("peak memory", 0.20),
}
"""By metric; memory's aim is ours."""


class Errors(NamedTuple):
    """How far a group of rows is off: relative errors and the share inside the interval."""

    rows: int
    median: float
    mean: float
    inside: float | None

    @classmethod
    def of(cls, errors: Sequence[float], inside: Sequence[bool]) -> Errors | None:
        """Return the errors of a group; none of an empty one."""
        if not errors:
            return None
        sizes = np.abs(errors)
        held = float(np.mean(inside)) if inside else None
        return cls(len(errors), float(np.median(sizes)), float(sizes.mean()), held)

    def text(self) -> str:
        """Return rows, median, mean and share inside as the cell of a table."""
        held = "" if self.inside is None else f"; {self.inside:.0%} inside"
        return f"{self.median:.1%} / {self.mean:.1%} of {self.rows}{held}"


class Question(NamedTuple):
    """One metric on one kind of unit, and its errors on what no fit has seen."""

    metric: str
    unit: str
    network: Errors | None
    device: Errors | None
    validation: Errors | None

    def verdicts(self) -> Iterator[tuple[str, bool]]:
        """Yield each aim of this question in words, and whether it is met."""
        aim = AIMS[self.metric]
        held = self.network or self.validation
        if held is not None and held.rows >= FEWEST:
            yield f"median {aim.network:.0%}", held.median <= aim.network
            if held.inside is not None:
                yield f"{HELD[0]:.0%} to {HELD[1]:.0%} inside", HELD[0] <= held.inside <= HELD[1]
        if aim.device is not None and self.device is not None and self.device.rows >= FEWEST:
            yield f"phones {aim.device:.0%}", self.device.median <= aim.device


def questions(residuals: Iterable[Residual], judged: Iterable[JudgedRow]) -> list[Question]:
    """Return every question that has rows."""
    left_out, rows = list(residuals), list(judged)
    found = [
        Question(
            metric,
            unit,
            _folded(left_out, "network", metric, unit),
            _folded(left_out, "device", metric, unit),
            _judged(rows, metric, unit),
        )
        for metric in AIMS
        for unit in UNITS
    ]
    return [item for item in found if item.network or item.device or item.validation]


def overview_table(asked: Iterable[Question]) -> str:
    """Return the questions as a Markdown table, and how many of their aims are met."""
    lines, met, of = [], 0, 0
    for item in asked:
        verdicts = list(item.verdicts())
        met, of = met + sum(good for _, good in verdicts), of + len(verdicts)
        cells = [AIMS[item.metric].name, item.unit.upper()]
        cells += [part.text() if part else "" for part in item[2:]]
        missed = [words for words, good in verdicts if not good]
        state = f"missed: {', '.join(missed)}" if missed else "met" if verdicts else "few rows"
        lines.append([*cells, state])
    header = ["question", "unit", "unseen networks", "unseen phones", "validation rows", "aims"]
    said = (
        f"{met} of {of} aims are met. Cells: median / mean error of so many values; share inside "
        "the 80 % interval. Unseen: left out of the calibration rows, on every device or with all "
        "stacks. Validation rows were never fitted; where there are no left-out rows they are "
        f"held against the aim. Groups of fewer than {FEWEST} values are shown and not held."
    )
    return said + "\n\n" + table(header, lines)


def swayed_table(residuals: Iterable[Residual]) -> str:
    """Return the groups of left-out rows whose mean error one row at least halves by leaving."""
    groups: dict[tuple[str, str, str], list[Residual]] = {}
    for item in residuals:
        groups.setdefault((item.fold, item.metric, item.unit), []).append(item)
    lines = []
    for (fold, metric, unit), rows in sorted(groups.items()):
        worst = max(rows, key=lambda row: abs(math.expm1(row.log_error)))
        found, left = (
            Errors.of([math.expm1(row.log_error) for row in some], [])
            for some in (rows, [row for row in rows if row.id != worst.id])
        )
        if found and left and len(rows) >= FEWEST and left.mean <= SWAYED * found.mean:
            where = f"{worst.id} ({worst.device}, {worst.stack}, x {math.exp(worst.log_error):.0f})"
            means = (f"{found.mean:.1%}", f"{left.mean:.1%}")
            lines.append([fold, AIMS[metric].name, unit.upper(), *means, where])
    return table(["left out", "question", "unit", "mean", "without", "the row"], lines)


def _folded(rows: Sequence[Residual], fold: str, metric: str, unit: str) -> Errors | None:
    chosen = [row for row in rows if (row.fold, row.metric, row.unit) == (fold, metric, unit)]
    return Errors.of([math.expm1(row.log_error) for row in chosen], held(rows, chosen))


def _judged(rows: Iterable[JudgedRow], metric: str, unit: str) -> Errors | None:
    asked = ("validation", metric, unit)
    chosen = [row for row in rows if (row.role, row.metric, row.unit) == asked]
    ranged = [row.is_inside for row in chosen if row.interval is not None]
    return Errors.of([row.error for row in chosen], ranged)


def stacks_table(rows: Iterable[JudgedRow], metric: str) -> str:
    """Return the judged rows of a metric by role, phone and stack as a Markdown table."""
    groups: dict[tuple[str, str, str], list[JudgedRow]] = {}
    for row in rows:
        if row.metric == metric:
            groups.setdefault((row.role, row.device, row.stack), []).append(row)
    lines = []
    for key, group in sorted(groups.items()):
        found = Errors.of(
            [row.error for row in group],
            [row.is_inside for row in group if row.interval is not None],
        )
        means = (
            np.mean([getattr(row, name) for row in group]) for name in ("measured", "simulated")
        )
        bias = np.mean([row.error for row in group])
        lines.append([*key, *(f"{mean:.3g}" for mean in means), found.text() if found else ""])
        lines[-1].append(f"{bias:+.1%}")
    return table(["role", "phone", "stack", "measured", "simulated", "errors", "bias"], lines)
