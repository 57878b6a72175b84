"""Program + SocSpec -> TimedProgram: tasks get seconds, transfers get rates.

A task's compute time is that of its slowest on-chip stage, since expansion, matrix and vector work
of a tile are pipelined inside the unit::

    compute_s = max(matrix_s, vector_s, dequantise_s)

Its transfers run at the slowest of what the memory serves for their mix of reads and writes, what
the stack attains of the peak, and what one unit can draw alone.

Not modelled: a stage that stalls another inside one tile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hw_models import compute, dram
from hw_models.schema import ComputeUnit, Stack
from hw_models.soc import SocSpec
from sim.engine.timed import FloatColumn, TimedGroup, TimedProgram, TimedSegment, TimedTask
from workloads.program import Program, ProgramSegment, StepGroup, Task

HOST_UNIT = "cpu"


@dataclass(frozen=True, slots=True)
class Pricing:
    """Prices tasks of one program on one stack of one SoC."""

    soc: SocSpec
    stack: Stack

    def program(self, program: Program) -> TimedProgram:
        """Return the program with seconds."""
        return TimedProgram(tuple(self.group(group) for group in program.groups))

    def group(self, group: StepGroup) -> TimedGroup:
        """Return one step group with seconds, host work and graph calls put in as barriers."""
        layers = [self.segment(part, group.phase) for part in group.segments]
        shards = 1 if group.phase == "vision" else int(self.stack.graphs_per_step.value)
        segments = _with_barriers(layers, self._host(group), self._graph_call(group), shards)
        unit = self.soc.units[self.stack.unit]
        return TimedGroup(
            phase=group.phase,
            turn=group.turn,
            steps=group.steps,
            buffers=int(unit.buffer.operand_count.value),
            segments=segments,
            release_s=group.at_s,
        )

    def segment(self, segment: ProgramSegment, phase: str) -> TimedSegment:
        """Return one run of layers with seconds."""
        tasks = tuple(self.task(task, phase) for task in segment.tasks)
        return TimedSegment(segment.name, segment.repeat, tasks, segment.is_layer)

    def task(self, task: Task, phase: str) -> TimedTask:
        """Return one operator with seconds per tile."""
        unit = self.soc.units[self.stack.unit]
        tiles = task.tiles(unit.buffer.operand_bytes.value)
        per_task = 1.0 / np.maximum(tiles, 1)
        tile_bytes = task.dram_bytes * per_task
        bus, rate = self.rates(task, unit, tile_bytes)
        launch_s = np.full(tiles.shape, unit.launch.operator_s.value)
        return TimedTask(
            name=task.name,
            kind=task.kind,
            unit=self.stack.unit,
            tiles=tiles,
            tile_bytes=tile_bytes,
            rate_bytes_per_s=rate,
            bus_bytes_per_s=bus,
            compute_s=self.compute_s(task, unit, phase) * per_task,
            launch_s=launch_s * per_task,
            demand=task,
        )

    def compute_s(self, task: Task, unit: ComputeUnit, phase: str) -> FloatColumn:
        """Return the seconds of the slowest on-chip stage, per step [s]."""
        vector_s = compute.vector_seconds(task.vector_ops, unit.vector.rate.value)
        expand_s = compute.dequantise_seconds(task.expanded_weights, unit.dequantise.rate.value)
        slowest: FloatColumn = np.maximum(vector_s, expand_s)
        if task.flops.any():
            slowest = np.maximum(slowest, self._matrix_s(task, unit, phase))
        return slowest

    def _matrix_s(self, task: Task, unit: ComputeUnit, phase: str) -> FloatColumn:
        """Return matrix seconds; skipped attention blocks shrink the dense time in proportion."""
        rates = unit.matrix.rates
        key = compute.precision_key(task.activations, task.operand_bits, rates)
        matrix = unit.matrix
        dense = task.batch * compute.matrix_seconds(
            task.m,
            task.n,
            task.k,
            rate_flops_per_s=rates[key].value,
            tile=(matrix.tile_m.value, matrix.tile_n.value, matrix.tile_k.value),
            efficiency=getattr(self.stack.efficiency, phase).value,
        )
        executed = task.flops / np.maximum(1.0, 2.0 * task.batch * task.m * task.n * task.k)
        seconds: FloatColumn = dense * executed
        return seconds

    def rates(
        self, task: Task, unit: ComputeUnit, tile_bytes: FloatColumn
    ) -> tuple[FloatColumn, FloatColumn]:
        """Return what the memory would serve and what a lone transfer gets, per step [B/s]."""
        memory, moved = self.soc.dram, np.maximum(task.dram_bytes, 1.0)
        points = memory.efficiency
        mix = dram.mix_efficiency(
            task.read_bytes / moved,
            read_only=points.read_only.value,
            read_80=points.read_80.value,
            read_50=points.read_50.value,
        )
        whole = dram.granularity_efficiency(np.maximum(tile_bytes, 1.0), memory.row_bytes.value)
        bus = memory.peak_bytes_per_s * np.asarray(mix * whole)
        limit = min(self.stack.bandwidth_fraction.value, unit.dram_fraction.value)
        return bus, np.minimum(bus, memory.peak_bytes_per_s * limit)

    def _host(self, group: StepGroup) -> TimedTask:
        """Return the host's work of a step: embedding look-up, sampling, image preparation."""
        return _barrier("host", HOST_UNIT, group.steps, self.stack.step_overhead_s.value)

    def _graph_call(self, group: StepGroup) -> TimedTask:
        return _barrier("graph_call", HOST_UNIT, group.steps, self.stack.graph_call_s.value)


def _barrier(name: str, unit: str, steps: int, seconds: float) -> TimedTask:
    zeros = np.zeros(steps)
    tiles = np.full(steps, 1 if seconds > 0.0 else 0, dtype=np.int64)
    launch_s = np.full(steps, seconds)
    ones = np.ones(steps)
    return TimedTask(name, name, unit, tiles, zeros, ones, ones, zeros, launch_s)


def _with_barriers(
    segments: Sequence[TimedSegment], host: TimedTask, call: TimedTask, shards: int
) -> tuple[TimedSegment, ...]:
    """Put host work first and a graph call before each of ``shards`` equal runs of layers."""
    opening = TimedSegment("host", 1, (host, call))
    calling = TimedSegment("graph_call", 1, (call,))
    layers = sum(segment.repeat for segment in segments if segment.is_layer)
    boundaries = {round(index * layers / shards) for index in range(1, min(shards, layers))}
    found, layer = [opening], 0
    for segment in segments:
        if not segment.is_layer:
            found.append(segment)
            continue
        cuts = sorted(cut - layer for cut in boundaries if layer <= cut < layer + segment.repeat)
        for first, last in zip([0, *cuts], [*cuts, segment.repeat], strict=True):
            if first in cuts:
                found.append(calling)
            if last > first:
                found.append(_repeated(segment, last - first))
        layer += segment.repeat
    return tuple(found)


def _repeated(segment: TimedSegment, repeat: int) -> TimedSegment:
    return TimedSegment(segment.name, repeat, segment.tasks, is_layer=True)
