"""The event engine: SimPy processes that replay a timed program, the reference of `sim`.

Between two barriers a step runs as two processes, one for the DMA stage and one for the compute
stage of the unit, coupled by its operand buffers. Transfers go through the shared `DramServer`, so
other traffic may slow them at any instant. It explains itself: every operator leaves a row of
times.

Not modelled: two target steps in flight at once (a step waits for the token of the one before).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field

import simpy

from sim.engine.bandwidth import DramServer, TrafficClass
from sim.engine.timed import TimedGroup, TimedProgram, TimedTask

Process = Generator[simpy.Event, object, None]


@dataclass(slots=True)
class Replayed:
    """The times of one operator in one step, all in seconds."""

    step: int
    layer: int
    task: TimedTask
    ready_s: float = 0.0
    fetch_start_s: float = 0.0
    fetch_end_s: float = 0.0
    start_s: float = 0.0
    end_s: float = 0.0
    dram_s: float = 0.0


@dataclass(slots=True)
class ReplayedGroup:
    """What the engine saw of one group: when each step started and ended, and each operator."""

    starts_s: list[float] = field(default_factory=list)
    ends_s: list[float] = field(default_factory=list)
    operators: list[Replayed] = field(default_factory=list)


class Stages:
    """The DMA and compute stages of one unit, coupled by ``buffers`` operand buffers."""

    def __init__(
        self, env: simpy.Environment, dram: DramServer, buffers: int, priority: int
    ) -> None:
        self.env = env
        self.dram = dram
        self.buffers = buffers
        self.priority = priority
        self.fetched = 0
        self.computed = 0
        self._data: simpy.Event | None = None
        self._slot: simpy.Event | None = None

    def run(self, operators: list[Replayed]) -> Process:
        """Run operators through both stages; ends when the last tile is computed."""
        self.fetched = self.computed = 0
        self.env.process(self._fetch(operators))
        yield self.env.process(self._compute(operators))

    def _fetch(self, operators: list[Replayed]) -> Process:
        env, transfer, priority, buffers = self.env, self.dram.transfer, self.priority, self.buffers
        for operator in operators:
            task, step = operator.task, operator.step
            nbytes = float(task.tile_bytes[step])
            rate, bus = float(task.rate_bytes_per_s[step]), float(task.bus_bytes_per_s[step])
            tiles = int(task.tiles[step])
            for tile in range(tiles):
                if self.fetched - self.computed >= buffers:
                    self._slot = env.event()
                    yield self._slot
                started = env.now
                if tile == 0:
                    operator.fetch_start_s = started
                if nbytes > 0.0:
                    yield transfer(nbytes, rate, bus, priority)
                    operator.dram_s += env.now - started
                self.fetched += 1
                if self._data is not None:
                    self._data.succeed()
                    self._data = None
            operator.fetch_end_s = env.now

    def _compute(self, operators: list[Replayed]) -> Process:
        env = self.env
        for operator in operators:
            operator.ready_s = env.now
            task, step = operator.task, operator.step
            busy_s = float(task.busy_s[step])
            for tile in range(int(task.tiles[step])):
                if self.fetched == self.computed:
                    self._data = env.event()
                    yield self._data
                if tile == 0:
                    operator.start_s = env.now
                if busy_s > 0.0:
                    yield env.timeout(busy_s)
                self.computed += 1
                if self._slot is not None:
                    self._slot.succeed()
                    self._slot = None
            operator.end_s = env.now


def step_operators(group: TimedGroup, step: int) -> Iterator[Replayed]:
    """Yield the operators of one step in program order, those with no tile left out."""
    layer = 0
    for segment in group.segments:
        for _ in range(segment.repeat):
            for task in segment.tasks:
                if task.tiles[step]:
                    yield Replayed(step, layer, task)
            layer += segment.is_layer


def _barrier(env: simpy.Environment, operator: Replayed) -> Process:
    operator.ready_s = operator.start_s = env.now
    operator.fetch_start_s = operator.fetch_end_s = env.now
    yield env.timeout(float(operator.task.busy_s[operator.step]))
    operator.end_s = env.now


def _run_step(env: simpy.Environment, stages: Stages, operators: list[Replayed]) -> Process:
    batch: list[Replayed] = []
    for operator in operators:
        if not operator.task.is_barrier:
            batch.append(operator)
            continue
        if batch:
            yield from stages.run(batch)
            batch = []
        yield from _barrier(env, operator)
    if batch:
        yield from stages.run(batch)


def _run_group(
    env: simpy.Environment, stages: Stages, group: TimedGroup, seen: ReplayedGroup
) -> Process:
    if group.release_s > env.now:
        yield env.timeout(group.release_s - env.now)
    for step in range(group.steps):
        operators = list(step_operators(group, step))
        seen.starts_s.append(env.now)
        yield from _run_step(env, stages, operators)
        seen.ends_s.append(env.now)
        seen.operators.extend(operators)


def replay(program: TimedProgram) -> list[ReplayedGroup]:
    """Run a program alone on the machine and return what was seen, a `ReplayedGroup` per group."""
    env = simpy.Environment()
    dram = DramServer(env)
    seen = [ReplayedGroup() for _ in program.groups]

    def main() -> Process:
        for group, log in zip(program.groups, seen, strict=True):
            stages = Stages(env, dram, group.buffers, TrafficClass.NPU)
            yield from _run_group(env, stages, group, log)

    env.run(env.process(main()))
    return seen
