"""What a compiler does to a single graph before it runs: norms into convolutions, blocks into runs.

A batch normalisation behind a convolution or a linear layer that nobody else reads is part of its
weights at inference. Blocks that repeat are stored once, and cut so that fusing inside them gives
what fusing the whole list would.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from workloads.layer_segments import renamed
from workloads.lowering import MATRIX_KINDS
from workloads.models.events import Event
from workloads.trace import NETWORK, Operator, Segment

_NUMBER = re.compile(r"(?<![^.])\d+(?![^.])")
_PRODUCTS = ("aten.conv1d", "aten.conv2d", "aten.conv3d", "aten.linear", "aten.conv_transpose2d")


def with_norms_folded(events: Sequence[Event]) -> list[Event]:
    """Return the events without the batch normalisations that are part of a product before them."""
    readers = Counter(seen.storage for event in events for seen in event.inputs)
    kept: list[Event] = []
    for event in events:
        source = event.inputs[0].storage
        if event.name == "aten.batch_norm" and readers[source] == 1 and _made(kept, source):
            kept[-1] = _absorbed(kept[-1], event)
        else:
            kept.append(event)
    return kept


def _made(kept: Sequence[Event], storage: int) -> bool:
    """Return whether the last event is a product with weights that made a tensor."""
    if not kept or kept[-1].name not in _PRODUCTS:
        return False
    return kept[-1].outputs[0].storage == storage


def _absorbed(product: Event, norm: Event) -> Event:
    """Return the product with the norm in its weights: it has a bias then."""
    has_bias = sum(seen.role == "weight" for seen in product.inputs) > 1
    shift = [] if has_bias else [seen for seen in norm.inputs if seen.role == "weight"][-1:]
    return replace(product, inputs=(*product.inputs, *shift), outputs=norm.outputs)


def segments_of(operators: Sequence[Operator]) -> tuple[Segment, ...]:
    """Return a graph as segments: blocks that repeat, and what lies between them, in order."""
    found: list[Segment] = []
    for first, length, repeat in _blocks(operators):
        block = operators[first : first + length]
        run = tuple(map(starred, block)) if repeat > 1 else tuple(block)
        name = NETWORK if repeat == 1 else f"blocks.{len(found)}"
        found.append(Segment(name, repeat, run))
    return tuple(found)


def _blocks(operators: Sequence[Operator]) -> Iterator[tuple[int, int, int]]:
    """Yield first operator, length and repeats of each part, in order."""
    kinds = _numbered(map(starred, operators))
    own = _numbered(_parameters(operator) for operator in operators)
    start = place = 0
    while place < len(operators):
        length, repeat = _longest(operators, kinds, own, place)
        if repeat < 2:
            place += 1
            continue
        if place > start:
            yield start, place - start, 1
        yield place, length, repeat
        start = place = place + length * repeat
    if start < len(operators):
        yield start, len(operators) - start, 1


def _longest(
    operators: Sequence[Operator], kinds: list[int], own: list[int], first: int
) -> tuple[int, int]:
    """Return length and repeats of the block from ``first`` on that saves most operators."""
    best, saved = (1, 1), 0
    if operators[first].kind not in MATRIX_KINDS:
        return best
    again = (i for i in range(first + 1, (first + len(kinds)) // 2 + 1) if kinds[i] == kinds[first])
    for length in (place - first for place in again):
        block, repeat = kinds[first : first + length], 1
        while kinds[first + repeat * length : first + (repeat + 1) * length] == block:
            repeat += 1
        if (repeat - 1) * length <= saved:
            continue
        after = first + repeat * length
        if after < len(operators) and operators[after].kind not in MATRIX_KINDS:
            repeat -= 1  # what follows is fused into the last one
        weights = own[first : first + length] == own[first + length : first + 2 * length]
        has_any = any(_parameters(operator) for operator in operators[first : first + length])
        if (repeat - 1) * length > saved and not (weights and has_any):
            best, saved = (length, repeat), (repeat - 1) * length
    return best


def _parameters(operator: Operator) -> tuple[str | None, ...]:
    return tuple(tensor.parameter for tensor in operator.inputs if tensor.role == "weight")


def _numbered(items: Iterable[object]) -> list[int]:
    """Return a number for each item, equal for equal ones."""
    known: dict[object, int] = {}
    return [known.setdefault(item, len(known)) for item in items]


def starred(operator: Operator) -> Operator:
    """Return an operator with ``*`` for the numbers in names of modules and parameters."""
    return renamed(operator, partial(_NUMBER.sub, "*"))
