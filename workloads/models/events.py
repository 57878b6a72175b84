"""What one recorded call of a PyTorch module looked like: its operators and their sizes.

An `Event` is an operator call with its operands by storage, so that what reads what can be followed
until the events are folded into `workloads.trace.Operator`s.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

Span = tuple[int, int]


@dataclass(frozen=True)
class Seen:
    """A tensor as a call saw it.

    Arguments:
        storage: number of the memory it lies in; views of one tensor share it.
        shape: its sizes; a dimension that is only repeated, not stored, counts once.
        span: first and last element within the storage.
        held: elements of the whole storage.
        dtype: PyTorch's name.
        role: one of `workloads.trace.ROLES`.
        parameter: name of a weight.
    """

    storage: int
    shape: tuple[int, ...]
    span: Span
    held: int
    dtype: str
    role: str = "activation"
    parameter: str | None = None

    @property
    def elements(self) -> int:
        """Elements of the view."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Event:
    """One operator call.

    Arguments:
        name: PyTorch's name, such as ``aten.linear``.
        module: path of the module that called it.
        inputs, outputs: tensors in the order of the call.
        causal, window_tokens: as in `workloads.trace.Operator`.
        experts_per_token: of a product with expert weights.
        work: matrix FLOP and vector operations, where the tensors do not tell.
        seconds: what its kernels took, where the run was timed [s].
    """

    name: str
    module: str
    inputs: tuple[Seen, ...]
    outputs: tuple[Seen, ...]
    causal: bool = False
    window_tokens: int | None = None
    experts_per_token: int | None = None
    work: tuple[int, int] | None = None
    seconds: float = 0.0
