"""The event engine: SimPy processes that replay a timed program, the reference of `sim`.

Between two barriers a step runs as two processes, one for the DMA stage and one for the compute
stage of the unit, coupled by its operand buffers. Transfers go through the shared `DramServer`, so
other traffic may slow them at any instant. It explains itself: every operator leaves a row of
times.

Images may encode on one unit while another prefills: then two steps are in flight, each on a `Lane`
of its own, and share the DRAM. Not modelled: two target steps in flight at once (a step waits for
the token of the one before).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

import numpy as np
import simpy

from sim.engine.bandwidth import DramServer, postponed
from sim.engine.conditions import NOMINAL, UNIT_CLASS, Conditions
from sim.engine.progress import Progress
from sim.engine.timed import TimedGroup
from sim.engine.times import Change, Replayed
from sim.heat.phone import Phone

Process = Generator[simpy.Event, object, None]


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


class Lane:
    """What a step in flight has to itself: the unit, and the host thread that drives it."""

    def __init__(self, env: simpy.Environment, dram: DramServer) -> None:
        self.env, self.dram = env, dram
        self.unit, self.host = Pace(env), Pace(env)

    def set_speed(self, conditions: Conditions) -> None:
        """Change the speed of unit and host from now on."""
        self.unit.set_speed(conditions.clock)
        self.host.set_speed(conditions.clock * conditions.host)


class Hardware(Lane):
    """The hardware under changing conditions: memory, a lane, a second for prefill beside it."""

    def __init__(self, conditions: Conditions = NOMINAL, now_s: float = 0.0) -> None:
        env = simpy.Environment(now_s)
        super().__init__(env, DramServer(env))
        self.beside = Lane(env, self.dram)
        self.conditions = NOMINAL
        self.set_conditions(conditions)

    def set_conditions(self, conditions: Conditions) -> None:
        """Change all rates from now on."""
        if conditions == self.conditions:
            return
        self.conditions = conditions
        self.dram.set_conditions(conditions)
        self.set_speed(conditions)
        self.beside.set_speed(conditions)


class Stages:
    """The DMA and compute stages of one unit, coupled by ``buffers`` operand buffers."""

    def __init__(self, lane: Lane, buffers: int) -> None:
        self.env = lane.env
        self.dram = lane.dram
        self.unit = lane.unit
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
        """Fetch tile after tile, each once an operand buffer is free."""
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
        """Compute tile after tile, each once its operands are there."""
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
    """Yield the operators of one step in program order, without those that have no tile in it."""
    layer = 0
    for segment in group.segments:
        for _ in range(segment.repeat):
            for task in segment.tasks:
                if task.tiles[step]:
                    yield Replayed(step, layer, task)
            layer += segment.is_layer


def _barrier(lane: Lane, operator: Replayed) -> Process:
    now_s = lane.env.now
    operator.ready_s = operator.start_s = now_s
    operator.fetch_start_s = operator.fetch_end_s = now_s
    pace = lane.host if operator.task.is_on_host else lane.unit
    yield pace.work(float(operator.task.busy_s[operator.step]))
    operator.end_s = lane.env.now


def run_step(lane: Lane, buffers: int, operators: list[Replayed]) -> Process:
    """Run one step: operators between two barriers overlap on both stages, barriers run alone."""
    stages = Stages(lane, buffers)
    batch: list[Replayed] = []
    for operator in operators:
        if not operator.task.is_barrier:
            batch.append(operator)
            continue
        if batch:
            yield from stages.run(batch)
            batch = []
        yield from _barrier(lane, operator)
    if batch:
        yield from stages.run(batch)


def replay_step(
    group: TimedGroup, step: int, conditions: Conditions, changes: Sequence[Change]
) -> tuple[float, list[Replayed]]:
    """Run one step during which conditions change; return its duration [s] and its operators.

    ``changes`` are seconds after the step's start and the conditions from then on. Times of the
    operators count from the step's start.
    """
    hardware = Hardware(conditions)
    env, operators = hardware.env, list(step_operators(group, step))

    def change() -> Process:
        for after_s, later in changes:
            yield env.timeout(after_s - env.now)
            hardware.set_conditions(later)

    env.process(change())
    env.run(env.process(run_step(hardware, group.buffers, operators)))
    return env.now, operators


class Encoded:
    """The images encoded so far, for the prefill steps that wait for them."""

    def __init__(self, env: simpy.Environment, progress: Progress) -> None:
        self._env, self._progress = env, progress
        self._changed = env.event()
        self._ended = False

    def has(self, images: int) -> bool:
        """Whether so many images are encoded."""
        return self._progress.done >= images

    def announce(self) -> None:
        """Wake those who wait: one more image is encoded."""
        self._changed.succeed()
        self._changed = self._env.event()

    def end(self) -> None:
        """Wake those who wait: no further image will be encoded for now."""
        self._ended = True
        self.announce()

    def wait(self, images: int) -> Process:
        """Wait until so many images are encoded, or no more will be."""
        while not self.has(images) and not self._ended:
            yield self._changed


class EventEngine:
    """Runs steps one by one in SimPy beside the phone's governor and other apps.

    The reference of the engines; `sim.engine.fast.MaxPlusEngine` must agree with it.
    """

    def __init__(self, phone: Phone, now_s: float = 0.0) -> None:
        self.phone = phone
        self._hardware = Hardware(phone.conditions, now_s)
        self._hardware.env.process(self._watch())

    @property
    def now_s(self) -> float:
        """The clock [s]."""
        now_s: float = self._hardware.env.now
        return now_s

    def idle(self, until_s: float) -> None:
        """Let time pass with nothing to run [s]."""
        self.phone.run(None, self.now_s)
        self._hardware.env.run(until=until_s)

    def run(self, progress: Progress, until_s: float, beside: Progress | None = None) -> None:
        """Run steps of a group, and of one beside it, until done or those at ``until_s`` end."""
        env = self._hardware.env
        images = Encoded(env, progress)
        if beside is None:
            self.phone.run(progress.law, self.now_s)
            env.run(env.process(self._steps(self._hardware, progress, until_s, images)))
            return
        self.phone.run(beside.law_beside, self.now_s)
        encoding = env.process(self._steps(self._hardware, progress, until_s, images))
        filling = env.process(self._prefill(beside, until_s, images))
        env.run(encoding & filling)

    def _steps(self, lane: Lane, progress: Progress, until_s: float, images: Encoded) -> Process:
        while not progress.is_done and self.now_s < until_s:
            yield from self._step(lane, progress)
            images.announce()
        images.end()

    def _prefill(self, progress: Progress, until_s: float, images: Encoded) -> Process:
        """Run prefill steps on the lane beside, each once the images it needs are encoded."""
        needed = progress.timed.images_needed
        assert needed is not None
        while not progress.is_done:
            yield from images.wait(int(needed[progress.done]))
            if not images.has(int(needed[progress.done])) or self.now_s >= until_s:
                return
            yield from self._step(self._hardware.beside, progress)

    def _step(self, lane: Lane, progress: Progress) -> Process:
        operators = list(step_operators(progress.timed, progress.done))
        start_s, conditions = self.now_s, self._hardware.conditions
        yield from run_step(lane, progress.timed.buffers, operators)
        changes = [
            (at_s - start_s, later)
            for at_s, later in self.phone.changes_between(start_s, self.now_s)
        ]
        ends_s = np.array([self.now_s])
        progress.add(np.array([start_s]), ends_s, conditions, changes, replayed=True)
        progress.operators.extend(operators)

    def _watch(self) -> Process:
        """Make each change of conditions when it is due."""
        phone, env = self.phone, self._hardware.env
        while True:
            due_s = min(phone.next_change_s, phone.next_poll_s(env.now))
            yield env.timeout(max(0.0, due_s - env.now))
            if phone.next_change_s == due_s:
                phone.advance(due_s)
            self._hardware.set_conditions(phone.conditions)
