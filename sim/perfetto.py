"""Chrome trace JSON of a run, for ui.perfetto.dev.

One track per unit (its DMA stage, its compute stage, the host), one for steps, and counters for
DRAM bandwidth, resident bytes, power, temperatures and the clock. Slices of one track never
overlap; times are in microseconds. Prefill beside the encoding of images has tracks of its own for
steps, host and DMA. Of a long session steps are shown, not their tasks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.engine.timed import BARRIERS, FloatColumn
from sim.output import write_whole
from sim.records import RecordTable
from sim.run import Run

PROCESS_ID = 1
STEP_TRACK, HOST_TRACK, DMA_TRACK = 1, 2, 6
BESIDE = 10
"""Added to the number of a track for what runs beside the encoding of images."""
UNIT_TRACKS = {"npu": 3, "gpu": 4, "cpu": 5}
MICROSECONDS = 1e6

Event = dict[str, Any]


def trace_events(run: Run) -> Iterator[Event]:
    """Yield the events of a run, slices of each track in order of time."""
    units = [str(unit) for unit in np.unique(run.records["unit"])] if run.keeps_tasks else []
    beside = turns_beside(run)
    yield from _names(f"{run.soc.name} / {run.program.model}", units, bool(beside))
    yield from _steps(run)
    if run.keeps_tasks:
        records = run.records
        is_beside = (records["phase"] == "prefill") & np.isin(records["turn"], list(beside))
        yield from _tasks(run, is_beside)
        yield from _bandwidth(records, ~is_beside, "DRAM bandwidth")
        yield from _bandwidth(records, is_beside, "DRAM bandwidth beside")
    for name, at_s, values in counters(run):
        yield _counter(name, at_s, **values)


def counters(run: Run) -> Iterator[tuple[str, float, dict[str, float]]]:
    """Yield name, instant [s] and values of what is counted: residency, power, heat, clock."""
    for residency in run.ledger.timeline:
        yield "resident bytes", residency.at_s, dict(residency.by_class)
    yield from _power(run)
    ambient_c = run.scenario.environment.ambient_c
    yield "temperature", 0.0, {"die": ambient_c, "body": ambient_c}
    yield "clock", 0.0, {"fraction": 1.0}
    for reading in run.heat.readings:
        yield "temperature", reading.at_s, {"die": reading.die_c, "body": reading.body_c}
        yield "clock", reading.at_s, {"fraction": reading.clock}


def write_trace(run: Run, path: Path) -> None:
    """Write the trace, whole or not at all; `OutputError` if it cannot be written."""
    write_whole(path, lambda temporary: _put_events(run, temporary))


def _put_events(run: Run, path: Path) -> None:
    with path.open("w", encoding="utf-8") as stream:
        stream.write('{"displayTimeUnit":"ms","traceEvents":[\n')
        for index, event in enumerate(trace_events(run)):
            stream.write(("," if index else "") + json.dumps(event, separators=(",", ":")) + "\n")
        stream.write("]}\n")


def turns_beside(run: Run) -> set[int]:
    """Return the turns whose prefill may run beside the encoding of their images."""
    groups = (times.group for times in run.groups)
    return {group.turn for group in groups if group.images_needed is not None}


def _names(process: str, units: Sequence[str], beside: bool) -> Iterator[Event]:
    yield {"ph": "M", "pid": PROCESS_ID, "name": "process_name", "args": {"name": process}}
    tracks = {STEP_TRACK: "steps", HOST_TRACK: "host", DMA_TRACK: "dma"}
    tracks |= {BESIDE + track: f"{name} beside" for track, name in tracks.items() if beside}
    tracks |= {UNIT_TRACKS[unit]: unit for unit in units}
    for track, name in tracks.items():
        arguments = {"name": name}
        yield {"ph": "M", "pid": PROCESS_ID, "tid": track, "name": "thread_name", "args": arguments}


def _slice(track: int, name: str, start_s: float, end_s: float, **arguments: Any) -> Event:
    return {
        "ph": "X",
        "pid": PROCESS_ID,
        "tid": track,
        "name": name,
        "ts": start_s * MICROSECONDS,
        "dur": max(0.0, end_s - start_s) * MICROSECONDS,
        **({"args": arguments} if arguments else {}),
    }


def _counter(name: str, at_s: float, **values: float) -> Event:
    return {"ph": "C", "pid": PROCESS_ID, "name": name, "ts": at_s * MICROSECONDS, "args": values}


def _steps(run: Run) -> Iterator[Event]:
    for times in run.groups:
        track = STEP_TRACK + (0 if times.group.images_needed is None else BESIDE)
        for step, (start_s, end_s) in enumerate(zip(times.starts_s, times.ends_s, strict=True)):
            name = f"{times.group.phase} {step}"
            yield _slice(track, name, float(start_s), float(end_s), turn=times.group.turn)


def _tasks(run: Run, is_beside: NDArray[np.bool_]) -> Iterator[Event]:
    """Yield what unit or host did for each record, and its transfers."""
    for record, beside in zip(run.records, is_beside.tolist(), strict=True):
        aside = BESIDE if beside else 0
        is_host = record.kind in BARRIERS
        track = HOST_TRACK + aside if is_host else UNIT_TRACKS[record.unit]
        yield _slice(
            track,
            record.name,
            record.start_s,
            record.end_s,
            phase=record.phase,
            layer=record.layer,
            bound=record.bound,
            wait_us=record.wait_s * MICROSECONDS,
        )
        moved = record.dram_read_bytes + record.dram_write_bytes
        if moved:
            yield _slice(
                DMA_TRACK + aside,
                record.name,
                record.fetch_start_s,
                record.fetch_end_s,
                bytes=moved,
            )


def _bandwidth(records: RecordTable, chosen: NDArray[np.bool_], name: str) -> Iterator[Event]:
    """Yield the mean DRAM bandwidth of each transfer, falling to zero between transfers."""
    moved = records["dram_read_bytes"] + records["dram_write_bytes"]
    starts, ends = records["fetch_start_s"], records["fetch_end_s"]
    last_s = -1.0
    for row in np.flatnonzero((moved > 0.0) & chosen):
        start_s, end_s = float(starts[row]), float(ends[row])
        if last_s >= 0.0 and start_s > last_s:
            yield _counter(name, last_s, gb_per_s=0.0)
        if end_s > start_s:
            rate = float(moved[row]) / (end_s - start_s) / 1e9
            yield _counter(name, start_s, gb_per_s=rate)
        last_s = end_s
    if last_s >= 0.0:
        yield _counter(name, last_s, gb_per_s=0.0)


def _power(run: Run) -> Iterator[tuple[str, float, dict[str, float]]]:
    """Yield the power whenever a step starts or ends: idle and host power, plus all running steps.

    A step counts with its mean power; two at once add up.
    """
    zero, model = np.zeros(1), run.energy_model
    watts = [
        (dram_j + compute_j) / (times.ends_s - times.starts_s)
        for times, (dram_j, compute_j) in zip(run.groups, run.dynamic_j, strict=True)
    ]
    starts = np.concatenate([zero, *(times.starts_s for times in run.groups)])
    ends = np.concatenate([zero, *(times.ends_s for times in run.groups)])
    dynamic_w = np.concatenate([zero, *watts])
    instants = np.unique(np.concatenate([starts, ends]))
    running = _in_force(instants, starts, ends, np.ones(len(starts)))
    total_w = model.idle_w() + _in_force(instants, starts, ends, dynamic_w)
    total_w[running > 0.5] += model.static_w() - model.idle_w()
    for at_s, power_w in zip(instants[:-1].tolist(), total_w.tolist(), strict=False):
        yield "power", at_s, {"w": power_w}
    yield "power", run.makespan_s, {"w": 0.0}


def _in_force(
    instants: FloatColumn, starts: FloatColumn, ends: FloatColumn, values: FloatColumn
) -> FloatColumn:
    """Return, for each instant, the sum of the values between whose start and end it lies."""
    changes = np.zeros(len(instants))
    np.add.at(changes, np.searchsorted(instants, starts), values)
    np.add.at(changes, np.searchsorted(instants, ends), -values)
    return np.cumsum(changes)
