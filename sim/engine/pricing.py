"""Program + SocSpec -> TimedProgram: tasks get seconds, transfers get rates.

A task keeps its unit busy for as long as `sim.engine.unit_time` says. Its transfers run at the
slowest of what the memory serves for their mix of reads and writes, what the stack attains of the
peak, and what one unit can draw alone (`sim.engine.transfers`).

Not modelled: operators of one step on two units at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from hw_models.laws import Numbers
from hw_models.schema import Stack
from hw_models.soc import SocSpec
from sim.engine import transfers
from sim.engine.cached import Served, hits, served
from sim.engine.graphs import in_graphs, with_hand_overs
from sim.engine.timed import (
    HOST_UNIT,
    Barrier,
    FloatColumn,
    TimedGroup,
    TimedProgram,
    TimedSegment,
    TimedTask,
)
from sim.engine.unit_time import UnitTimes
from sim.loading import read_s
from workloads.program import OnProgress, Program, ProgramSegment, StepGroup, untold
from workloads.tasks import Task


@dataclass(frozen=True, slots=True)
class Pricing:
    """Prices tasks of one program on one stack of one SoC.

    Attributes
    ----------
    mapped
        Share of the weights that does not fit in memory: every pass brings it in from flash by page
        faults.
    """

    soc: SocSpec
    stack: Stack
    mapped: float = 0.0
    _priced: dict[tuple[tuple[ProgramSegment, ...], str], tuple[TimedSegment, ...]] = field(
        default_factory=dict, compare=False
    )
    _opened: dict[tuple[object, ...], TimedSegment] = field(default_factory=dict, compare=False)

    @property
    def units(self) -> UnitTimes:
        """How long the units are busy."""
        return UnitTimes(self.soc, self.stack)

    def program(self, program: Program, on_progress: OnProgress = untold) -> TimedProgram:
        """Return the program with seconds; `SimError` where no stack drives a unit it asks for."""
        groups, turns = [], 1 + program.groups[-1].turn
        for group in program.groups:
            on_progress(group.turn, turns, "turns priced")
            groups.append(self.group(group))
        return TimedProgram(tuple(groups))

    def group(self, group: StepGroup) -> TimedGroup:
        """Return one step group with seconds; host work, graph calls and copies are barriers."""
        unit = self.soc.units[self.stack.unit]
        return TimedGroup(
            phase=group.phase,
            turn=group.turn,
            steps=group.steps,
            buffers=int(unit.buffer.operand_count.value),
            segments=(self._opening(group), *self._body(group)),
            release_s=group.at_s,
            images_needed=group.images_needed,
        )

    def _body(self, group: StepGroup) -> tuple[TimedSegment, ...]:
        """Return what follows the opening of a step; equal turns share it."""
        key = group.segments, group.phase
        if key not in self._priced:
            call = self._graph_call(group)
            apart = group.phase in ("vision", "network")
            shards = 1 if apart else int(self.stack.graphs_per_step.value)
            cached = served(group, self.soc)
            segments = [self.segment(part, group, call, cached) for part in group.segments]
            priced = in_graphs(with_hand_overs(segments, call), call, shards)
            self._priced[key] = tuple(priced)
        return self._priced[key]

    def _graph_call(self, group: StepGroup) -> TimedTask:
        return _barrier("graph_call", group.steps, self.stack.graph_call_s.value)

    def _opening(self, group: StepGroup) -> TimedSegment:
        """Return what happens before a step's first layer; equal turns share it.

        The load and rebind of an adapter or the load of the vision encoder before the first step,
        the weights of another graph, the switch to one of another cache size, host work (embedding
        look-up, sampling, image preparation), and the graph call.
        """
        switches = None if group.switches is None else group.switches.tobytes()
        key = group.segments, group.phase, group.steps, group.setup, switches
        if key not in self._opened:
            self._opened[key] = TimedSegment("host", 1, self._before_layers(group))
        return self._opened[key]

    def _before_layers(self, group: StepGroup) -> tuple[TimedTask, ...]:
        steps, stack, sees = group.steps, self.stack, group.phase == "vision"
        first = np.zeros(steps)
        first[0] = 1.0
        setup_s = read_s(self.soc, group.setup.flash_bytes)
        setup_s += group.setup.copied_bytes / self.soc.host.memcpy.value
        switches = group.switches if group.switches is not None else np.zeros(steps)
        return (
            _barrier("encoder_load" if sees else "adapter_switch", steps, setup_s, first),
            *self._graph_swap(group, first),
            _barrier("graph_switch", steps, stack.graph_switch_s.value, switches),
            *self._call(group),
        )

    def _graph_swap(self, group: StepGroup, first: FloatColumn) -> tuple[TimedTask, ...]:
        """Return the wait for the weights of the graph that a group's first step goes over to."""
        part = self.stack.prompt_graph
        if part is None or not group.setup.swapped_bytes:
            return ()
        swap_s = part.swap_s(group.setup.swapped_bytes)
        return (_barrier("graph_swap", group.steps, swap_s, first),)

    def _call(self, group: StepGroup) -> tuple[TimedTask, ...]:
        """Return host work, copies of the cache and the graph call; of a network its own cost."""
        if network := self.units.network_of(self.stack, group.phase):
            return (_barrier("host", group.steps, network.call_s.value),)
        host = _barrier("host", group.steps, self.stack.step_overhead_s.value)
        return (host, *self._cache_copy(group), self._graph_call(group))

    def _cache_copy(self, group: StepGroup) -> tuple[TimedTask, ...]:
        """Return the copying of the cache that layers read, where the stack passes it in and out.

            t = cache bytes / rate        once per step of decode, once per prefill chunk

        Source: QNN context binaries with caches as graph inputs and outputs, whose steps grow by
        about 60 ms per GB of cache. Valid where a copy hides behind nothing else.
        """
        if self.stack.kv_copy is None or group.phase == "vision":
            return ()
        held = sum(
            (
                part.repeat * task.runs * task.kv_read_bytes
                for part in group.segments
                if part.is_layer
                for task in part.tasks
            ),
            np.zeros(group.steps),
        )
        return (self._of_the_unit("cache_copy", group.steps, held / self.stack.kv_copy.value),)

    def segment(
        self,
        segment: ProgramSegment,
        group: StepGroup,
        call: TimedTask,
        cached: Mapping[Task, Served],
    ) -> TimedSegment:
        """Return one run of layers with seconds; a graph of its own starts with its call.

        Each layer of the decoder starts with the stack's work per layer, if any.
        """
        tasks = tuple(self.task(task, group.phase, cached.get(task)) for task in segment.tasks)
        if self.stack.layer_s is not None and segment.is_layer and group.phase != "vision":
            tasks = (self._of_the_unit("layer", group.steps, self.stack.layer_s.value), *tasks)
        if segment.graph_call:
            tasks = (call, *tasks)
        return TimedSegment(segment.name, segment.repeat, tasks, segment.is_layer)

    def _of_the_unit(self, name: Barrier, steps: int, seconds: Numbers) -> TimedTask:
        """Return a barrier that the stack's unit does by itself inside a graph.

        On a processor its threads meet and copy, so other apps slow them; an NPU or GPU goes from
        one shard to the next, and from caches that are inputs to those that are outputs, without
        the app's host thread.
        """
        return replace(_barrier(name, steps, seconds), unit=self.stack.unit)

    def task(self, task: Task, phase: str, cached: Served | None = None) -> TimedTask:
        """Return one operator with seconds per tile; what no step changes is priced once.

        ``cached`` is what the system cache serves of it.
        """
        cached_bytes = cached.total_bytes if cached else None
        priced = self._priced_task(task.narrow, phase, cached_bytes)
        return replace(priced, demand=task).widened(len(task.runs))

    def _priced_task(
        self, task: Task, phase: str, cached_bytes: FloatColumn | None = None
    ) -> TimedTask:
        unit = self.soc.units[task.unit]
        tiles = task.tiles(unit.buffer.operand_bytes.value)
        per_task = 1.0 / np.maximum(tiles, 1)
        tile_bytes = task.dram_bytes * per_task
        units = self.units
        stack = units.stack_of(task.unit)
        bus, rate = transfers.rates(self.soc, stack, task, tile_bytes, self.mapped, cached_bytes)
        kernel = stack.kernel(phase, task.operator)
        network = units.network_of(stack, phase)
        launch_s = (network and network.operator_s) or unit.launch.operator_s
        overhead_s = kernel.overhead_s if kernel else launch_s
        return TimedTask(
            name=task.name,
            kind=task.kind,
            unit=task.unit,
            tiles=tiles,
            tile_bytes=tile_bytes,
            rate_bytes_per_s=rate,
            bus_bytes_per_s=bus,
            compute_s=units.busy_s(task, phase) * per_task,
            launch_s=overhead_s.value * per_task,
            cached_bytes=cached_bytes,
        )

    def jumps_of(self, group: StepGroup) -> Sequence[FloatColumn]:
        """Return what of the seconds of a whole step may only change in jumps, per step."""
        cache = self.soc.dram.system_cache
        return [] if cache is None else hits(group.segments, cache)


def _barrier(
    name: Barrier, steps: int, seconds: Numbers, runs: FloatColumn | None = None
) -> TimedTask:
    """Return a barrier on the host of ``seconds`` in the steps where ``runs`` is 1, if any time."""
    zero, one = np.zeros(1), np.ones(1)
    active = one if runs is None else runs
    tiles = np.asarray(active * np.greater(seconds, 0.0)).astype(np.int64)
    task = TimedTask(name, name, HOST_UNIT, tiles, zero, one, one, zero, seconds * one)
    return task.widened(steps)
