"""What a model's trace says of it: parameters, cache and state bytes, visual tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workloads.catalogue import get_entry, trace_for
from workloads.encoded_images import encoded_image
from workloads.models import entry as entries
from workloads.trace import Trace

CACHE_TOKENS = (1024, 4096, 8192, 32_768, 131_072)
"""Cache lengths that a description of a model gives sizes for [tokens]."""


@dataclass(frozen=True)
class ModelFacts:
    """What `andesim models PATH` says of one model, from its trace.

    Arguments:
        parameters: all, tied ones once, a vision tower in.
        active_parameters: those that one token uses.
        kv_bytes_16bit: bytes of the cache tensors that hold so many tokens, at 16 bit.
        state_bytes: recurrent and convolution state of one sequence.
        vision: of a model with a tower: its parameters, the visual tokens of `IMAGES_PX`, and as
            ``no_images`` why there are none.
        stored_as: weight format per class that the file states.
    """

    id: str
    model_type: str
    parameters: int
    active_parameters: int
    layers: int
    kv_bytes_per_token_16bit: int
    kv_bytes_16bit: Mapping[str, int]
    state_bytes: int
    vision: Mapping[str, Any] | None
    stored_as: Mapping[str, str]
    source: str


def describe_model(model: str) -> ModelFacts:
    """Return what a model's trace says of it, by catalogue id or path.

    Raises `WorkloadError` as `trace_for` does.
    """
    trace = trace_for(model)
    entry = get_entry(model)
    return ModelFacts(
        id=trace.model,
        model_type=str(entry.get("model_type") or entries.text_part(entry).get("model_type") or ""),
        parameters=trace.total_parameters,
        active_parameters=trace.active_parameters,
        layers=trace.decoder.layers,
        kv_bytes_per_token_16bit=2 * trace.kv_elements_per_token,
        kv_bytes_16bit={str(tokens): cache_bytes_16bit(trace, tokens) for tokens in CACHE_TOKENS},
        state_bytes=trace.state_bytes,
        vision=_vision_facts(trace),
        stored_as=dict(trace.stored_as),
        source=next(iter(entry.get("sources", ())), model),
    )


IMAGES_PX = ((448, 448), (1080, 2400))
"""Images that a description of a model counts visual tokens of, width x height."""


def _vision_facts(trace: Trace) -> dict[str, Any] | None:
    seeing = trace.parameters.get("vision", 0)
    if not seeing:
        return None
    images = IMAGES_PX if "vision" in trace.phases else ()
    tokens = {f"{w}x{h}": encoded_image(trace, (w, h)).seen for w, h in images}
    why = {"no_images": trace.no_images} if trace.no_images else {}
    return {"parameters": seeing, "visual_tokens": tokens} | why


def cache_bytes_16bit(trace: Trace, tokens: int) -> int:
    """Return the bytes of the cache tensors that hold ``tokens`` tokens, at 16 bit."""
    return 2 * sum(
        part.elements * (tokens if part.window_tokens is None else min(tokens, part.window_tokens))
        for part in trace.cache
    )
