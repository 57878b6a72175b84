"""Take the turns of a loop as one call: attention window by window, an image's tiles one by one.

How often such a loop runs depends on the image; the sum of its work is affine in the named sizes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from workloads.errors import WorkloadError
from workloads.models.events import Event, Seen
from workloads.models.folding import work_of
from workloads.operator_rules import RULES


def varying_modules(runs: Sequence[Sequence[Event]]) -> frozenset[str]:
    """Return the modules that make other calls in some run than in the first."""
    calls = [_by_module(run) for run in runs]
    names = {module for run in calls for module in run}
    return frozenset(m for m in names if any(run.get(m) != calls[0].get(m) for run in calls))


def _by_module(run: Sequence[Event]) -> dict[str, list[tuple[str, int]]]:
    found: dict[str, list[tuple[str, int]]] = {}
    for event in run:
        found.setdefault(event.module, []).append((event.name, len(event.inputs)))
    return found


def condensed(events: Sequence[Event], modules: Collection[str]) -> list[Event]:
    """Return the events with the equal calls of each module as one, where the last stood."""
    groups: dict[tuple[str, str], list[Event]] = {}
    for event in events:
        if event.module in modules:
            groups.setdefault((event.module, event.name), []).append(event)
    found = []
    for event in events:
        group = groups.get((event.module, event.name))
        if group is None:
            found.append(event)
        elif event is group[-1]:
            found.append(_one(group))
    return found


def _one(group: Sequence[Event]) -> Event:
    first, kind = group[0], RULES[group[0].name].kind
    if kind == "attention":
        return _attention(group)
    weights = {seen.parameter: seen for event in group for seen in event.inputs if seen.parameter}
    read = [seen for event in group for seen in event.inputs if seen.role != "weight"]
    written = [seen for event in group for seen in event.outputs]
    if kind in ("elementwise", "copy"):
        flat = (_flat(read),) if read else ()  # a table alone may be copied
        inputs, outputs = (*flat, *weights.values()), (_flat(written),)
    elif kind in ("linear", "norm"):
        inputs, outputs = (_stacked(read), *weights.values()), (_stacked(written),)
    else:
        raise WorkloadError(f"{first.module} must not call {first.name} in a loop over an image.")
    return replace(first, inputs=inputs, outputs=outputs)


def _flat(tensors: Sequence[Seen]) -> Seen:
    return replace(tensors[0], shape=(sum(seen.elements for seen in tensors),))


def _stacked(tensors: Sequence[Seen]) -> Seen:
    """Return the rows of several matrices of one width as one."""
    width = tensors[0].shape[-1]
    return replace(tensors[0], shape=(sum(seen.elements for seen in tensors) // width, width))


def _attention(group: Sequence[Event]) -> Event:
    """Return attention over windows: all tokens, and the work of the windows alone."""
    inputs = tuple(_joined([event.inputs[place] for event in group]) for place in range(3))
    outputs = (_stacked_heads([event.outputs[0] for event in group]),)
    return replace(group[0], inputs=inputs, outputs=outputs, work=work_of(group))


def _joined(tensors: Sequence[Seen]) -> Seen:
    *batch, _, depth = tensors[0].shape
    heads = batch[-1] if batch else 1
    tokens = sum(seen.elements for seen in tensors) // (heads * depth)
    return replace(tensors[0], shape=(heads, tokens, depth))


def _stacked_heads(tensors: Sequence[Seen]) -> Seen:
    *_, heads, depth = tensors[0].shape
    tokens = sum(seen.elements for seen in tensors) // (heads * depth)
    return replace(tensors[0], shape=(1, tokens, heads, depth))
