"""A phase of a trace as segments of tasks, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from workloads.graph import Formats, GraphOptions
from workloads.lowering import Lowering
from workloads.mechanisms import ActiveAdapter
from workloads.program import ProgramSegment
from workloads.storage import is_layer, layer_runs, layers_end
from workloads.tasks import Column
from workloads.trace import Phase


def lower_phase(
    phase: Phase,
    sizes: Mapping[str, Column],
    tail_runs: Column,
    formats: Formats,
    options: GraphOptions,
    adapter: ActiveAdapter | None = None,
) -> tuple[tuple[ProgramSegment, ...], Column]:
    """Return a phase as segments, and the activations each step allocates [B].

    What follows the last layer (final norm, LM head) runs where ``tail_runs`` is 1.
    """
    whole = {name: size.astype(np.int64) for name, size in sizes.items()}
    steps, always, layer, after = len(tail_runs), np.ones(1), 0, layers_end(phase)
    if (tail_runs == tail_runs[0]).all():
        tail_runs = tail_runs[:1]
    segments: list[ProgramSegment] = []
    held_bytes = np.zeros(steps)
    for index, part in enumerate(phase.segments):
        runs = always if index < after else tail_runs
        for run in layer_runs(part, layer, formats, phase.name):
            lowering = Lowering(formats, options, whole, layer, adapter)
            segments.append(lowering.segment(run, is_layer(part), runs))
            held_bytes = np.maximum(held_bytes, lowering.working_set_bytes)
            layer += run.repeat if is_layer(part) else 0
    return tuple(segments), held_bytes
