"""Fold recorded events into the operators a runtime executes, and a run into its layers.

A rotation of queries or keys, and a scan with recurrent state, are many small calls in eager
PyTorch and one kernel on a device. Folding keeps what such a group reads from outside, what of it
is read later, and the sum of its work.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from workloads.errors import WorkloadError
from workloads.extent import Extent
from workloads.models.events import Event, Seen
from workloads.operator_rules import RULES
from workloads.operators import cost
from workloads.trace import Operator, TensorRef

_WHOLE = ("attention", "embedding", "experts", "linear", "norm")
"""Kinds that stand for themselves inside a recurrent mixer too."""


@dataclass(frozen=True)
class Context:
    """What naming and folding need to know of a run.

    Arguments:
        layers_path: where the layers are, such as ``model.layers``.
        embeddings: names of parameters that are looked up by row.
        head: path of the LM head.
        context_tokens: visible context S of the run.
        vision: names of the parameters of a vision tower and its projector.
    """

    layers_path: str
    embeddings: frozenset[str]
    head: str
    context_tokens: int = 0
    vision: frozenset[str] = frozenset()


def fold(events: Sequence[Event]) -> list[Event]:
    """Return the events with rotations and scans as one each, in order of execution."""
    turned = _merged(list(events), _rotations(events))
    return _merged(turned, _scans(turned))


Groups = list[tuple[str, list[int]]]


def _merged(events: list[Event], groups: Groups) -> list[Event]:
    if not groups:
        return events
    last_read = _last_reads(events)
    member = {index: number for number, (_, group) in enumerate(groups) for index in group}
    merged = []
    for index, event in enumerate(events):
        if index not in member:
            merged.append(event)
        elif index == groups[member[index]][1][-1]:
            name, group = groups[member[index]]
            merged.append(_one(name, [events[i] for i in group], group, last_read))
    return merged


def _rotations(events: Sequence[Event]) -> Groups:
    """Return the groups of calls in attention modules that turn queries or keys by constants."""
    attentive = {event.module for event in events if RULES[event.name].kind == "attention"}
    groups: list[list[int]] = []
    owner: dict[int, int] = {}
    for index, event in enumerate(events):
        if event.module not in attentive or not _foldable(event):
            continue
        linked = sorted({owner[seen.storage] for seen in event.inputs if seen.storage in owner})
        number = linked[0] if linked else len(groups)
        if not linked:
            groups.append([])
        for other in linked[1:]:
            groups[number] += groups[other]
            groups[other] = []
            owner = {key: number if value == other else value for key, value in owner.items()}
        groups[number].append(index)
        owner |= {seen.storage: number for seen in event.outputs}
    return [("rope", sorted(group)) for group in groups if _turns([events[i] for i in group])]


def _foldable(event: Event) -> bool:
    plain = RULES[event.name].kind in ("elementwise", "copy")
    return plain and not any(seen.role == "kv_write" for seen in event.outputs)


def _turns(group: Sequence[Event]) -> bool:
    return len(group) > 1 and any(
        seen.role == "constant" and len(seen.shape) > 1 and seen.elements > 1
        for event in group
        for seen in event.inputs
    )


def _scans(events: Sequence[Event]) -> Groups:
    """Return the runs of calls in modules with recurrent state, between their projections."""
    mixers = {
        event.module
        for event in events
        if any(seen.role == "state" for seen in (*event.inputs, *event.outputs))
    }
    groups: Groups = []
    before: str | None = None
    for index, event in enumerate(events):
        inside = next((m for m in mixers if f"{event.module}.".startswith(f"{m}.")), None)
        mixer = None if RULES[event.name].kind in _WHOLE else inside
        if mixer is not None and mixer == before:
            groups[-1][1].append(index)
        elif mixer is not None:
            groups.append(("scan", [index]))
        before = mixer
    return groups


def _last_reads(events: Sequence[Event]) -> dict[int, int]:
    return {seen.storage: index for index, event in enumerate(events) for seen in event.inputs}


def _one(
    name: str, group: Sequence[Event], places: Sequence[int], last_read: dict[int, int]
) -> Event:
    """Return one event for a group: what it reads from outside and what outlives it."""
    inputs: list[Seen] = []
    written: set[int] = set()
    for event in group:
        inputs += [seen for seen in event.inputs if seen.storage not in written]
        written |= {seen.storage for seen in event.outputs}
    outputs: dict[int, Seen] = {}
    for event in group:
        for seen in event.outputs:
            lasting = last_read.get(seen.storage, -1) > places[-1] or seen.role == "state"
            unread = seen.storage not in last_read
            if lasting or (unread and event is group[-1]):
                outputs[seen.storage] = _wider(outputs.get(seen.storage), seen)
    return Event(
        name,
        _common([event.module for event in group]),
        tuple(map(_flat, _distinct(inputs)) if name == "scan" else _distinct(inputs)),
        tuple(map(_flat, outputs.values()) if name == "scan" else outputs.values()),
        work=work_of(group) if name == "scan" else None,
        seconds=sum(event.seconds for event in group),
    )


def work_of(events: Sequence[Event]) -> tuple[int, int]:
    """Return the matrix FLOP and the vector operations of recorded calls together."""
    costs = [cost(as_operator(event, None), {}) for event in events]
    return sum(int(c.matmul_flops) for c in costs), sum(int(c.vector_ops) for c in costs)


def _wider(first: Seen | None, second: Seen) -> Seen:
    return first if first is not None and first.elements >= second.elements else second


def _common(paths: Sequence[str]) -> str:
    return min(paths, key=len)


def _distinct(inputs: Iterable[Seen]) -> list[Seen]:
    """Return what is read once: views inside a larger view of the same tensor are left out."""
    by_storage: dict[int, list[Seen]] = {}
    for seen in sorted(inputs, key=lambda item: -item.elements):
        same = by_storage.setdefault(seen.storage, [])
        if not any(_inside(seen, other) for other in same):
            same.append(seen)
    kept = [part for views in by_storage.values() for part in _joined(views)]
    order = {id(seen): place for place, seen in enumerate(inputs)}
    return sorted(kept, key=lambda seen: order.get(id(seen), len(order)))


def _joined(views: list[Seen]) -> list[Seen]:
    """Return several views of one tensor, such as the tokens of a loop, as one."""
    if len(views) == 1:
        return views
    elements = min(views[0].held, sum(seen.elements for seen in views))
    return [replace(views[0], shape=(elements,))]


def _flat(seen: Seen) -> Seen:
    """Return an activation by its elements: how a scan cuts it depends on its length."""
    return replace(seen, shape=(seen.elements,)) if seen.role == "activation" else seen


def _inside(part: Seen, whole: Seen) -> bool:
    if part.role == "weight" or whole.elements == whole.held:
        return True
    return whole.span[0] <= part.span[0] and part.span[1] <= whole.span[1]


def as_operator(event: Event, names: Context | None) -> Operator:
    """Return an event as an operator with constant sizes."""
    kind = RULES[event.name].kind
    window = event.window_tokens
    tensors = list(event.inputs)
    if kind == "attention" and names is not None:
        tensors[1:3] = [_full(seen, event, names) for seen in tensors[1:3]]
    work = event.work
    return Operator(
        name=event.name,
        module=event.module,
        kind=kind,
        inputs=tuple(_reference(seen, event, names, "read") for seen in tensors),
        outputs=tuple(_reference(seen, event, names, "write") for seen in event.outputs),
        causal=event.causal,
        window_tokens=window,
        experts_per_token=event.experts_per_token,
        work=None if work is None else (Extent.of(work[0]), Extent.of(work[1])),
    )


def _full(seen: Seen, event: Event, names: Context) -> Seen:
    """Return keys or values at full context: their window is said apart.

    A layer with a window returns the ``min(S, T + window - 1)`` tokens that the new ones see.
    """
    window, held = event.window_tokens, seen.shape[-2]
    new, total = event.inputs[0].shape[-2], names.context_tokens
    if window is None or held == total or seen.role != "kv_read":
        return seen
    if held != min(total, new + window - 1):
        raise WorkloadError(
            f"{event.module}: attention with a window of {window} must see "
            f"{min(total, new + window - 1)} of {total} tokens. Got {held}."
        )
    return replace(seen, shape=(*seen.shape[:-2], total, seen.shape[-1]))


def _reference(seen: Seen, event: Event, names: Context | None, way: str) -> TensorRef:
    shape = tuple(Extent.of(size) for size in seen.shape)
    role = f"state_{way}" if seen.role == "state" else seen.role
    if role == "kv_write" and way == "read":
        role = "kv_read"
    if role == "kv_read" and way == "write":
        role = "activation"
    if role == "weight" and way == "write":
        role = "activation"
    if role != "weight":
        if event.name == "aten.embedding" and way == "read":
            role = "activation"
        return TensorRef(shape, seen.dtype, role)
    name = seen.parameter or ""
    held = tensor_class(name, event.module, names) if names else "body"
    return TensorRef(shape, seen.dtype, "weight", name, held)


def tensor_class(parameter: str, module: str, names: Context) -> str:
    """Return the class of a weight: by the module that reads it, then by its own name."""
    if ".lora_" in parameter:
        return "adapter"
    if module == names.head:
        return "lm_head"
    if parameter in names.vision:
        return "vision"
    return "embedding" if parameter in names.embeddings else "body"
