"""Speculative decoding: who drafts, how many tokens are verified, and what a draft costs.

This module counts what drafting costs: passes per step and weights streamed in each. How many
drafts are accepted is in `workloads.acceptance`. With a static tree more tokens are verified; what
they gain must be in the acceptance curve, which therefore belongs to one tree.

What a draft runs is in `workloads.drafting`; sampling and the copy of a tree's accepted path are in
`workloads.mechanisms`.

Not modelled: trees that change from step to step, and reuse of the draft's layers by the
verification that follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from workloads.acceptance import Acceptance
from workloads.errors import WorkloadError
from workloads.kv_cache import bucket_for
from workloads.one_of import OneOf, by_name
from workloads.session import Strict

Depth = Annotated[int, Field(ge=1, le=64)]
Nodes = Annotated[int, Field(ge=1, le=1024)]
Count = Annotated[int, Field(ge=1)]


@dataclass(frozen=True, slots=True)
class DecoderSize:
    """The sizes of a decoder that draft costs depend on.

    Attributes
    ----------
    layer_parameters
        Weights of one decoder layer.
    kv_elements_per_layer
        K and V elements one token adds in one layer.
    q_heads, head_dim
        Query heads of one layer, and the width of each; 0 where not known.
    """

    hidden: int
    layers: int
    layer_parameters: int
    vocabulary: int
    kv_elements_per_layer: int
    q_heads: int = 0
    head_dim: int = 0

    @property
    def head_parameters(self) -> int:
        """Weights of the LM head, vocabulary * hidden."""
        return self.vocabulary * self.hidden


@dataclass(frozen=True, slots=True)
class DraftCost:
    """What drafting adds to one decode step.

    Attributes
    ----------
    passes
        Sequential draft passes, each streaming its weights.
    body_parameters, head_parameters
        Weights one pass streams, without and in its LM head.
    extra_parameters
        Weights that must be resident besides the target's.
    kv_elements_per_token
        K and V elements the draft adds per token of context.
    rows
        Rows of each pass but the first: nodes of a tree that are expanded at once.
    prefills
        Whether the draft's layers run over the prompt, too.
    heads, head_dim
        Query heads of all its layers, and the width of each.
    """

    passes: int = 0
    body_parameters: int = 0
    head_parameters: int = 0
    extra_parameters: int = 0
    kv_elements_per_token: int = 0
    rows: int = 1
    prefills: bool = False
    heads: int = 0
    head_dim: int = 0


class NoSpeculation(Strict):
    """Plain decoding: one token per step."""

    method: Literal["none"] = "none"

    @property
    def verify_width(self) -> int:
        """Tokens the target computes per step."""
        return 1

    def draft_cost(self, target: DecoderSize, draft: DecoderSize | None = None) -> DraftCost:
        """Return the cost of no draft."""
        return DraftCost()


class Drafting(Strict):
    """What all methods share.

    Attributes
    ----------
    depth
        Drafted tokens on the longest path.
    tree_nodes
        Drafted tokens in all; none given: a chain of ``depth``.
    acceptance
        How many the target accepts.
    image_factor
        Scales acceptance in turns that hold an image (1: no effect, assumed).
    """

    depth: Depth = 4
    tree_nodes: Nodes | None = None
    acceptance: Acceptance
    image_factor: Annotated[float, Field(gt=0.0, le=1.5)] = 1.0

    @field_validator("tree_nodes")
    @classmethod
    def _tree_holds_its_longest_path(cls, nodes: int | None, info: ValidationInfo) -> int | None:
        if nodes is not None and nodes < info.data.get("depth", 1):
            raise ValueError("at least the depth")
        return nodes

    @property
    def verify_width(self) -> int:
        """Tokens the target computes per step: all drafted ones and the last committed one."""
        return (self.tree_nodes or self.depth) + 1

    def draft_cost(self, target: DecoderSize, draft: DecoderSize | None = None) -> DraftCost:
        """Return what drafting for one step costs; ``draft`` is the size of a draft model."""
        return DraftCost()


class NgramDraft(Drafting):
    """Look the continuation up in the prompt or a store, on the host; no weights."""

    method: Literal["ngram"] = "ngram"


class ModelDraft(Drafting):
    """A smaller model with the same vocabulary.

    Attributes
    ----------
    draft_model
        Model id or path.
    weights
        Weight format of the draft model; none given: the target body's.
    prefills
        The draft's layers run over the prompt, too, chunk by chunk.
    """

    method: Literal["model"] = "model"
    draft_model: str
    weights: str | None = None
    prefills: bool = False

    def draft_cost(self, target: DecoderSize, draft: DecoderSize | None = None) -> DraftCost:
        """Return ``depth`` passes over all weights of the draft model.

        Raises `WorkloadError` where its vocabulary is not the target's.
        """
        if draft is None or draft.vocabulary != target.vocabulary:
            raise WorkloadError(
                f"deployment.speculation.draft_model must share the target's vocabulary of "
                f"{target.vocabulary}. Got {self.draft_model!r}."
            )
        body = draft.layers * draft.layer_parameters + draft.hidden
        return DraftCost(
            passes=self.depth,
            body_parameters=body,
            head_parameters=draft.head_parameters,
            extra_parameters=body + draft.head_parameters,
            kv_elements_per_token=draft.layers * draft.kv_elements_per_layer,
            prefills=self.prefills,
            heads=draft.layers * draft.q_heads,
            head_dim=draft.head_dim,
        )


class EagleDraft(Drafting):
    """EAGLE: the target's hidden state and the token embedding, 2h -> h, then decoder layers.

    Attributes
    ----------
    draft_layers
        Decoder layers of the draft.
    draft_vocabulary
        Rows of a reduced LM head of its own; none given: the target's head is used, and streamed.
    weights
        Weight format of the draft; none given: the target body's.
    prefills
        The draft's layers run over the prompt, too, chunk by chunk.
    top_k
        Nodes of a tree that each pass expands at once, all but the first; 1: one row a pass.
    """

    method: Literal["eagle"] = "eagle"
    draft_layers: Count = 1
    draft_vocabulary: Count | None = None
    weights: str | None = None
    prefills: bool = False
    top_k: Count = 1

    @field_validator("top_k")
    @classmethod
    def _a_tree_holds_what_is_expanded(cls, rows: int, info: ValidationInfo) -> int:
        if rows > 1 and rows > (info.data.get("tree_nodes") or 0):
            raise ValueError("at most the tree_nodes")
        return rows

    def draft_cost(self, target: DecoderSize, draft: DecoderSize | None = None) -> DraftCost:
        """Return ``depth`` passes over 2 h^2 + layers and the LM head.

        >>> qwen3_4b = DecoderSize(2560, 36, 100_930_816, 151_936, 2048)
        >>> EagleDraft(acceptance=Acceptance(alpha=0.7)).draft_cost(qwen3_4b).extra_parameters
        114038016
        """
        body = 2 * target.hidden**2 + self.draft_layers * target.layer_parameters
        own_head = (self.draft_vocabulary or 0) * target.hidden
        return DraftCost(
            passes=self.depth,
            body_parameters=body,
            head_parameters=own_head or target.head_parameters,
            extra_parameters=body + own_head,
            kv_elements_per_token=self.draft_layers * target.kv_elements_per_layer,
            rows=self.top_k,
            prefills=self.prefills,
            heads=self.draft_layers * target.q_heads,
            head_dim=target.head_dim,
        )


class MedusaDraft(Drafting):
    """Medusa: one head per drafted place on the target's last hidden state, verified as a tree.

    Each head is a residual layer, h^2 + h, and an LM head of its own (arXiv 2401.10774). The
    default tree is the 63-node one of the Medusa repository: 64 tokens are verified.

    Attributes
    ----------
    weights
        Weight format of the heads; none given: the target body's.
    """

    method: Literal["medusa"] = "medusa"
    tree_nodes: Nodes | None = 63
    weights: str | None = None

    def draft_cost(self, target: DecoderSize, draft: DecoderSize | None = None) -> DraftCost:
        """Return one pass over all heads."""
        residual = self.depth * (target.hidden**2 + target.hidden)
        heads = self.depth * target.head_parameters
        return DraftCost(1, residual, heads, extra_parameters=residual + heads)


class SelfDraft(Drafting):
    """The target's own first layers (early exit), or some of its layers (layer skip), and its head.

    Attributes
    ----------
    draft_layers
        Layers a draft pass runs.
    """

    method: Literal["early_exit", "layer_skip"]
    draft_layers: Count

    def draft_cost(self, target: DecoderSize, draft: DecoderSize | None = None) -> DraftCost:
        """Return ``depth`` passes over the layers used; nothing more is resident.

        Raises `WorkloadError` where the target has no more layers than the draft.
        """
        if self.draft_layers >= target.layers:
            raise WorkloadError(
                f"deployment.speculation.draft_layers must be below the target's {target.layers}. "
                f"Got {self.draft_layers}."
            )
        body = self.draft_layers * target.layer_parameters
        return DraftCost(self.depth, body, target.head_parameters)


Speculation = NoSpeculation | NgramDraft | ModelDraft | EagleDraft | MedusaDraft | SelfDraft
DRAFT_METHODS = OneOf("method", "andesim.draft_methods", Drafting, by_name("method", Speculation))
"""The methods above and those of other packages, each a subclass of `Drafting`."""

SpeculationPart = Annotated[Speculation, DRAFT_METHODS]


def padded_width(width: int, buckets: Sequence[int]) -> int:
    """Return the tokens a verification computes: the smallest compiled width that holds them.

    Raises `WorkloadError` where none does.

    >>> padded_width(6, [1, 4, 8, 16])
    8
    """
    if buckets and width > max(buckets):
        raise WorkloadError(
            f"A decode graph must hold the {width} tokens a step verifies. The widest holds "
            f"{max(buckets)}. Remedy: fewer drafts, or a wider one in deployment.verify_buckets."
        )
    return int(bucket_for(width, buckets)) if buckets else width
