"""What of a step's reads the system cache serves (`hw_models.system_cache`), task by task.

A step reads the weights of its layers and the whole cache once, a draft its own in each of its
passes. Each step is taken to follow one like it, so that what was read last in the step before is
touched again after all bytes of one step; in the second pass of a draft after those of one pass.

Not modelled: activations that spill to the DRAM and are read back from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from hw_models.laws import Numbers
from hw_models.soc import SocSpec
from hw_models.system_cache import SystemCache, hit
from sim.engine.timed import FloatColumn
from workloads.program import ProgramSegment, StepGroup
from workloads.tasks import Task


class Served(NamedTuple):
    """Bytes of a task that the system cache serves in each run, of weights and of KV cache [B]."""

    weight_bytes: FloatColumn
    kv_read_bytes: FloatColumn

    @property
    def total_bytes(self) -> FloatColumn:
        """Both together [B]."""
        return self.weight_bytes + self.kv_read_bytes


def served(group: StepGroup, soc: SocSpec) -> dict[Task, Served]:
    """Return what the system cache serves of each task of a step; nothing where there is none."""
    cache = soc.dram.system_cache
    if cache is None:
        return {}
    found = {}
    for segment, share in zip(group.segments, hits(group.segments, cache), strict=True):
        for task in segment.tasks:
            weights = share * task.weight_bytes * _entering(segment, cache)
            found[task] = Served(_narrow(weights), _narrow(share * task.kv_read_bytes))
    return found


def hits(segments: Sequence[ProgramSegment], cache: SystemCache) -> list[FloatColumn]:
    """Return the share of the passes of each segment that find in the cache what they read."""
    passes = [_touched(segment, cache) for segment in segments]
    whole = sum(
        each if _is_repeated(segment) else segment.repeat * each
        for segment, each in zip(segments, passes, strict=True)
    )
    found = []
    for segment, each in zip(segments, passes, strict=True):
        share = hit(whole, cache.room_bytes)
        if _is_repeated(segment):
            again = hit(each, cache.room_bytes)
            share = (share + (segment.repeat - 1) * again) / segment.repeat
        found.append(np.asarray(share))
    return found


def served_bytes(groups: Iterable[StepGroup], soc: SocSpec) -> Served:
    """Return what the system cache serves in all steps of groups [B]."""
    found = Served(np.zeros(1), np.zeros(1))
    for group in groups:
        cached = served(group, soc)
        for task, repeat in group.tasks() if cached else ():
            parts = (np.sum(repeat * task.runs * part) for part in cached[task])
            found = Served(*(one + part for one, part in zip(found, parts, strict=True)))
    return found


def _touched(segment: ProgramSegment, cache: SystemCache) -> Numbers:
    """Return the bytes that one pass of a segment brings into the cache, per step [B]."""
    passing = 1.0 - _entering(segment, cache)
    parts = (task.runs * (task.dram_bytes - passing * task.weight_bytes) for task in segment.tasks)
    return sum(parts, np.zeros(1))


def _entering(segment: ProgramSegment, cache: SystemCache) -> Numbers:
    """Return the share of the weights of a segment that enters the cache."""
    return 1.0 if _is_repeated(segment) else cache.streamed.value


def _is_repeated(segment: ProgramSegment) -> bool:
    """Return whether its passes read the same: those of a draft, not the layers of a model."""
    return segment.graph_call


def _narrow(column: Numbers) -> FloatColumn:
    """Return a column with one entry for steps that are all alike."""
    found = np.asarray(column)
    return found[..., :1] if np.all(found == found[..., :1]) else found
