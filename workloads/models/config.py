"""What a model is made of: sizes of its decoder and its vision encoder, and their digest."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from workloads.trace import DecoderShape, VisionShape


@dataclass(frozen=True)
class DecoderConfig:
    """AndesVL's decoder: that of Qwen3, or of Llama.

    Arguments:
        layers, hidden, intermediate, q_heads, kv_heads, head_dim, vocab: the usual dimensions.
        tied_embedding: the LM head is the embedding table.
        rope_theta: base of the rotary angles.
        norm_eps: added to the mean square in RMSNorm.
        qk_norm: RMSNorm on each query and key head.
    """

    layers: int
    hidden: int
    intermediate: int
    q_heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    tied_embedding: bool
    rope_theta: float
    norm_eps: float
    qk_norm: bool = False

    @property
    def shape(self) -> DecoderShape:
        """The dimensions a trace carries."""
        return DecoderShape(
            layers=self.layers,
            hidden=self.hidden,
            intermediate=self.intermediate,
            q_heads=self.q_heads,
            kv_heads=self.kv_heads,
            head_dim=self.head_dim,
            vocab=self.vocab,
            tied_embedding=self.tied_embedding,
        )


_FIXED = {
    "activation": "silu",
    "qkv_bias": False,
    "fused_projections": False,
    "sandwich_norm": False,
    "window_tokens": None,
    "window_period": 0,
    "local_rope_theta": None,
}
"""What this decoder does not vary. It is in the digest, which shipped traces and runs carry."""


@dataclass(frozen=True)
class VisionConfig:
    """A native-resolution vision transformer with 2D rotary positions and full attention.

    Arguments:
        family: ``aimv2`` (RMSNorm, SwiGLU, no biases) or ``siglip2`` (LayerNorm, GELU, biases).
        layers, hidden, intermediate, heads: the usual dimensions.
        patch_px: side of a patch.
        positions: entries of the learned position table, a square grid.
        norm_eps: of the norms.
        merge: a cell of ``merge x merge`` patches becomes one visual token.
    """

    family: str
    layers: int
    hidden: int
    intermediate: int
    heads: int
    patch_px: int
    positions: int
    norm_eps: float
    merge: int = 2

    @property
    def shape(self) -> VisionShape:
        """The dimensions a trace carries."""
        return VisionShape(self.layers, self.hidden, self.patch_px, self.merge)


@dataclass(frozen=True)
class ModelConfig:
    """A model: its decoder, perhaps a vision encoder, and where the numbers come from.

    Arguments:
        id: catalogue id, or the name of the file.
        decoder, vision: configurations; ``vision`` is None for a text model.
        parameters: the published total, which the module must reproduce; None when not known.
        sources: where each number was read.
        positions: tokens of the longest sequence it was made for; None when not known.
    """

    id: str
    decoder: DecoderConfig
    vision: VisionConfig | None = None
    parameters: int | None = None
    sources: tuple[str, ...] = ()
    positions: int | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of everything that shapes the operators."""
        vision = asdict(self.vision) if self.vision else None
        content = {"decoder": _FIXED | asdict(self.decoder), "vision": vision}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
