"""The KV cache: bits per element, bytes per token, and the static cache sizes graphs are built for.

Layers with a window hold the window and the tokens of one prefill step, as runtimes allocate them.
Not modelled: fragmentation of a paged cache, alignment of rows, the accuracy a format costs,
runtimes that give windowed layers a full cache, and traffic of tokens that wait in 16 bits to be
quantised (KIVI; they count in size).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import AfterValidator

from workloads.errors import WorkloadError, did_you_mean
from workloads.eviction_policies import EvictionPart, NoEviction
from workloads.layout import engine_bits
from workloads.session import Strict, Tokens
from workloads.trace import CachePart

FLOAT_BITS = 16
STEP_TOKENS = 512
"""Tokens a windowed cache holds besides its window where a stack has no prefill chunk of its own:
llama.cpp's physical batch (``n_ubatch``, default 512; assumed of other runtimes, 0 to 2048)."""
KIVI_RESIDUAL_TOKENS = 128


class KvFormat(Strict):
    """How one element of K or V is stored.

    Attributes
    ----------
    value_bits
        Bits of one element.
    group_elements
        Elements that share a scale and a zero point.
    scale_bits, zero_bits
        Bits of the scale and of the zero point of a group.
    residual_tokens
        Newest tokens kept in 16 bits until they are quantised.
    values
        Format of V where it differs from that of K, which the other attributes describe.
    """

    id: str
    source: str
    value_bits: int
    group_elements: int = 1
    scale_bits: int = 0
    zero_bits: int = 0
    residual_tokens: int = 0
    values: KvFormat | None = None

    @property
    def bits(self) -> float:
        """Bits per quantised element, b + (scale + zero) / group; the mean of K and V."""
        own = self.value_bits + (self.scale_bits + self.zero_bits) / self.group_elements
        return own if self.values is None else (own + self.values.bits) / 2

    @property
    def compute_bits(self) -> int:
        """Matrix-engine precision that holds an element once expanded; the narrower of K and V.

        Both run in one kernel, which unpacks the narrower one.
        """
        own = engine_bits(self.value_bits)
        return own if self.values is None else min(own, self.values.compute_bits)

    def bytes_per_token(self, elements_per_token: int) -> float:
        """Return the bytes of one token once it is quantised [B]."""
        return elements_per_token * self.bits / 8

    def size_bytes(self, tokens: ArrayLike, elements_per_token: int) -> NDArray[np.float64]:
        """Return the bytes of ``tokens`` tokens of cache [B]; vectorised over ``tokens``.

        B = elements / 8 * (16 * min(S, R) + bits * max(0, S - R)), R the residual tokens.

        >>> float(get_kv_format("int16").size_bytes(4096, 73_728)) / 2**20  # Qwen3-4B
        576.0
        """
        stored = np.asarray(tokens, dtype=np.float64)
        recent = np.minimum(stored, self.residual_tokens)
        bits = recent * FLOAT_BITS + (stored - recent) * self.bits
        return np.asarray(bits * elements_per_token / 8)


def cache_bytes(
    kv: KvFormat, parts: Sequence[CachePart], tokens: ArrayLike, step_tokens: int | None = None
) -> NDArray[np.float64]:
    """Return the bytes of a model's cache at ``tokens`` tokens [B]; vectorised over ``tokens``.

    A layer with window w holds ``min(tokens, w + step_tokens)``: while a prefill step of that many
    tokens is written, the window before it is still read. None: `STEP_TOKENS`.

    >>> gemma3_4b = [CachePart(5 * 2048), CachePart(29 * 2048, window_tokens=1024)]
    >>> round(float(cache_bytes(get_kv_format("fp16"), gemma3_4b, 32_768)) / 2**30, 3)
    0.795
    """
    stored = np.asarray(tokens, dtype=np.float64)
    total = np.zeros_like(stored)
    step = STEP_TOKENS if step_tokens is None else step_tokens
    for part in parts:
        most = np.inf if part.window_tokens is None else part.window_tokens + step
        total = total + kv.size_bytes(np.minimum(stored, most), part.elements)
    return total


_PLAIN = {
    "int16": (16, "16-bit fixed point, one scale per tensor"),
    "fp16": (16, "IEEE 754 half precision"),
    "bf16": (16, "bfloat16"),
    "fp32": (32, "IEEE 754 single precision"),
    "int8": (8, "8-bit fixed point, one scale per tensor"),
}
_GROUPED = re.compile(r"int(?P<bits>4|8)_g(?P<group>32|64|128)")
_KIVI = re.compile(r"kivi(?P<bits>2|4)_g(?P<group>32|64|128)")
_SHORT = {"int4": "int4_g128", "kivi2": "kivi2_g32", "kivi4": "kivi4_g32"}
_LLAMA_CPP = {"q4_0": (4, 0), "q4_1": (4, 16), "iq4_nl": (4, 0), "q5_0": (5, 0), "q5_1": (5, 16)}
_LLAMA_CPP |= {"q8_0": (8, 0)}
KV_FORMAT_IDS = (*_PLAIN, *_SHORT, "int4_g32", "kivi2_g128", *_LLAMA_CPP, "q8_0+q4_0")


