"""Logits of all rows of a prompt's chunk, where a stack's graph computes them; one row is read.

A graph of N tokens may end in an LM head of N rows that runs with every chunk::

    executed = 2 V h x sum of N over chunks      needed = 2 V h

for a vocabulary of V and a hidden size of h [FLOP], and writes N V logits where they do not stay on
the chip. Valid for graphs of a fixed size; which ones do so is to be told from the seconds of a
prompt, about +10 % of a model of 4 G parameters.

Not modelled: graphs whose head runs at all rows, but with the last chunk alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from workloads.errors import WorkloadError
from workloads.storage import layers_end
from workloads.tasks import Column
from workloads.trace import Phase, Trace

Rows = TypeVar("Rows", float, NDArray[np.float64])


def unread_share(rows: Rows, is_last: Rows) -> Rows:
    """Return the share of a chunk's logits that nobody reads: 1 - last / rows.

    ``is_last`` is 1 for the chunk whose last row gives the first token, else 0.

    >>> unread_share(128.0, 0.0), unread_share(128.0, 1.0)
    (1.0, 0.9921875)
    """
    return 1.0 - is_last / rows


def prefill_phase(trace: Trace, whole_head: bool) -> Phase:
    """Return the prefill of a trace as a stack's graphs hold it.

    Raises `WorkloadError` where all rows are wanted of a model that is known at one row alone.
    """
    phase = trace.phases["prefill"]
    if not whole_head:
        return phase
    decode = trace.phases["decode"]
    if "T" not in decode.symbols:
        raise WorkloadError(
            f"whole_head of the stack must be false for {trace.model}: what follows its layers was "
            "captured for one token."
        )
    layers, head = phase.segments[: layers_end(phase)], decode.segments[layers_end(decode) :]
    return replace(phase, segments=(*layers, *head))


def head_runs(last: Column, whole_head: bool) -> Column:
    """Return 1 in the prefill steps that run what follows the layers: the last one, or all."""
    return np.ones_like(last) if whole_head else last
