"""Which ids the names in other tools' files stand for, where that is unambiguous.

A name that could mean two models is left open: "qwen2 1.5B" is what llama.cpp calls Qwen2 and
Qwen2.5 alike, so it maps to neither.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from workloads.catalogue import model_ids
from workloads.errors import WorkloadError
from workloads.weight_formats import get_format

_FLOATS: Final = {"f16": "w16", "fp16": "w16", "bf16": "w16", "f32": "f32", "all f32": "f32"}
_SHARED_ARCHITECTURE: Final = re.compile(r"qwen2 \d")
"""How llama.cpp writes the type of Qwen2 and Qwen2.5 models alike."""
_SUFFIX: Final = re.compile(r"\.(?:gguf|bin|pte|task|tflite|litertlm)$", re.IGNORECASE)
_GGML: Final = re.compile(
    r"\b(?:(iq\d_\w+|tq\d_0|q\d_[01])|(q\d_k)(?:_([sml])|\s*-\s*(small|medium|large))?"
    r"|(bf16|fp?16|(?:all )?f32))\b"
)


class Names(NamedTuple):
    """Ids found in a name, "" where unsettled, and a warning for each unsettled one."""

    model: str
    weights: str
    warnings: tuple[str, ...]


def identify(*names: str) -> Names:
    """Return model and weights for the first of ``names`` that settles each.

    >>> identify("qwen3 4B Q4_0")
    Names(model='qwen3-4b', weights='q4_0', warnings=())
    >>> identify("qwen2 1.5B Q4_K - Medium").warnings
    ("model name 'qwen2 1.5B Q4_K - Medium' does not settle a model id.",)
    """
    model = next(filter(None, map(model_id, names)), "")
    weights = next(filter(None, map(weights_id, names)), "")
    shown = next(filter(None, names), "")
    warnings = []
    if not model:
        warnings.append(f"model name {shown!r:.80} does not settle a model id.")
    if not weights:
        warnings.append(f"model name {shown!r:.80} does not settle a weight format.")
    return Names(model, weights, tuple(warnings))


def model_id(name: str) -> str:
    """Return the one model id a name contains, or "".

    >>> model_id("/data/local/Llama-3.2-1B-Instruct-Q4_0.gguf"), model_id("gemma-3-1b-it")
    ('llama-3.2-1b', 'gemma3-1b')
    """
    if _SHARED_ARCHITECTURE.match(name):
        return ""
    key = _key(_SUFFIX.sub("", name.replace("\\", "/").rsplit("/", 1)[-1]))
    found = [known for known in model_ids() if f"-{_key(known)}-" in f"-{key}-"]
    return found[0] if len(found) == 1 else ""


def weights_id(name: str) -> str:
    """Return the weight format a name contains, or "".

    >>> weights_id("llama 1B Q4_K - Medium"), weights_id("model-Q8_0.gguf"), weights_id("F16")
    ('q4_k_m', 'q8_0', 'w16')
    """
    match = _GGML.search(name.lower().replace("-q", " q"))
    if not match:
        return ""
    plain, k_quant, letter, word, floating = match.groups()
    if k_quant:
        size = letter or (word or "")[:1]
        plain = f"{k_quant}_{size}" if size else k_quant
    found: str = _FLOATS[floating] if floating else plain
    try:
        return get_format(found).id
    except WorkloadError:
        return ""


def _key(name: str) -> str:
    """Lower case, one dash between parts, none between a family and its version."""
    return re.sub(r"(?<=[a-z])-(?=\d)", "", re.sub(r"[^a-z0-9.]+", "-", name.lower())).strip("-")