@cache
def get_kv_format(name: str) -> KvFormat:
    """Return a KV-cache format by id, or of K and V apart, as ``q8_0+q4_0``.

    >>> get_kv_format("kivi2_g32").bits, get_kv_format("kivi2_g128").bits
    (3.0, 2.25)
    >>> get_kv_format("q8_0+q4_0").bits
    6.5

    Raises `WorkloadError` for an unknown id.
    """
    if name.count("+") == 1:
        keys, _, values = name.partition("+")
        apart = {"id": name, "values": get_kv_format(values)}
        return get_kv_format(keys).model_copy(update=apart)
    if name in _PLAIN:
        bits, source = _PLAIN[name]
        return KvFormat(id=name, source=source, value_bits=bits)
    if name in _LLAMA_CPP:
        width, zero_bits = _LLAMA_CPP[name]
        found = _grouped(name, width, 32, source="llama.cpp, --cache-type-k and -v")
        return found.model_copy(update={"zero_bits": zero_bits})
    rule = _SHORT.get(name, name)
    if match := _KIVI.fullmatch(rule):
        kivi = _grouped(
            name, int(match["bits"]), int(match["group"]), source="KIVI, arXiv 2402.02750"
        )
        return kivi.model_copy(update={"zero_bits": 16, "residual_tokens": KIVI_RESIDUAL_TOKENS})
    if match := _GROUPED.fullmatch(rule):
        source = "symmetric, one 16-bit scale per group (assumed)"
        return _grouped(name, int(match["bits"]), int(match["group"]), source=source)
    hint = did_you_mean(name, KV_FORMAT_IDS)
    raise WorkloadError(f"A KV-cache format must be a known id. Got {name!r}. {hint}")


def _grouped(name: str, bits: int, group: int, source: str) -> KvFormat:
    return KvFormat(id=name, source=source, value_bits=bits, group_elements=group, scale_bits=16)


def bucket_for(tokens: ArrayLike, buckets: Sequence[int]) -> NDArray[np.int64]:
    """Return the smallest static size that holds ``tokens``; vectorised over ``tokens``.

    A graph compiled for a cache of c tokens reads c tokens, however few are live; so eviction saves
    bandwidth only where it lets a smaller graph run. The same law pads a verification step. Raises
    `WorkloadError` where no size holds them.

    >>> bucket_for([1, 512, 513], [512, 1024]).tolist()
    [512, 512, 1024]
    """
    sizes = np.array(sorted(set(buckets)), dtype=np.int64)
    wanted = np.asarray(tokens)
    if wanted.size and wanted.max() > sizes[-1]:
        raise WorkloadError(
            f"A graph must hold {int(wanted.max())} tokens. The largest is {sizes[-1]}."
        )
    return np.asarray(sizes[np.searchsorted(sizes, wanted)])


def visible_tokens(live_tokens: ArrayLike, buckets: Sequence[int]) -> NDArray[np.float64]:
    """Return the tokens of cache a step reads: a static graph its bucket, else the live ones.

    >>> visible_tokens([700.0], buckets=[]).item(), visible_tokens([700.0], [512, 1024]).item()
    (700.0, 1024.0)
    """
    live = np.asarray(live_tokens, dtype=np.float64)
    return bucket_for(live, buckets).astype(np.float64) if buckets else live


def _known(name: str) -> str:
    try:
        get_kv_format(name)
    except WorkloadError:
        hint = did_you_mean(name, KV_FORMAT_IDS).rstrip(".")
        raise ValueError(f"a known KV-cache format ({hint})") from None
    return name


class KvCache(Strict):
    """The KV cache of a deployment.

    Attributes
    ----------
    dtype
        Format id; none given: the stack's default.
    capacity_tokens
        Tokens the cache can hold; none given: what the session needs.
    buckets
        Cache sizes graphs are compiled for; none given: the stack's own.
    eviction
        What is dropped, and when.
    """

    dtype: Annotated[str, AfterValidator(_known)] | None = None
    capacity_tokens: Tokens | None = None
    buckets: tuple[Tokens, ...] = ()
    eviction: EvictionPart = NoEviction.usual()
