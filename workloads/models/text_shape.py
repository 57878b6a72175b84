"""What a built ``transformers`` model says of itself: its parts, its parameters, its dimensions."""

# mypy: disable-error-code="no-any-return, no-untyped-call"

from __future__ import annotations

import math
import re
from typing import Any

from torch import nn

from workloads.errors import WorkloadError
from workloads.models.folding import Context, tensor_class
from workloads.models.from_transformers import Built, language_model
from workloads.trace import DecoderShape, Operator, Phase, TensorRef

_SEES = re.compile(r"(^|[._])(vision|visual|image|audio|projector|connector|aligner|merger)")


def context_of(built: Built) -> Context:
    """Return the names that folding needs: layers, tables, the LM head, the vision part.

    Raises `WorkloadError` where the model has no LM head.
    """
    head = language_model(built.model).get_output_embeddings()
    paths = [name for name, module in built.model.named_modules() if module is head]
    if head is None or not paths:
        raise WorkloadError(f"{type(built.model).__name__} must have an LM head.")
    tables = {
        f"{name}.weight"
        for name, module in built.model.named_modules()
        if isinstance(module, nn.Embedding)
    }
    seeing = {name for name, _ in built.model.named_parameters() if _sees(name, built)}
    return Context(built.layers_path, frozenset(tables), paths[0], vision=frozenset(seeing))


def _sees(parameter: str, built: Built) -> bool:
    return not parameter.startswith(f"{built.layers_path}.") and bool(_SEES.search(parameter))


def parameter_counts(built: Built, names: Context) -> dict[str, int]:
    """Return the parameters per tensor class; a tied table counts as ``embedding``.

    Those of ears, which no phase uses, are ``audio``.
    """
    counts: dict[str, int] = {}
    for name, parameter in built.model.named_parameters():
        key = tensor_class(name, name.rpartition(".")[0], names)
        key = "audio" if key == "vision" and "audio" in name else key
        counts[key] = counts.get(key, 0) + parameter.numel()
    return counts


def decoder_shape(built: Built, decode: Phase) -> DecoderShape:
    """Return the dimensions that costs outside the trace need, from its operators."""
    calls = [(repeat, operator) for repeat, operator in decode.operators()]
    attending = [(r, o) for r, o in calls if o.kind == "attention"]
    heads = [t for _, o in calls for t in o.inputs if _is_head(t)]
    query, key = ((0, 0), (0, 0))
    if attending:
        query, key = (_heads(attending[0][1], place) for place in (0, 1))
    windows = [(o.window_tokens, r) for r, o in attending if o.window_tokens is not None]
    weight = heads[-1] if heads else None
    vocab, hidden = (
        (int(extent.at({})) for extent in weight.shape[:2])
        if weight is not None
        else (_number(built.config, "vocab_size"), _number(built.config, "hidden_size"))
    )
    looked_up = {
        t.parameter for _, o in calls if o.kind == "embedding" for t in o.inputs if t.parameter
    }
    return DecoderShape(
        layers=max(1, len(built.kinds) - len(built.crossing)),
        hidden=hidden,
        vocab=vocab,
        tied_embedding=weight is not None and weight.parameter in looked_up,
        intermediate=_number(built.config, "intermediate_size"),
        q_heads=query[0],
        kv_heads=key[0],
        head_dim=query[1],
        window_tokens=min((w for w, _ in windows), default=None),
        window_layers=sum(r for _, r in windows),
    )


def _is_head(tensor: TensorRef) -> bool:
    return tensor.tensor_class == "lm_head" and len(tensor.shape) == 2


def _heads(operator: Operator, place: int) -> tuple[int, int]:
    shape = operator.inputs[place].shape
    return math.prod(int(extent.at({})) for extent in shape[:-2]), int(shape[-1].at({}))


def _number(config: Any, key: str) -> int:
    value = getattr(config, key, 0)
    if isinstance(value, list | tuple):
        value = value[0] if value else 0
    return int(value) if isinstance(value, int) else 0
