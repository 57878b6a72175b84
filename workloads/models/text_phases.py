"""Capture prefill and decode of a ``transformers`` language model as segments of operators.

Prefill is recorded behind some context, in whole chunks of 64 tokens (a scan pads to its chunk);
decode is one token. Where both are the same calls at other sizes, as in attention, they are one
list, which also serves verification of several tokens. Only the last token's logits of a prefill
are computed, so what follows its layers runs on one token.

A scan of many tokens is priced as chunk after chunk, each from the state that the last one left:
the work of one whole chunk, divided by its tokens and rounded up. So a last chunk that is padded,
and what a class does between chunks to run them at once, are left out.

Not modelled: a first chunk that differs because nothing is cached yet.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from workloads.errors import WorkloadError
from workloads.extent import Extent
from workloads.layer_segments import layer_segments, renamed
from workloads.models.folding import Context, as_operator, fold
from workloads.models.from_transformers import Built, record_text
from workloads.models.latent import absorbed
from workloads.solving import solve
from workloads.trace import Operator, Phase, Segment, TensorRef

CHUNK = 64
_CHUNK_KEYS = ("chunk_size", "mamba_chunk_size", "attention_chunk_size", "block_size")


def text_phases(built: Built, names: Context) -> dict[str, Phase]:
    """Return the phases prefill and decode; raises `WorkloadError` for what is not understood."""
    chunk = math.lcm(CHUNK, *_chunks(built.config))
    probes = [
        {"T": chunk, "S": 3 * chunk},
        {"T": 2 * chunk, "S": 3 * chunk},
        {"T": chunk, "S": 5 * chunk},
        {"T": 3 * chunk, "S": 7 * chunk},
    ]
    runs = [_segments(built, names, p["T"], p["S"]) for p in probes]
    many = _streamed(solve([_bare(run) for run in runs], probes, ("T", "S")), runs[0], chunk)
    steps = [{"T": 1, "S": size} for size in (chunk, 2 * chunk, 3 * chunk + 5)]
    single = [_segments(built, names, 1, p["S"]) for p in steps]
    _check_memory(single[0])
    prefill = Phase("prefill", ("T", "S"), _last_token(many))
    shared = _for_any_width(many, single, steps)
    if shared is not None:
        return {"prefill": prefill, "decode": Phase("decode", ("T", "S"), absorbed(shared))}
    alone = solve([_bare(run) for run in single], [{"S": p["S"]} for p in steps], ("S",))
    alone = _streamed(alone, single[0], 1)
    return {"prefill": prefill, "decode": Phase("decode", ("S",), absorbed(alone))}


def _check_memory(step: Sequence[Segment]) -> None:
    """Refuse a model whose steps leave nothing behind for the next one."""
    written = (t.role for s in step for o in s.operators for t in o.outputs)
    if not {"kv_write", "state_write"} & set(written):
        raise WorkloadError(
            "the class must keep a cache or a state from step to step. It keeps none that is "
            "understood: every step would read the whole text again, which is not modelled."
        )


def _chunks(config: Any) -> list[int]:
    """Return the lengths a scan is cut into; long ones are left out, as they bite nowhere here."""
    given = (getattr(config, key, None) for key in _CHUNK_KEYS)
    return [size for size in given if isinstance(size, int) and 0 < size <= 8 * CHUNK]


def _segments(built: Built, names: Context, new: int, context: int) -> tuple[Segment, ...]:
    names = replace(names, context_tokens=context)
    try:
        found = by_layer(built, names, fold(record_text(built, new, context)))
    except WorkloadError:
        raise
    except Exception:  # a layer that is skipped may have to return more than its hidden state
        found = None
    if found is None:
        full = replace(built, kinds=[*range(len(built.kinds))])
        found = by_layer(full, names, fold(record_text(full, new, context)), between=True)
    return found


class BetweenLayersError(Exception):
    """Something runs between the layers, so that every layer must be run to see it."""


def by_layer(
    built: Built, names: Context, events: Sequence[Any], between: bool = False
) -> tuple[Segment, ...]:
    """Return the segments of a run: before the layers, runs of equal layers, after them."""
    layers: dict[int, list[Operator]] = {}
    before: list[Operator] = []
    after: list[Operator] = []
    prefix = f"{names.layers_path}."
    for event in events:
        number = layer_of(event.module, prefix) if built.kinds else None
        operator = star(as_operator(event, names), prefix, number)
        if number is not None:
            if after and not between:
                raise BetweenLayersError
            if after:
                layers[max(layers)] += after
                after = []
            layers.setdefault(number, []).append(operator)
        else:
            (after if layers else before).append(operator)
    missing = {kind for kind in built.kinds if kind not in layers} - set(built.crossing)
    if missing and built.kinds:
        raise WorkloadError(
            f"every layer of {names.layers_path} must call operators. "
            f"Got none from layer {min(missing)}."
        )
    segments = [Segment("embed", 1, tuple(before))] if before else []
    kinds = [pair for pair in enumerate(built.kinds) if pair[0] not in built.crossing]
    listed = [(index, tuple(layers[kind])) for index, kind in kinds]
    segments += layer_segments(listed)
    if after:
        segments.append(Segment("head", 1, tuple(after)))
    return tuple(segments)


def layer_of(module: str, prefix: str) -> int | None:
    """Return the number of the layer a module is in; None outside of ``prefix``."""
    number = module.removeprefix(prefix).partition(".")[0] if module.startswith(prefix) else ""
    return int(number) if number.isdigit() else None


def star(operator: Operator, prefix: str, number: int | None) -> Operator:
    """Replace the layer number by ``*`` in the names of modules and parameters."""
    if number is None:
        return operator

    def starred(name: str) -> str:
        start = f"{prefix}{number}"
        same = name == start or name.startswith(f"{start}.")
        return f"{prefix}*{name[len(start) :]}" if same else name

    return renamed(operator, starred)


def _last_token(segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
    """Return the segments of a prefill, what follows the layers on one token."""

    def single(extent: Extent) -> Extent:
        terms = dict(extent.terms)
        return Extent.of(extent.constant + terms.pop("T", Fraction(0)), **terms)

    if segments[-1].name != "head":
        return segments
    head = segments[-1]
    operators = tuple(_mapped(operator, single) for operator in head.operators)
    return (*segments[:-1], replace(head, operators=operators))


def _mapped(operator: Operator, change: Callable[[Extent], Extent]) -> Operator:
    def tensors(refs: tuple[TensorRef, ...]) -> tuple[TensorRef, ...]:
        return tuple(replace(ref, shape=tuple(map(change, ref.shape))) for ref in refs)

    return replace(operator, inputs=tensors(operator.inputs), outputs=tensors(operator.outputs))


def _for_any_width(
    many: tuple[Segment, ...],
    single: Sequence[Sequence[Segment]],
    steps: Sequence[Mapping[str, int]],
) -> tuple[Segment, ...] | None:
    """Return the list of many tokens if one token makes the same calls, None if it does not.

    The work of a scan is that of single steps: a chunked scan does more, to do it in parallel.
    """
    for run, sizes in zip(single, steps, strict=True):
        if not _same(many, run, sizes):
            return None
    return tuple(
        replace(part, operators=tuple(map(_stepped, part.operators, seen.operators)))
        for part, seen in zip(many, single[0], strict=True)
    )


def _stepped(operator: Operator, step: Operator) -> Operator:
    """Return a scan as single steps make it: what it reads and does, once per token."""
    if operator.name != "scan" or step.work is None:
        return operator

    def per_token(tensors: tuple[TensorRef, ...]) -> tuple[TensorRef, ...]:
        return tuple(
            replace(ref, shape=tuple(Extent.of(0, T=e.constant) for e in ref.shape))
            if ref.role == "activation"
            else ref
            for ref in tensors
        )

    matrix, vector = (Extent.of(0, T=extent.constant) for extent in step.work)
    return replace(
        step,
        inputs=per_token(step.inputs),
        outputs=per_token(step.outputs),
        work=(matrix, vector),
    )


def _bare(run: Sequence[Segment]) -> tuple[Segment, ...]:
    """Return a run without the work of its scans, which is taken from one chunk."""

    def bare(operator: Operator) -> Operator:
        return replace(operator, work=None) if operator.name == "scan" else operator

    return tuple(replace(s, operators=tuple(map(bare, s.operators))) for s in run)


def _streamed(
    solved: Sequence[Segment], run: Sequence[Segment], tokens: int
) -> tuple[Segment, ...]:
    """Return segments whose scans do, per token, the work that ``run`` does for ``tokens``.

    A scan of many tokens is one chunk after another, each from the state that the last one left.
    """

    def worked(operator: Operator, seen: Operator) -> Operator:
        if operator.name != "scan" or seen.work is None:
            return operator
        matrix, vector = (Extent.of(0, T=-(-extent.constant // tokens)) for extent in seen.work)
        return replace(operator, work=(matrix, vector))

    return tuple(
        replace(part, operators=tuple(map(worked, part.operators, other.operators)))
        for part, other in zip(solved, run, strict=True)
    )


def _same(many: Sequence[Segment], run: Sequence[Segment], sizes: Mapping[str, int]) -> bool:
    outline = [(s.name, s.repeat, [(o.name, o.module) for o in s.operators]) for s in many]
    if outline != [(s.name, s.repeat, [(o.name, o.module) for o in s.operators]) for s in run]:
        return False
    pairs = (
        (mine, theirs)
        for part, other in zip(many, run, strict=True)
        for mine, theirs in zip(part.operators, other.operators, strict=True)
        if mine.name != "scan"
    )
    return all(_shapes(mine, sizes) == _shapes(theirs, {}) for mine, theirs in pairs)


def _shapes(operator: Operator, sizes: Mapping[str, int]) -> list[list[int]]:
    tensors = (*operator.inputs, *operator.outputs)
    return [[int(extent.at(sizes)) for extent in ref.shape] for ref in tensors]
