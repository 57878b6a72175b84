"""Equal layers as one segment: what captures of every kind of module fold their operators into."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import replace
from operator import itemgetter

from workloads.trace import Operator, Segment, TensorRef


def layer_segments(layers: Iterable[tuple[int, tuple[Operator, ...]]]) -> list[Segment]:
    """Return the runs of equal layers, from each layer's number and operators, in order."""
    found = []
    for _, same in itertools.groupby(layers, key=itemgetter(1)):
        run = list(same)
        first, last = run[0][0], run[-1][0]
        name = f"layers.{first}-{last}" if first != last else f"layers.{first}"
        found.append(Segment(name, len(run), run[0][1]))
    return found


def renamed(operator: Operator, change: Callable[[str], str]) -> Operator:
    """Return an operator with the names of its module and its parameters changed."""

    def tensor(ref: TensorRef) -> TensorRef:
        return replace(ref, parameter=change(ref.parameter)) if ref.parameter else ref

    return replace(
        operator, module=change(operator.module), inputs=tuple(map(tensor, operator.inputs))
    )
