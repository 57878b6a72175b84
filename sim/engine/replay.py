"""The event engine: SimPy processes that replay a timed program, the reference of `sim`.

Between two barriers a step runs as two processes, one for the DMA stage and one for the compute
stage of the unit, coupled by its operand buffers. Transfers go through the shared `DramServer`, so
other traffic may slow them at any instant. It explains itself: every operator leaves a row of
times.

Not modelled: two target steps in flight at once (a step waits for the token of the one before).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import simpy

from sim.engine.bandwidth import DramServer, postponed
from sim.engine.conditions import NOMINAL, UNIT_CLASS, Conditions
from sim.engine.governor import Phone
from sim.engine.progress import Progress
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


class Pace:
    """Work of one worker at a speed that may change at any instant."""

    def __init__(self, env: simpy.Environment) -> None:
        self.env = env
        self.speed = 1.0
        self._done: simpy.Event | None = None
        self._remaining_s = 0.0
        self._settled_s = 0.0

    def work(self, seconds: float) -> simpy.Event:
        """Start work of ``seconds`` at full speed [s] and return the event of its end."""
        self._remaining_s, self._settled_s = seconds, self.env.now
        self._done = self.env.timeout(seconds / self.speed)
        return self._done

    def set_speed(self, speed: float) -> None:
        """Change the speed from now on, work in progress included."""
        done = self._done
        if done is not None and not done.processed:
            self._remaining_s -= (self.env.now - self._settled_s) * self.speed
            self._settled_s = self.env.now
            self._done = postponed(self.env, done, max(0.0, self._remaining_s) / speed)
        self.speed = speed


class Machine:
    """The memory, the compute stage and the host of a phone, under conditions that may change."""

    def __init__(self, conditions: Conditions = NOMINAL) -> None:
        self.env = simpy.Environment()
        self.dram = DramServer(self.env)
        self.unit, self.host = Pace(self.env), Pace(self.env)
        self.conditions = NOMINAL
        self.set_conditions(conditions)

    def set_conditions(self, conditions: Conditions) -> None:
        """Change all rates from now on."""
        if conditions == self.conditions:
            return
        self.conditions = conditions
        self.dram.set_conditions(conditions)
        self.unit.set_speed(conditions.clock)
        self.host.set_speed(conditions.clock * conditions.host)


class Stages:
    """The DMA and compute stages of one unit, coupled by ``buffers`` operand buffers."""

    def __init__(self, machine: Machine, buffers: int) -> None:
        self.env = machine.env
        self.dram = machine.dram
        self.unit = machine.unit
        self.buffers = buffers
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
        env, transfer, buffers = self.env, self.dram.transfer, self.buffers
        for operator in operators:
            task, step = operator.task, operator.step
            nbytes = float(task.tile_bytes[step])
            rate, bus = float(task.rate_bytes_per_s[step]), float(task.bus_bytes_per_s[step])
            tiles, priority = int(task.tiles[step]), UNIT_CLASS[task.unit]
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
                    yield self.unit.work(busy_s)
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


def _barrier(machine: Machine, operator: Replayed) -> Process:
    now_s = machine.env.now
    operator.ready_s = operator.start_s = now_s
    operator.fetch_start_s = operator.fetch_end_s = now_s
    yield machine.host.work(float(operator.task.busy_s[operator.step]))
    operator.end_s = machine.env.now


def run_step(machine: Machine, buffers: int, operators: list[Replayed]) -> Process:
    """Run one step: what lies between two barriers on both stages, and the barriers."""
    stages = Stages(machine, buffers)
    batch: list[Replayed] = []
    for operator in operators:
        if not operator.task.is_barrier:
            batch.append(operator)
            continue
        if batch:
            yield from stages.run(batch)
            batch = []
        yield from _barrier(machine, operator)
    if batch:
        yield from stages.run(batch)


def replay(program: TimedProgram) -> list[ReplayedGroup]:
    """Run a program alone on the machine and return what was seen, a `ReplayedGroup` per group."""
    machine = Machine()
    env = machine.env
    seen = [ReplayedGroup() for _ in program.groups]

    def main() -> Process:
        for group, log in zip(program.groups, seen, strict=True):
            yield env.timeout(max(0.0, group.release_s - env.now))
            for step in range(group.steps):
                operators = list(step_operators(group, step))
                log.starts_s.append(env.now)
                yield from run_step(machine, group.buffers, operators)
                log.ends_s.append(env.now)
                log.operators.extend(operators)

    env.run(env.process(main()))
    return seen


Change = tuple[float, Conditions]


def replay_step(
    group: TimedGroup, step: int, conditions: Conditions, changes: Sequence[Change]
) -> tuple[float, list[Replayed]]:
    """Run one step across changes of conditions.

    ``changes`` are seconds after the step's start and the conditions from then on. Returned are the
    step's duration and its operators, times counted from its start [s].
    """
    machine = Machine(conditions)
    env, operators = machine.env, list(step_operators(group, step))

    def change() -> Process:
        for after_s, later in changes:
            yield env.timeout(after_s - env.now)
            machine.set_conditions(later)

    env.process(change())
    env.run(env.process(run_step(machine, group.buffers, operators)))
    return env.now, operators


class EventMachine:
    """Runs steps one by one in SimPy beside the phone's governor and other apps.

    The reference of the engines; `sim.engine.batches.BatchMachine` must agree with it.
    """

    def __init__(self, phone: Phone) -> None:
        self.phone = phone
        self._machine = Machine(phone.conditions)
        self._machine.env.process(self._watch())

    @property
    def now_s(self) -> float:
        """The clock [s]."""
        now_s: float = self._machine.env.now
        return now_s

    def idle(self, until_s: float) -> None:
        """Let time pass with nothing to run [s]."""
        self.phone.run(None, self.now_s)
        self._machine.env.run(until=until_s)

    def run(self, progress: Progress, until_s: float) -> None:
        """Run steps of a group until it is done or the step in progress at ``until_s`` ends."""
        machine, env = self._machine, self._machine.env
        self.phone.run(progress.law, self.now_s)
        while not progress.is_done and self.now_s < until_s:
            operators = list(step_operators(progress.timed, progress.done))
            start_s, conditions = env.now, machine.conditions
            env.run(env.process(run_step(machine, progress.timed.buffers, operators)))
            progress.add(np.array([start_s]), np.array([env.now]), conditions)
            progress.operators.extend(operators)

    def _watch(self) -> Process:
        """Make each change of conditions when it is due."""
        phone, env = self.phone, self._machine.env
        while True:
            due_s = min(phone.next_change_s, phone.next_poll_s(env.now))
            yield env.timeout(max(0.0, due_s - env.now))
            if phone.next_change_s == due_s:
                phone.advance(due_s)
            self._machine.set_conditions(phone.conditions)
