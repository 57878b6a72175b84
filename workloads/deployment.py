"""Deployment: how a model is stored, placed and run on a device."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from workloads.compression import WeightMap
from workloads.images import CHAT_MAX_SIZE_PX
from workloads.kv_cache import KvCache
from workloads.lora import Lora
from workloads.pruning import Pruning
from workloads.session import Strict
from workloads.speculation import NoSpeculation, SpeculationPart
from workloads.tasks import Unit

Activations = Literal["int16", "int8", "fp16", "bf16", "fp32"]
FreeVision = bool | Literal["reload"]
Fusion = Literal["none", "scores", "elementwise", "attention"]


class ImageRule(Strict):
    """How images become visual tokens: a named preprocessor and its area limit.

    Attributes
    ----------
    preprocessor
        Whole cells (``ceil``), a cell more on each side, or one fixed graph (`workloads.images`).
    max_size_px
        The image is scaled down to at most this squared area [px].
    """

    preprocessor: Literal["ceil", "one_more_cell", "mtk_sdk"] = "one_more_cell"
    max_size_px: Annotated[int, Field(ge=28, le=100_000)] = CHAT_MAX_SIZE_PX


class Placement(Strict):
    """Which unit runs what; the stack's unit where none is given.

    Attributes
    ----------
    vision, body, lm_head, draft
        Unit that runs this part.
    sampling
        Unit that reads the logits and chooses tokens, as an operator of its own. None: the host
        does it, in the stack's step overhead.
    """

    vision: Unit | None = None
    body: Unit | None = None
    lm_head: Unit | None = None
    draft: Unit | None = None
    sampling: Unit | None = None


LARGEST_CHUNK = 65_536
"""Tokens of a prefill step at most."""


class Deployment(Strict):
    """How the model is shipped.

    Attributes
    ----------
    weights
        Weight format id per tensor class, or text such as ``body=w4;lm_head=w8``; classes left out
        take the stack's default.
    activations
        Format of activations; the stack's if none.
    prefill_chunk_tokens
        Tokens per prefill call, at most [tokens]; the stack's if none. The last one is padded where
        the stack's prefill graphs have a fixed size.
    speculation
        How tokens are drafted, and how many of them the target accepts.
    free_vision_after_encode
        When the vision encoder leaves DRAM. ``true``: after the session's last image. ``reload``:
        after the images of each turn; the next ones read it from flash again. ``false``: never.
    fusion
        What the graph compiler fuses (`workloads.graph.GraphOptions`); the stack's way if none.
    verify_buckets
        Decode widths that graphs are compiled for [tokens]; the stack's if none.
    vision_overlap
        Whether visual tokens are prefilled while later images still encode, which needs vision and
        body on different units; the stack's way if none.
    routing_skew
        How unevenly the tokens of a mixture choose experts: 0 evenly, 1 all the same ones.
    threads
        Threads of a stack of the CPU, on the fastest cores first; the device's own if none.
    clusters
        Clusters of the processor that these threads run on, by the device's names; all if none.
    """

    weights: WeightMap = WeightMap.usual()
    activations: Activations | None = None
    images: ImageRule = ImageRule.usual()
    placement: Placement = Placement.usual()
    pruning: Pruning = Pruning.usual()
    kv_cache: KvCache = KvCache.usual()
    prefill_chunk_tokens: Annotated[int, Field(ge=1, le=LARGEST_CHUNK)] | None = None
    speculation: SpeculationPart = NoSpeculation.usual()
    verify_buckets: tuple[Annotated[int, Field(ge=1, le=1025)], ...] | None = None
    lora: Lora | None = None
    fusion: Fusion | None = None
    vision_overlap: bool | None = None
    free_vision_after_encode: FreeVision = True
    routing_skew: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    threads: Annotated[int, Field(ge=1, le=4096)] | None = None
    clusters: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
