"""Scenario parts -> Program: which steps a session runs, on how many tokens, and what is resident.

A turn runs one vision step per image, prefill steps of at most a chunk, and decode steps that
commit one token each. The first output token comes from the last prefill step.

Not modelled: tokenising and detokenising; their host time is part of the stack's step overhead.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from workloads.errors import WorkloadError
from workloads.images import VisualGrid, visual_tokens
from workloads.kv_cache import visible_tokens
from workloads.lowering import VECTOR_BITS, Formats, GraphOptions, Lowering
from workloads.program import Column, Program, ProgramSegment, StepGroup
from workloads.scenario import Deployment, ImageRule
from workloads.session import Session, Turn
from workloads.trace import Operator, Phase, Segment, Trace

IMAGE_TAG_TOKENS = 2  # <img> and </img> around the visual tokens of each image


@dataclass(frozen=True, slots=True)
class TurnSizes:
    """One turn in tokens and patches.

    Attributes
    ----------
    patches
        Patches of each image.
    prefill_tokens
        Visual, tag and text tokens together.
    cached_tokens
        Tokens of earlier turns in the KV cache.
    """

    turn: Turn
    patches: tuple[int, ...]
    visual_tokens: int
    prefill_tokens: int
    cached_tokens: int

    @property
    def live_tokens(self) -> int:
        """Tokens in the cache once the turn is done; the last output token is never fed back."""
        return self.cached_tokens + self.prefill_tokens + self.turn.output_tokens - 1


def turn_sizes(trace: Trace, deployment: Deployment, session: Session) -> list[TurnSizes]:
    """Return the sizes of each turn of a session, KV kept from turn to turn."""
    sizes: list[TurnSizes] = []
    for turn in session.turns:
        grids = [_grid(trace, deployment.images, side_px) for side_px in turn.images_px]
        visual = sum(grid.tokens for grid in grids)
        prefill = visual + IMAGE_TAG_TOKENS * len(grids) + turn.prompt_tokens
        if prefill == 0:
            raise WorkloadError(
                "session.turns: a turn must have a prompt token or an image. Got none."
            )
        cached = sizes[-1].live_tokens if sizes else 0
        patches = tuple(grid.patches for grid in grids)
        sizes.append(TurnSizes(turn, patches, visual, prefill, cached))
    return sizes


def _grid(trace: Trace, rule: ImageRule, sides_px: tuple[int, int]) -> VisualGrid:
    if trace.vision is None:
        raise WorkloadError(
            f"session.turns: images_px must be empty for {trace.model}, a text model. "
            f"Got {list(sides_px)}."
        )
    return visual_tokens(
        *sides_px,
        cell_px=trace.vision.cell_px,
        preprocessor=rule.preprocessor,
        max_size_px=rule.max_size_px,
        merge=trace.vision.merge,
    )


def cache_capacity(needed: int, wanted: int | None, buckets: Sequence[int]) -> int:
    """Return the KV positions to allocate: as wanted, else the bucket that holds ``needed``.

    >>> cache_capacity(900, None, (512, 1024, 4096))
    1024
    """
    if wanted is not None:
        if wanted < needed:
            raise WorkloadError(
                f"deployment.kv_cache.capacity_tokens must be at least {needed} for this session. "
                f"Got {wanted}. Shorten the session, enlarge the cache or evict."
            )
        return wanted
    return next((bucket for bucket in sorted(buckets) if bucket >= needed), needed)


@dataclass(frozen=True, slots=True)
class Compiler:
    """Builds the step groups of a session for one deployment on one stack's graphs."""

    trace: Trace
    formats: Formats
    options: GraphOptions
    capacity_tokens: int

    def groups(self, sizes: Sequence[TurnSizes]) -> list[StepGroup]:
        """Return all step groups in order."""
        found: list[StepGroup] = []
        for index, turn in enumerate(sizes):
            if turn.patches:
                found.append(self.vision(index, turn))
            found.append(self.prefill(index, turn))
            if turn.turn.output_tokens > 1:
                found.append(self.decode(index, turn))
        return found

    def vision(self, index: int, turn: TurnSizes) -> StepGroup:
        """Return the group that encodes the images of a turn, one step each."""
        patches = np.array(turn.patches, dtype=np.float64)
        nothing = np.zeros_like(patches)
        phase = self.trace.phases["vision"]
        segments, held = self._segments(phase, {"N": patches}, np.ones_like(patches))
        at_s = turn.turn.at_s
        return StepGroup("vision", index, patches, patches, nothing, nothing, segments, held, at_s)

    def prefill(self, index: int, turn: TurnSizes) -> StepGroup:
        """Return the group that fills the cache, in chunks; the LM head runs on the last one."""
        total, chunk = turn.prefill_tokens, self.options.prefill_chunk_tokens
        steps = 1 if chunk is None else -(-total // chunk)
        new = np.full(steps, float(total if chunk is None else chunk))
        padded = turn.cached_tokens + np.cumsum(new)
        live = np.minimum(padded, float(turn.cached_tokens + total)).astype(np.float64)
        context = self._context(new, np.maximum(live, new))
        last = np.zeros(steps)
        last[-1] = 1.0
        phase = self.trace.phases["prefill"]
        segments, held = self._segments(phase, {"T": new, "S": context}, last)
        return StepGroup("prefill", index, new, context, live, last, segments, held, turn.turn.at_s)

    def decode(self, index: int, turn: TurnSizes) -> StepGroup:
        """Return the group that yields the output tokens after the first, one per step."""
        steps = turn.turn.output_tokens - 1
        new = np.ones(steps)
        live = turn.cached_tokens + turn.prefill_tokens + 1.0 + np.arange(steps)
        context = self._context(new, live)
        phase = self.trace.phases["decode"]
        segments, held = self._segments(phase, {"T": new, "S": context}, new)
        return StepGroup("decode", index, new, context, live, new, segments, held, turn.turn.at_s)

    def _context(self, new: Column, live: Column) -> Column:
        return np.maximum(new, visible_tokens(live, self.buckets))

    @property
    def buckets(self) -> tuple[int, ...]:
        """Cache sizes graphs are compiled for: the stack's below the capacity, and the capacity."""
        compiled = self.options.cache_buckets_tokens
        below = tuple(bucket for bucket in compiled if bucket < self.capacity_tokens)
        return (*below, self.capacity_tokens) if compiled else ()

    def _segments(
        self, phase: Phase, sizes: Mapping[str, Column], tail_runs: Column
    ) -> tuple[tuple[ProgramSegment, ...], float]:
        """Lower a phase to segments and its activation bytes.

        What follows the last layer (final norm, LM head) runs where ``tail_runs`` is 1.
        """
        whole = {name: size.astype(np.int64) for name, size in sizes.items()}
        last_layer = max((i for i, part in enumerate(phase.segments) if is_layer(part)), default=0)
        always, layer = np.ones_like(tail_runs), 0
        segments: list[ProgramSegment] = []
        working_set = 0.0
        for index, part in enumerate(phase.segments):
            runs = always if index <= last_layer else tail_runs
            for run in layer_runs(part, layer, self.formats, phase.name):
                lowering = Lowering(self.formats, self.options, whole, layer)
                segments.append(lowering.segment(run, is_layer(part), runs))
                working_set = max(working_set, lowering.working_set_bytes)
                layer += run.repeat if is_layer(part) else 0
        return tuple(segments), working_set


def layer_runs(segment: Segment, layer: int, formats: Formats, phase: str) -> list[Segment]:
    """Split identical layers from ``layer`` on into runs that share their weight format."""
    if phase == "vision" or not is_layer(segment) or not formats.weights.layers:
        return [segment]
    ids = [formats.weights.format_for("body", layer + i).id for i in range(segment.repeat)]
    return [replace(segment, repeat=len(list(run))) for _, run in itertools.groupby(ids)]


def is_layer(segment: Segment) -> bool:
    """Return whether a segment is decoder or encoder layers rather than what surrounds them."""
    return ".layers." in f".{segment.operators[0].module}."


def compile_session(
    trace: Trace,
    deployment: Deployment,
    session: Session,
    formats: Formats,
    options: GraphOptions,
) -> Program:
    """Return the program of a session: step groups, residency, and the facts a summary reports."""
    sizes = turn_sizes(trace, deployment, session)
    needed = max(turn.live_tokens for turn in sizes)
    wanted = deployment.kv_cache.capacity_tokens
    capacity = cache_capacity(needed, wanted, options.cache_buckets_tokens)
    compiler = Compiler(trace, formats, options, capacity)
    groups = compiler.groups(sizes)
    per_token = formats.kv.bytes_per_token(trace.kv_elements_per_token)
    kv_bytes = formats.kv.size_bytes(capacity, trace.kv_elements_per_token)
    resident = stored_bytes(trace, formats, "resident")
    return Program(
        model=trace.model,
        groups=tuple(groups),
        resident_bytes={**resident, "kv_cache": float(kv_bytes)},
        file_bytes=sum(stored_bytes(trace, formats, "file").values()),
        kv_bytes_per_token=per_token,
        kv_capacity_tokens=capacity,
        visual_tokens=sum(turn.visual_tokens for turn in sizes),
        kv_tokens_final=sizes[-1].live_tokens,
        weight_bytes_per_step=_weight_bytes_per_step(compiler, groups),
    )


def _weight_bytes_per_step(compiler: Compiler, groups: Sequence[StepGroup]) -> float:
    """Return what a decode step streams; taken from a run's own steps where it has any [B]."""
    decode = [group for group in groups if group.phase == "decode"]
    if not decode:
        one_token = Turn(prompt_tokens=1, output_tokens=2)
        decode = [compiler.decode(0, TurnSizes(one_token, (), 0, 1, 0))]
    return decode[0].total("weight_bytes") / decode[0].steps


def stored_bytes(trace: Trace, formats: Formats, where: str) -> dict[str, float]:
    """Return the bytes of each class of weights, ``where`` they lie: ``resident`` or ``file`` [B].

    The LM head of a tied model is stored apart from the embedding table unless the stack shares
    them.
    """
    stored = {"weights": 0.0, "embedding": 0.0, "vision": 0.0}
    for phase, name in (("vision", "vision"), ("decode", "weights")):
        layer = 0
        for part in trace.phases[phase].segments if phase in trace.phases else ():
            for run in layer_runs(part, layer, formats, phase):
                held = (_operator_bytes(item, formats, where, layer) for item in run.operators)
                stored[name] += run.repeat * sum(held)
                layer += run.repeat if is_layer(part) else 0
    if not formats.shared_table:
        table = formats.weights.format_for("embedding")
        size = table.resident_bytes if where == "resident" else table.file_bytes
        stored["embedding"] = float(size(trace.decoder.vocab, trace.decoder.hidden))
    return stored


def _operator_bytes(operator: Operator, formats: Formats, where: str, layer: int) -> float:
    """Return the stored bytes of an operator's weights; the embedding table is counted apart."""
    if operator.kind == "embedding":
        return 0.0
    total = 0.0
    for tensor in operator.inputs:
        if tensor.role != "weight":
            continue
        shape = [int(extent.at({})) for extent in tensor.shape]
        if len(shape) == 1:
            total += shape[0] * VECTOR_BITS / 8
            continue
        held = formats.weights.format_for(tensor.tensor_class or "body", layer)
        size = held.resident_bytes if where == "resident" else held.file_bytes
        total += size(shape[0], math.prod(shape[1:]))
    return total
