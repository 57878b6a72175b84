"""The whole run as lanes and counters for the timeline's canvas, with levels of detail.

A lane is what one unit, the DMA stage or the host did: slices in order of time that do not overlap.
For every lane there are levels: in each, slices shorter than its width are gathered, so that the
browser never draws more than a few thousand. A gathered slice has the name and the bound of its
longest part and the bytes of all of them.

Times are seconds from the start of the first turn; a cold start lies before 0. Runs of more steps
than `sim.run.TASK_STEPS` hold steps and counters, no operators.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dashboard.transfers import DMA, FLASH, HOST
from sim.charts.shapes import BLUE, GREEN, ORANGE, PINK, SKY, colour
from sim.perfetto import counters, turns_beside
from sim.records import BOUNDS
from sim.results import Result

COARSEST: Final = 4096
"""Widths of the coarsest level that the run is as long as."""
FINER: Final = 8
"""How many times finer each level is than the one before."""
STEPS: Final = "steps"
BESIDE: Final = " beside"
PHASES: Final = ("vision", "prefill", "decode")
COUNTERS: Final = {
    "resident bytes": ("DRAM", "GiB", 2**-30, SKY),
    "power": ("power", "W", 1.0, PINK),
    "temperature": ("body", "°C", 1.0, ORANGE),
    "clock": ("clock", "%", 100.0, GREEN),
}
"""Counters of the trace: name, unit, scale and colour on the canvas."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Lane:
    """Slices in order of time: start and length [s], name and bound by index, bytes moved [B].

    ``step`` and ``layer`` say where an operator belongs; empty for a lane of steps.
    """

    name: str
    start: Floats
    seconds: Floats
    named: Ints
    bound: Ints
    moved: Floats
    step: Ints | None = None
    layer: Ints | None = None


def tracks(result: Result, name: str) -> dict[str, Any]:
    """Return the lanes and counters of a run as the canvas takes them."""
    names: dict[str, int] = {}
    lanes = [lane for lane in _lanes(result, names) if len(lane.start)]
    begin_s = min((float(lane.start[0]) for lane in lanes), default=0.0)
    span_s = result.makespan_s - begin_s
    return {
        "name": name,
        "begin": begin_s,
        "end": result.makespan_s,
        "anchors": _anchors(result),
        "names": list(names),
        "family": [_family(text) for text in names],
        "phaseColours": [colour(name) for name in phase_names()],
        "lanes": [_packed(lane, span_s) for lane in lanes],
        "counters": [*_bandwidth(lanes), *_counters(result)],
    }


def slices(result: Result) -> int:
    """Return how many slices the lanes of a run hold."""
    return sum(len(lane.start) for lane in _lanes(result, {}))


def levels(lane: Lane, span_s: float) -> Iterator[tuple[float, dict[str, Any]]]:
    """Yield width [s] and columns of each level, the coarsest first; the last holds every slice."""
    width_s = span_s / COARSEST
    shortest_s = float(np.median(lane.seconds)) if len(lane.seconds) else 0.0
    while width_s > shortest_s and len(lane.start) > COARSEST:
        yield width_s, _gathered(lane, width_s)
        width_s /= FINER
    columns = (lane.start, lane.seconds, lane.named, lane.bound, lane.moved)
    yield 0.0, dict(zip(("start", "seconds", "name", "bound", "moved"), columns, strict=True))


def _gathered(lane: Lane, width_s: float) -> dict[str, Any]:
    """Return the slices of a lane with those below a width gathered in boxes of it."""
    box = np.floor(lane.start / width_s)
    is_long = lane.seconds >= width_s
    opens = np.ones(len(box), dtype=bool)
    opens[1:] = (box[1:] != box[:-1]) | is_long[1:] | is_long[:-1]
    first = np.flatnonzero(opens)
    group = np.cumsum(opens) - 1
    ends = lane.start + lane.seconds
    last = np.append(first[1:], len(box)) - 1
    by_length = np.lexsort((lane.seconds, group))
    longest = by_length[last]
    return {
        "start": lane.start[first],
        "seconds": ends[last] - lane.start[first],
        "name": lane.named[longest],
        "bound": lane.bound[longest],
        "moved": np.add.reduceat(lane.moved, first),
    }


def _packed(lane: Lane, span_s: float) -> dict[str, Any]:
    found = {
        "name": lane.name,
        "levels": [
            {"width": width_s, **_texts(columns)} for width_s, columns in levels(lane, span_s)
        ],
    }
    if lane.step is not None and lane.layer is not None:
        found |= {"step": _text(lane.step, np.int32), "layer": _text(lane.layer, np.int16)}
    return found


def _texts(columns: dict[str, Any]) -> dict[str, str]:
    kinds: dict[str, Any] = {"start": np.float64, "seconds": np.float32, "moved": np.float32}
    kinds |= {"name": np.uint16, "bound": np.uint8}
    return {name: _text(column, kinds[name]) for name, column in columns.items()}


def _text(column: NDArray[Any], kind: Any) -> str:
    return base64.b64encode(np.ascontiguousarray(column, dtype=kind).tobytes()).decode("ascii")


def _lanes(result: Result, names: dict[str, int]) -> Iterator[Lane]:
    """Yield the lanes from top to bottom: steps, units, DMA, host, flash."""
    yield _steps(result, names)
    if result.keeps_tasks and result.groups:
        yield from _operators(result, names)
    yield from _cold_start(result, names)


