"""Cold start: the deployed model is read from flash, its graphs are opened, weights made ready.

The runtime reads its file in large requests with several in flight, as mmap read-ahead and direct
loaders do; the request size and depth matter little at that size.

Weights that do not fit stay in the file and are mapped: every pass reads all of them again, since
the pages that leave first are those needed next. Page faults fetch windows of read-ahead, two at a
time.

Not modelled: parts that overlap, and a partly warm page cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from hw_models import flash
from hw_models.laws import Numbers
from hw_models.schema import Stack
from hw_models.soc import SocSpec

REQUEST_BYTES = 2**20
QUEUE_DEPTH = 8
COOL_C = 25.0
"""A phone that is not hot [C]."""
READ_AHEAD_BYTES = 128 * 2**10
"""Linux reads 128 KiB ahead of a page fault unless told otherwise (read_ahead_kb)."""
READ_AHEADS = 2
"""The window after this one is asked for while this one is used (page_cache_async_readahead)."""


@dataclass(frozen=True, slots=True)
class ColdStart:
    """The parts of a cold start, one after the other [s]; columns for many devices."""

    read_s: float
    graph_init_s: float
    prepare_s: float = 0.0

    @property
    def total_s(self) -> float:
        """From the start of the app until a turn may begin [s]."""
        return self.read_s + self.graph_init_s + self.prepare_s


def cold_start(soc: SocSpec, stack: Stack, file_bytes: float, at_c: float = COOL_C) -> ColdStart:
    """Return the cold start of a model of ``file_bytes`` [B] on a stack, the phone at ``at_c`` [C].

    The file is read, the graphs are opened, and weights are made ready: touched for the first time,
    unpacked, or brought to the unit. What is not known of a stack is not counted.
    """
    init_s = stack.graph_init_s.value if stack.graph_init_s else 0.0
    ready_s = file_bytes / stack.memory.prepare.value if stack.memory.prepare else 0.0
    return ColdStart(read_s(soc, file_bytes, at_c), stack.graphs_per_step.value * init_s, ready_s)


def fault_bytes_per_s(soc: SocSpec) -> float:
    """Return the rate at which page faults bring mapped weights in [B/s]."""
    many_bytes = 2**20 * READ_AHEAD_BYTES
    return many_bytes / _read_s(soc, many_bytes, READ_AHEAD_BYTES, READ_AHEADS, COOL_C)


def read_s(soc: SocSpec, file_bytes: float, at_c: float = COOL_C) -> float:
    """Return the seconds to read ``file_bytes`` [B] from flash [s]; a column for many devices."""
    return _read_s(soc, file_bytes, REQUEST_BYTES, QUEUE_DEPTH, at_c)


def _read_s(
    soc: SocSpec, read_bytes: float, request_bytes: float, queue_depth: int, at_c: float
) -> float:
    parts = soc.flash
    cool: Numbers = 1.0
    if parts.hot:
        cool = flash.hot_fraction(at_c, parts.hot.from_c.value, parts.hot.fraction.value)
    seconds = flash.read_seconds(
        read_bytes,
        request_bytes,
        sequential_bytes_per_s=np.multiply(parts.sequential_read.value, cool),
        random_4k_bytes_per_s=parts.random_read_4k.value,
        latency_s=parts.latency_s.value,
        queue_depth=queue_depth,
    )
    return cast(float, seconds if np.ndim(seconds) else float(seconds))
