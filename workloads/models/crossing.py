"""Decoder layers whose keys and values are an image's states instead of the text's own tokens.

Llama 3.2 Vision keeps text and images apart: the states that tower and projector make of an image
never enter the prompt. Layers of their own attend to them. Their keys and values are projected
once, as the end of the image's encoding, and read by every step of prefill and decode that follows.
Without an image these layers do not run.

Not modelled: masks that hide an image from the text before it and tiles that an image leaves empty;
every step reads the states of all tiles of all images so far, as the class computes them.
"""

# mypy: disable-error-code="no-any-return, no-untyped-call"

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from workloads.layer_segments import layer_segments
from workloads.models.events import Event
from workloads.models.folding import Context, as_operator, fold
from workloads.models.from_transformers import Built, cache_name, new_cache
from workloads.models.graph_recorder import GraphRecorder
from workloads.models.layer_kinds import one_of_each
from workloads.models.seams import CacheSeam, Listening
from workloads.models.text_phases import layer_of, star
from workloads.solving import Sizes, solve
from workloads.trace import CROSS, Operator, Phase, Segment

PROBES: Sequence[Sizes] = (
    {"T": 64, "X": 48},
    {"T": 128, "X": 48},
    {"T": 64, "X": 80},
    {"T": 1, "X": 60},
)
"""The first three solve the sizes, the last verifies that one token makes the same calls."""


def capture_crossing(
    built: Built, names: Context, states: int
) -> tuple[tuple[Segment, ...], Phase]:
    """Return what the layers in ``built.crossing`` do.

    First what makes and keeps the keys and values of an image's ``states``; then the phase that
    runs beside each step of prefill and decode, in ``T`` new tokens and ``X`` states of all images.

    Raises `WorkloadError` where its sizes do not solve.
    """
    runs = [_record(built, names, sizes["T"], sizes["X"])[1] for sizes in PROBES]
    made, _ = _record(built, names, 1, states)
    return made, Phase(CROSS, ("T", "X"), solve(runs, PROBES, ("T", "X")))


@torch.inference_mode()
def _record(
    built: Built, names: Context, new: int, states: int
) -> tuple[tuple[Segment, ...], tuple[Segment, ...]]:
    """Return the calls that project ``states`` states, and those of a step of ``new`` tokens."""
    model: Any = built.model
    layers: Any = model.get_submodule(built.layers_path)
    ids = torch.zeros((1, new), dtype=torch.long)
    seen = next(model.parameters()).new_ones((1, states, built.config.hidden_size))
    recorder = GraphRecorder(model, [ids, seen])
    with one_of_each(layers, built.kinds), recorder, Listening(recorder):
        cache = new_cache(built)
        CacheSeam(cache, recorder)
        given: dict[str, Any] = {cache_name(model): cache, "use_cache": True}
        model(input_ids=ids, cross_attention_states=seen, **given)
        first = [*recorder.events]
        recorder.events.clear()
        model(input_ids=ids, **given)
    made = [event for event in first if _makes_keys(event)]
    return _layers(built, names, made), _layers(built, names, recorder.events)


_MAKERS = ("k_proj", "v_proj", "k_norm")


def _makes_keys(event: Event) -> bool:
    """Return whether a call makes keys or values, or keeps them."""
    kept = any(seen.role == "kv_write" for seen in event.outputs)
    return kept or event.module.rpartition(".")[2] in _MAKERS


def _layers(built: Built, names: Context, events: Sequence[Event]) -> tuple[Segment, ...]:
    """Return the calls inside the layers of cross attention as segments."""
    prefix = f"{names.layers_path}."
    held: dict[int, list[Operator]] = {}
    for event in fold(events):
        number = layer_of(event.module, prefix)
        if number in built.crossing:
            operator = star(as_operator(event, names), prefix, number)
            held.setdefault(number, []).append(replace(operator, causal=False))
    listed = [(index, tuple(held[built.kinds[index]])) for index in built.crossing]
    return tuple(layer_segments(listed))