def _steps(result: Result, names: dict[str, int]) -> Lane:
    rows = [
        (float(start_s), float(end_s - start_s), f"{_phase_name(times.group.phase)} {step}",
         PHASES.index(times.group.phase))
        for times in result.groups
        if times.group.images_needed is None
        for step, (start_s, end_s) in enumerate(zip(times.starts_s, times.ends_s, strict=True))
    ]  # fmt: skip
    return _lane(STEPS, rows, names)


def _lane(name: str, rows: Sequence[tuple[float, float, str, int]], names: dict[str, int]) -> Lane:
    columns = list(zip(*rows, strict=True)) if rows else [(), (), (), ()]
    start, seconds, texts, bound = columns
    named = np.array([names.setdefault(text, len(names)) for text in texts], dtype=np.int64)
    none = np.zeros(len(start))
    return Lane(
        name, np.array(start), np.array(seconds), named, np.array(bound, dtype=np.int64), none
    )


def _operators(result: Result, names: dict[str, int]) -> Iterator[Lane]:
    records = result.records
    texts, index = np.unique(records["name"], return_inverse=True)
    known = np.array([names.setdefault(str(text), len(names)) for text in texts])
    named, host = known[index], records.is_barrier
    beside = (records["phase"] == "prefill") & np.isin(records["turn"], list(turns_beside(result)))
    moved = records["dram_read_bytes"] + records["dram_write_bytes"]
    bound = np.searchsorted(BOUNDS, records["bound"])  # the words stand in order of the alphabet
    none = np.zeros(len(moved))

    def lane(title: str, chosen: NDArray[np.bool_], start: str, end: str, size: Floats) -> Lane:
        rows = np.flatnonzero(chosen)
        rows = rows[np.argsort(records[start][rows], kind="stable")]
        seconds = np.maximum(0.0, records[end][rows] - records[start][rows])
        where = records["step"][rows], records["layer"][rows]
        return Lane(
            title, records[start][rows], seconds, named[rows], bound[rows], size[rows], *where
        )

    for unit in np.unique(records["unit"]).tolist():
        yield lane(unit.upper(), ~host & (records["unit"] == unit), "start_s", "end_s", none)
    for suffix, side in (("", ~beside), (BESIDE, beside)):
        if side.any():
            yield lane(DMA + suffix, side & (moved > 0.0), "fetch_start_s", "fetch_end_s", moved)
            yield lane(HOST + suffix, side & host, "start_s", "end_s", none)


def _cold_start(result: Result, names: dict[str, int]) -> Iterator[Lane]:
    start = result.cold_start()
    rows = [
        (-start.total_s, start.read_s, "read the model", 0),
        (-start.graph_init_s, start.graph_init_s, "set up graphs", 2),
    ]
    yield _lane(FLASH, [row for row in rows if row[1] > 0.0], names)


WARMED_K: Final = 1.0
"""Least height of a track of temperatures, so that a hundredth of a degree looks like one [K]."""


def _anchors(result: Result) -> dict[str, float]:
    """Return when each phase begins [s]."""
    found: dict[str, float] = {}
    for times in result.groups:
        found.setdefault(times.group.phase, times.start_s)
    return found


def _bandwidth(lanes: Sequence[Lane]) -> Iterator[dict[str, Any]]:
    """Yield the bandwidth of each DMA lane; the canvas divides bytes by seconds."""
    for lane in lanes:
        if lane.name.startswith(DMA):
            busy = lane.seconds > 0.0
            most = float((lane.moved[busy] / lane.seconds[busy]).max()) / 1e9 if busy.any() else 1.0
            yield _counter("GB/s", "GB/s", np.zeros(0), np.zeros(0), BLUE, of=lane.name, most=most)


def _counters(result: Result) -> Iterator[dict[str, Any]]:
    rows: dict[str, list[tuple[float, float]]] = {name: [] for name in COUNTERS}
    for name, at_s, values in counters(result):
        value = values.get("body") if name == "temperature" else sum(values.values())
        rows[name].append((at_s, float(value or 0.0)))
    for name, (title, unit, scale, ink) in COUNTERS.items():
        if rows[name]:
            at_s, values = np.array(rows[name]).T
            yield _counter(title, unit, at_s, values * scale, ink)


def _counter(
    name: str, unit: str, at_s: Floats, values: Floats, ink: str, of: str = "", most: float = 0.0
) -> dict[str, Any]:
    highest, least = most or float(values.max()), 0.0
    top = highest
    if unit == "°C":
        least = float(values.min())
        top = max(top, least + WARMED_K)
    return {
        "name": name,
        "unit": unit,
        "at": _text(at_s, np.float64),
        "value": _text(values, np.float32),
        "least": least,
        "most": top,
        "highest": highest,
        "colour": ink,
        "of": of,
    }


def phase_names() -> list[str]:
    """Return what the steps of a run are called, in the order of their colours."""
    return [_phase_name(phase) for phase in PHASES]


def _phase_name(phase: str) -> str:
    return "vision encode" if phase == "vision" else phase


def _family(name: str) -> int:
    """Return a number that operators of the same last word share, for their colour."""
    last = name.rpartition(".")[2]
    return sum((place + 1) * ord(letter) for place, letter in enumerate(last)) % 997
