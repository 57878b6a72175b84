"""A model composed of parts, before anyone trains it: encoder, projector, language model.

::

    vision: {model: mobilenet-v3-l, image_px: 256}
    projector: {kind: mlp, layers: 2}
    language: {layers: 8, hidden: 1024, heads: 16, kv_heads: 2, head_dim: 64, ffn: 2816,
               vocab: 151936, tied: true}

``vision.model`` is an encoder or convolutional network: an id, a ``config.json`` or a trace file.
``language`` is the shape of a decoder built as Qwen3 is, or a model's id or file. Every image is
resized to one square, and gives the same number of visual tokens. Not modelled: what the model
would say.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field, ValidationError

from workloads.composition_parts import Features, Projector, features_of, projected, weights_of
from workloads.errors import WorkloadError
from workloads.explain import sentences
from workloads.image_rules import Fixed
from workloads.session import Strict
from workloads.trace import NETWORK, Phase, Segment, Trace, VisionShape

Count = Annotated[int, Field(ge=1, le=1_000_000)]


class VisionPart(Strict):
    """The encoder, and the side of the square that every image is resized to.

    Attributes
    ----------
    model
        Id of a network, a ``config.json``, or a trace file.
    image_px
        Side of the square [px]; the network's own input if none.
    """

    model: str
    image_px: Annotated[int, Field(ge=16, le=4096)] | None = None


class LanguageShape(Strict):
    """A decoder by its sizes, built as Qwen3 is.

    Attributes
    ----------
    layers, hidden, heads, kv_heads, head_dim, ffn, vocab
        The usual sizes.
    tied
        The LM head is the embedding table.
    """

    layers: Annotated[int, Field(ge=1, le=200)]
    hidden: Count
    heads: Count
    kv_heads: Count
    head_dim: Count
    ffn: Count
    vocab: Count
    tied: bool = True

    def entry(self) -> dict[str, Any]:
        """Return the configuration of this shape."""
        return {
            "model_type": "qwen3",
            "hidden_size": self.hidden,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "head_dim": self.head_dim,
            "intermediate_size": self.ffn,
            "vocab_size": self.vocab,
            "tie_word_embeddings": self.tied,
        }


class Composition(Strict):
    """A model of parts.

    Attributes
    ----------
    language
        A shape, or a model's id or file.
    guess
        What the composition guesses, and where the guess comes from.
    """

    vision: VisionPart
    projector: Projector = Projector.usual()
    language: LanguageShape | str
    guess: str = ""


def read_composition(entry: Mapping[str, Any], name: str) -> Composition:
    """Return a composition; raises `WorkloadError` with all its faults."""
    try:
        return Composition.model_validate(entry)
    except ValidationError as error:
        faults = "\n  ".join(sentences(error, Composition))
        raise WorkloadError(f"{name}:\n  {faults}") from None


def composed(
    asked: Composition,
    name: str,
    language: Callable[[LanguageShape | str], Trace],
    network: Callable[[VisionPart], Trace],
) -> Trace:
    """Return the trace of a composition, given how traces of its parts are found.

    Raises `WorkloadError` for parts of another kind.
    """
    decoder = language(asked.language)
    if "decode" not in decoder.phases:
        raise WorkloadError(f"{name}: language must be a language model. Got {decoder.model}.")
    encoder = network(asked.vision)
    if NETWORK not in encoder.phases:
        raise WorkloadError(
            f"{name}: vision.model must be a network, such as mobilenet-v3-l. Got {encoder.model}."
        )
    features = features_of(encoder, asked.vision.model)
    operators, tokens = projected(asked.projector, features, decoder.decoder.hidden)
    segments = (*features.segments, Segment("projector", 1, tuple(operators)))
    side_px = asked.vision.image_px or input_side(encoder)
    phases = {name: phase for name, phase in decoder.phases.items() if name != "vision"}
    kept = {key: count for key, count in decoder.parameters.items() if key != "vision"}
    return replace(
        decoder,
        model=name,
        config_digest=_digest(asked, encoder, decoder),
        vision=VisionShape(1, features.channels, max(1, side_px // max(1, features.side)), 1),
        parameters={**kept, "vision": weights_of(segments)},
        phases={"vision": Phase("vision", (), segments), **phases},
        image_rule=Fixed(side_px=side_px, patches=features.tokens, tokens=tokens),
        no_images="",
        config={},
    )


def input_side(network: Trace) -> int:
    """Return the side of a network's input image [px]."""
    shape = network.phases[NETWORK].segments[0].operators[0].inputs[0].shape
    return int(shape[-1].at({}))


def _digest(asked: Composition, encoder: Trace, decoder: Trace) -> str:
    parts = [asked.model_dump(mode="json"), encoder.config_digest, decoder.config_digest]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


__all__ = ["Composition", "Features", "composed", "read_composition"]
