"""Which ids the names in other tools' files stand for, where that is unambiguous.

A name that could mean two models is left open: "qwen2 1.5B" is what llama.cpp calls Qwen2 and
Qwen2.5 alike. The number of weights settles what a name leaves open where one model alone has it,
and contradicts a model that has another. A file with an output matrix of its own where the model
shares the embedding's counts that matrix, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Final, NamedTuple

from workloads.catalogue import list_models, trace_for
from workloads.errors import WorkloadError
from workloads.shipped_ids import model_ids
from workloads.weight_formats import FOLDER, get_format, read_formats

SAME_COUNT: Final = 0.006
"""Assumed: relative difference of two counts of weights that are one, as tables round them."""
OTHER_COUNT: Final = 0.12
"""Assumed: relative difference that no way of counting (tied heads, buffers) explains."""
BITS_OF_FILE: Final = (0.9, 1.6)
"""Assumed: bits per weight of a file over those of its format; embeddings are kept finer."""

_FLOATS: Final = {"f16": "w16", "fp16": "w16", "bf16": "w16", "f32": "f32", "fp32": "f32"}
_FILE_TYPES: Final = {"q2_k": "q2_k_m"}
"""Names of file types that are a mix, where a block format has the same name."""
_SHARED_ARCHITECTURE: Final = re.compile(r"qwen2 \d")
"""How llama.cpp writes the type of Qwen2 and Qwen2.5 models alike."""
_FAMILIES: Final = {
    "qwen2": r"qwen(?:2|1\.5)\D",
    "qwen3": r"qwen3\D",
    "gemma3": r"gemma3\D",
    "phi3": r"phi",
    "llama": r"(?!qwen|gemma|phi|andesvl)",
}
"""Ids that an architecture of llama.cpp covers; networks that are built like Llama are "llama"."""
_NO_FAMILY: Final = ("ggml", "gguf", "model")
"""Words that file names begin with and that say nothing of a network."""
_LEAST_WORD: Final = 3
"""Letters of a word that names a family; shorter ones begin formats (``q4_0``, ``f16``)."""
_SUFFIX: Final = re.compile(r"\.(?:gguf|bin|pte|task|tflite|litertlm|rkllm|mnn)$", re.IGNORECASE)
_MIX: Final = re.compile(r"(q\d_k)\s*-\s*(small|medium|large)")


class Names(NamedTuple):
    """Ids found in a name, "" where unsettled, and a warning for each unsettled one."""

    model: str
    weights: str
    warnings: tuple[str, ...]


@lru_cache(maxsize=4096)
def identify(
    *names: str, parameters: float | None = None, file_bytes: float | None = None
) -> Names:
    """Return model and weights for the first of ``names`` that settles each.

    Parameters
    ----------
    parameters, file_bytes
        Number of weights, and bytes of the file, as the source states them.

    >>> identify("qwen3 4B Q4_0")
    Names(model='qwen3-4b', weights='q4_0', warnings=())
    >>> identify("llama 1B Q8_0", parameters=1.24e9).model
    'llama-3.2-1b'
    """
    named = next(filter(None, map(model_id, names)), "")
    weights = next(filter(None, map(weights_id, names)), "")
    shown = next(filter(None, names), "")
    candidates = [] if named or not parameters else models_of(names, parameters)
    model = named or (candidates[0] if len(candidates) == 1 else "")
    warnings = [*_contradictions(model, weights, parameters, file_bytes)]
    said = f"model name {shown!r:.80} does not" if shown else "no name is in the file to"
    if not model:
        meant = f" It may be {' or '.join(candidates)}." if candidates else ""
        warnings.append(f"{said} settle a model id.{meant}")
    if not weights:
        warnings.append(f"{said} settle a weight format.")
    return Names(model, weights, tuple(warnings))


@cache
def model_id(name: str) -> str:
    """Return the one model id a name contains, or "".

    >>> model_id("/data/local/Llama-3.2-1B-Instruct-Q4_0.gguf"), model_id("gemma-3-1b-it")
    ('llama-3.2-1b', 'gemma3-1b')
    """
    if _SHARED_ARCHITECTURE.match(name):
        return ""
    key = f"-{_file_key(name)}-"
    found = [known for known, pattern in _known_keys() if pattern in key]
    return found[0] if len(found) == 1 else ""


@cache
def weights_id(name: str) -> str:
    """Return the weight format a name contains, or "".

    >>> weights_id("llama 1B Q4_K - Medium"), weights_id("model-Q8_0.gguf"), weights_id("F16")
    ('q4_k_m', 'q8_0', 'w16')
    """
    lowered = _MIX.sub(lambda match: f"{match[1]}_{match[2][0]}", name.lower())
    match = _formats_pattern().search(lowered.replace("iq3_s mix", "iq3_m"))
    if not match:
        return ""
    found = _FILE_TYPES.get(match[1], _FLOATS.get(match[1], match[1]))
    try:
        return get_format(found).id
    except WorkloadError:
        return ""


@cache
def models_of(names: tuple[str, ...], parameters: float) -> list[str]:
    """Return the models with a number of weights that no name rules out.

    Where names say a family, a model is of one: equal counts do not make a StarCoder a Gemma.
    """
    families = [family for family in map(_family, names) if family]
    own = {
        model: counts
        for model, counts in _counts().items()
        if not families or any(re.match(family, model) for family in families)
    }
    plain = [m for m, counts in own.items() if abs(counts[0] / parameters - 1.0) < SAME_COUNT]
    return plain or [model for model in own if _off(model, parameters) < SAME_COUNT]


def _family(name: str) -> str:
    """Return a pattern of the ids that a name's first word allows, "" where it says nothing.

    >>> _family("models/starcoder2-3b-Q4_0.gguf"), _family("ggml-model-Q4_0.gguf")
    ('starcoder', '')
    """
    key = _file_key(name)
    known = next((ids for start, ids in _FAMILIES.items() if key.startswith(start)), "")
    word = re.match(r"[a-z]+", key)
    says = word is not None and len(word[0]) >= _LEAST_WORD and word[0] not in _NO_FAMILY
    return known or (word[0] if word and says else "")


def other_count(model: str, parameters: float | None, tolerance: float = OTHER_COUNT) -> bool:
    """Whether a catalogue model cannot be one with so many weights."""
    if not parameters or model not in _counts():
        return False
    return _off(model, parameters) > tolerance


def _off(model: str, parameters: float) -> float:
    """Return the least relative difference between a count and those that a model may have."""
    return min(abs(known / parameters - 1.0) for known in _counts()[model])


def one_name(names: Iterable[str]) -> bool:
    """Whether names, their weight formats aside, are one model's.

    >>> one_name(["llama 1B Q4_0", "llama 1B Q8_0"]), one_name(["llama 1B", "llama 8B"])
    (True, False)
    """
    return (
        len({_formats_pattern().sub("", name.lower()).split("-")[0].strip() for name in names}) < 2
    )


def _contradictions(
    model: str, weights: str, parameters: float | None, file_bytes: float | None
) -> Iterable[str]:
    if other_count(model, parameters):
        yield f"the file states {parameters:.3g} weights, which {model} does not have."
    if not (weights and parameters and file_bytes):
        return
    bits, least_and_most = file_bytes * 8 / parameters, BITS_OF_FILE
    ratio = bits / get_format(weights).file_bits
    if not least_and_most[0] <= ratio <= least_and_most[1]:
        yield f"size over params is {bits:.2f} bits per weight, which contradicts {weights}."


@cache
def _counts() -> dict[str, tuple[int, ...]]:
    """Return what counts a model's weights may have: a file may hold a tied head a second time."""
    shapes = {card.id: (card.parameters, trace_for(card.id).decoder) for card in list_models()}
    return {
        model: (known, *([known + shape.vocab * shape.hidden] if shape.tied_embedding else ()))
        for model, (known, shape) in shapes.items()
    }


@cache
def _known_keys() -> list[tuple[str, str]]:
    return [(known, f"-{_key(known)}-") for known in model_ids()]


@cache
def _formats_pattern() -> re.Pattern[str]:
    ids = sorted([*read_formats(FOLDER / "ggml.yaml"), *_FLOATS], key=len, reverse=True)
    return re.compile(rf"(?<![a-z0-9])({'|'.join(ids)})(?![a-z0-9_])")


def _file_key(name: str) -> str:
    """Return the key of a file's name, its folders and suffix left out."""
    return _key(_SUFFIX.sub("", name.replace("\\", "/").rsplit("/", 1)[-1]))


def _key(name: str) -> str:
    """Lower case, one dash between parts, none between a family and its version.

    >>> _key("Gemma-3-1B-4bit")
    'gemma3-1b-4bit'
    """
    return re.sub(
        r"(?<=[a-z])(?<!\d[a-z])-(?=\d)", "", re.sub(r"[^a-z0-9.]+", "-", name.lower())
    ).strip("-")
