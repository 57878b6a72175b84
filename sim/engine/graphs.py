"""Where a step's layers are cut into graphs, each of which starts with a call of its own.

Not modelled: what a compiler gains or loses inside a graph by its length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from sim.engine.timed import TimedSegment, TimedTask


def with_hand_overs(segments: Sequence[TimedSegment], call: TimedTask) -> list[TimedSegment]:
    """Start a graph wherever the next operator runs on another unit than the one before."""
    found, unit = [], None
    for segment in segments:
        tasks: list[TimedTask] = []
        for task in segment.tasks:
            if unit not in (None, task.unit) and not task.is_barrier:
                tasks.append(call)
            tasks.append(task)
            unit = unit if task.is_barrier else task.unit
        changed = len(tasks) > len(segment.tasks)
        found.append(replace(segment, tasks=tuple(tasks)) if changed else segment)
    return found


def in_graphs(segments: Sequence[TimedSegment], call: TimedTask, graphs: int) -> list[TimedSegment]:
    """Split the layers into ``graphs`` runs of nearly equal length, each but the first with a call.

    No graph holds less than a layer.
    """
    layers = sum(segment.repeat for segment in segments if segment.is_layer)
    graphs = min(graphs, layers)
    boundaries = {round(index * layers / graphs) for index in range(1, graphs)}
    calling = TimedSegment("graph_call", 1, (call,))
    found: list[TimedSegment] = []
    layer = 0
    for segment in segments:
        if not segment.is_layer:
            found.append(segment)
            continue
        cuts = sorted(cut - layer for cut in boundaries if layer <= cut < layer + segment.repeat)
        for first, last in pairwise([0, *cuts, segment.repeat]):
            if first in cuts:
                found.append(calling)
            if last > first:
                found.append(replace(segment, repeat=last - first))
        layer += segment.repeat
    return found
