"""Judged rows: what was measured, what is simulated for it, and which rows lie nearest a question.

Rows in role validation are judged by the shipped devices, which no fit showed them to. Rows in
role calibration are judged by a fit from which their network was left out. `sim.validation.shipped`
writes the file; it is read without pandas, because every answer names its nearest rows.

A row is nearer the fewer of these differ, in this order: silicon, runtime, unit; among equals, the
nearer by the logarithms of bytes per step, tokens and patches.

Not modelled: the release of the runtime, where neither the question nor the row states it.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Final, Literal, NamedTuple

from sim.evidence.measured_metrics import ROOT
from sim.output import write_text
from workloads.program import StepGroup, total

FILE: Final = ROOT / "judged.csv"
HERE: Final = "this device and stack"
OTHER_STACKS: Final = "this device, other stacks"
OTHER_DEVICES: Final = "this stack, other devices"
ELSEWHERE: Final = "other devices and stacks"
PLACES: Final = (HERE, OTHER_STACKS, OTHER_DEVICES, ELSEWHERE)
"""Where a row was measured, the nearest first."""
DIGITS: Final = 5
ANOTHER_RUN: Final = 10.0
"""Factor between simulated and measured from which a row is of no help beside an answer."""

Status = Literal["validated", "partly", "unvalidated"]


class Size(NamedTuple):
    """How large a measured or asked run is.

    Attributes
    ----------
    step_bytes
        Weights read per step [B].
    tokens
        Tokens that a step attends to in decode, on average; in other phases all that are computed.
    patches
        Patches of the vision encoder before it; none in decode, which no longer sees them.
    """

    step_bytes: float
    tokens: float
    patches: float


class JudgedRow(NamedTuple):
    """A measured value beside the simulated one with its 80 % interval, in the metric's unit."""

    id: str
    role: str
    device: str
    stack: str
    unit: str
    metric: str
    model: str
    weights: str
    source: str
    step_bytes: float
    tokens: float
    patches: float
    measured: float
    simulated: float
    low: float
    high: float

    @property
    def error(self) -> float:
        """(simulated - measured) / measured."""
        return self.simulated / self.measured - 1.0

    @property
    def is_inside(self) -> bool:
        """Whether the measured value lies in the 80 % interval."""
        return self.low <= self.measured <= self.high

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 80 % interval, none where the metric has none."""
        return (self.low, self.high) if self.low < self.high else None

    @property
    def reference(self) -> tuple[float, float] | None:
        """The interval from past errors, which does not ship."""
        return None

    @property
    def size(self) -> Size:
        """Bytes, tokens and patches."""
        return Size(self.step_bytes, self.tokens, self.patches)


class Near(NamedTuple):
    """A judged row, where it was measured, and how far it is from the question in size.

    ``apart`` is the length of the vector of log ratios of bytes, tokens and patches (each plus 1).
    """

    row: JudgedRow
    place: str
    apart: float

    @property
    def times_apart(self) -> float:
        """How many times larger or smaller the question is, over bytes, tokens and patches."""
        return math.exp(self.apart)


def size_of(groups: Iterable[StepGroup], patches: float) -> Size:
    """Return the size of the step groups whose time makes a metric."""
    held = list(groups)
    steps = sum(group.steps for group in held) or 1
    read = total(held, "weight_bytes") / steps
    if held and all(group.phase == "decode" for group in held):
        seen = sum(float(group.visible_tokens.sum()) for group in held)
        return Size(read, seen / steps, 0.0)
    computed = (float(group.new_tokens.sum()) for group in held if group.phase != "vision")
    return Size(read, sum(computed), patches)


@cache
def judged_rows(path: Path = FILE) -> tuple[JudgedRow, ...]:
    """Return every judged row that ships; none where the file is missing."""
    return tuple(map(_row, csv.reader(_lines(path))))


@cache
def judged_rows_of(metric: str, path: Path = FILE) -> tuple[JudgedRow, ...]:
    """Return the judged rows of a metric; the others stay text, since few ask for all."""
    lines = (line for line in _lines(path) if f",{metric}," in line)
    return tuple(row for row in map(_row, csv.reader(lines)) if row.metric == metric)


@cache
def weights_judged(stack: str, path: Path = FILE) -> dict[str, str]:
    """Return the weights of the judged rows of a stack, as rows write them, and where one is."""
    places = [JudgedRow._fields.index(name) for name in ("stack", "weights", "source")]
    found: dict[str, str] = {}
    for cells in csv.reader(line for line in _lines(path) if f",{stack}," in line):
        of, weights, source = (cells[place] for place in places)
        if of == stack and weights:
            found.setdefault(weights, source or "the corpus")
    return found


@cache
def _lines(path: Path) -> tuple[str, ...]:
    """Return the lines of the file below its head; no cell holds a line break."""
    return tuple(path.read_text(encoding="utf-8").splitlines()[1:]) if path.is_file() else ()


def _row(cells: Sequence[str]) -> JudgedRow:
    texts = JudgedRow._fields.index("step_bytes")
    return JudgedRow._make([*cells[:texts], *map(float, cells[texts:])])


def write_judged(rows: Sequence[JudgedRow], path: Path = FILE) -> None:
    """Write judged rows as CSV, numbers to five digits."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(JudgedRow._fields)
    for row in sorted(rows):
        writer.writerow([f"{x:.{DIGITS}g}" if isinstance(x, float) else x for x in row])
    write_text(path, out.getvalue())


def nearest(
    metric: str, device: str, stack: str, unit: str, size: Size, most: int = 3
) -> list[Near]:
    """Return the nearest rows of a metric, at most ``most`` and no network of a place twice.

    Rows that are `ANOTHER_RUN` times off are not named: there something else ran, such as a
    fallback to another unit. They stay among the scores.
    """
    found: dict[tuple[str, str], Near] = {}
    rows = [row for row in judged_rows_of(metric) if not _is_another_run(row)]
    near = [Near(row, place_of(row, device, stack), _apart(row.size, size)) for row in rows]
    for item in sorted(near, key=lambda item: _order(item, unit)):
        found.setdefault((item.place, item.row.model), item)
        if len(found) == most:
            break
    return list(found.values())


def place_of(row: JudgedRow, device: str, stack: str) -> str:
    """Return how near a row's device and stack are to those asked for, one of `PLACES`."""
    if row.device == device:
        return HERE if row.stack == stack else OTHER_STACKS
    return OTHER_DEVICES if row.stack == stack else ELSEWHERE


def status_of(metrics: Iterable[str], device: str, stack: str) -> Status:
    """Return what is known of any of some metrics on a device and stack.

    Validated: a row that no fit has seen was judged here. Partly: one was judged with its network
    left out of a fit, or on a neighbour. Unvalidated: none was.
    """
    near = (row for metric in metrics for row in judged_rows_of(metric))
    places = {(row.role, place_of(row, device, stack)) for row in near}
    if ("validation", HERE) in places:
        return "validated"
    return "partly" if {place for _, place in places} - {ELSEWHERE} else "unvalidated"


def _is_another_run(row: JudgedRow) -> bool:
    return not 1.0 / ANOTHER_RUN < row.simulated / row.measured < ANOTHER_RUN


def _order(item: Near, unit: str) -> tuple[int, bool, float, str]:
    return PLACES.index(item.place), item.row.unit != unit, item.apart, item.row.id


def _apart(one: Size, other: Size) -> float:
    return math.hypot(*(math.log((a + 1.0) / (b + 1.0)) for a, b in zip(one, other, strict=True)))
