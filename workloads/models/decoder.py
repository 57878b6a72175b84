"""AndesVL's decoder in PyTorch, with the parameter names of Hugging Face checkpoints.

It is that of Qwen3, or of Llama without its norms on queries and keys; any other model is the
class of its configuration.

It runs on CPU, on CUDA, on ``meta`` (shapes only) and under ``torch.jit.trace``: the forward pass
branches on the configuration, never on a tensor. One sequence at a time, as on a phone, with a
preallocated key-value cache, so prefill, chunked prefill, decode and multi-token verification are
the same call at different spans.

Not modelled: dropout, training, batches, windows, rotary scaling for long contexts.
"""

# mypy: disable-error-code="no-any-return"
# (calling a torch.nn.Module is typed as returning Any)

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from workloads.models.config import DecoderConfig


@dataclass(frozen=True)
class KVCache:
    """Keys and values of every layer, preallocated: (layers, kv_heads, capacity, head_dim)."""

    keys: Tensor
    values: Tensor

    @classmethod
    def empty(
        cls, config: DecoderConfig, capacity: int, device: torch.device, dtype: torch.dtype
    ) -> KVCache:
        """Return a cache for ``capacity`` tokens."""
        shape = (config.layers, config.kv_heads, capacity, config.head_dim)
        keys, values = (torch.zeros(shape, device=device, dtype=dtype) for _ in range(2))
        return cls(keys, values)

    def write(self, layer: int, start: int, keys: Tensor, values: Tensor) -> None:
        """Store (kv_heads, tokens, head_dim) from position ``start`` on."""
        self.keys[layer].narrow(1, start, keys.shape[1]).copy_(keys)
        self.values[layer].narrow(1, start, values.shape[1]).copy_(values)

    def read(self, layer: int, end: int) -> tuple[Tensor, Tensor]:
        """Return views of the first ``end`` positions, (1, kv_heads, end, head_dim)."""
        return self.keys[layer, None, :, :end], self.values[layer, None, :, :end]


@dataclass(frozen=True)
class Span:
    """The positions ``start`` to ``end`` that one call computes; made by `Decoder.span`.

    Arguments:
        mask: (tokens, end) of bool, True where a query sees a key; None: no mask needed.
        triangle: the mask is the plain causal triangle, which kernels know by themselves.
        cos, sin: rotary angles of the new tokens, (tokens, head_dim).
    """

    start: int
    end: int
    mask: Tensor | None
    triangle: bool
    cos: Tensor
    sin: Tensor

    @property
    def constants(self) -> tuple[Tensor, ...]:
        """What a static graph holds instead of computing: mask and rotary angles."""
        held = (self.mask, self.cos, self.sin)
        return tuple(tensor for tensor in held if tensor is not None)


class Rotary(nn.Module):
    """Rotate each head by its position: ``x * cos + (-x2, x1) * sin``, x1, x2 the halves of x."""

    fused_operator = "rope"

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Rotate (..., tokens, head_dim) by (tokens, head_dim) angles."""
        first, second = x.chunk(2, dim=-1)
        return x * cos + torch.cat((-second, first), dim=-1) * sin


def rotary_tables(positions: Tensor, depth: int, theta: float) -> tuple[Tensor, Tensor]:
    """Return float32 cosines and sines, (tokens, depth), of one axis of positions.

    Angle j of position p is ``p * theta**(-2j/depth)``, j < depth/2, the halves alike.
    """
    exponents = torch.arange(0, depth, 2, dtype=torch.float32, device=positions.device) / depth
    angles = positions.to(torch.float32)[:, None] * theta**-exponents
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos(), angles.sin()


class Attention(nn.Module):
    """Grouped-query attention over the cache."""

    causal = True

    def __init__(self, config: DecoderConfig, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.head_dim = config.head_dim
        q_width, kv_width = (n * config.head_dim for n in (config.q_heads, config.kv_heads))
        self.q_proj = nn.Linear(config.hidden, q_width, bias=False)
        self.k_proj = nn.Linear(config.hidden, kv_width, bias=False)
        self.v_proj = nn.Linear(config.hidden, kv_width, bias=False)
        self.o_proj = nn.Linear(q_width, config.hidden, bias=False)
        if config.qk_norm:
            self.q_norm = nn.RMSNorm(config.head_dim, eps=config.norm_eps)
            self.k_norm = nn.RMSNorm(config.head_dim, eps=config.norm_eps)
        self.qk_norm = config.qk_norm
        self.rotary = Rotary()

    def forward(self, x: Tensor, cache: KVCache, span: Span) -> Tensor:
        """Attend from (tokens, hidden) to everything the span sees; the new K/V are cached."""
        query, key, value = self._project(x)
        if self.qk_norm:
            query, key = self.q_norm(query), self.k_norm(key)
        query = self.rotary(query.transpose(0, 1), span.cos, span.sin)
        key = self.rotary(key.transpose(0, 1), span.cos, span.sin)
        cache.write(self.layer, span.start, key, value.transpose(0, 1))
        keys, values = cache.read(self.layer, span.end)
        out = functional.scaled_dot_product_attention(
            query[None], keys, values, span.mask, is_causal=span.triangle, enable_gqa=True
        )
        return self.o_proj(out[0].transpose(0, 1).flatten(1))

    def _project(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return query, key and value, each (tokens, heads, head_dim)."""
        parts = (self.q_proj(x), self.k_proj(x), self.v_proj(x))
        return tuple(part.unflatten(-1, (-1, self.head_dim)) for part in parts)


class GatedMLP(nn.Module):
    """``down(silu(gate(x)) * up(x))``."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden, config.intermediate, bias=False)
        self.up_proj = nn.Linear(config.hidden, config.intermediate, bias=False)
        self.down_proj = nn.Linear(config.intermediate, config.hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (tokens, hidden) to (tokens, hidden)."""
        gate, up = self.gate_proj(x), self.up_proj(x)
        return self.down_proj(functional.silu(gate) * up)


class DecoderLayer(nn.Module):
    """Attention and MLP, each with its norm before it."""

    def __init__(self, config: DecoderConfig, layer: int) -> None:
        super().__init__()
        self.self_attn = Attention(config, layer)
        self.mlp = GatedMLP(config)
        self.input_layernorm = nn.RMSNorm(config.hidden, eps=config.norm_eps)
        self.post_attention_layernorm = nn.RMSNorm(config.hidden, eps=config.norm_eps)

    def forward(self, x: Tensor, cache: KVCache, span: Span) -> Tensor:
        """Map (tokens, hidden) to (tokens, hidden)."""
        x = x + self.self_attn(self.input_layernorm(x), cache, span)
        return x + self.mlp(self.post_attention_layernorm(x))


class Decoder(nn.Module):
    """Embedding table, layers and final norm."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocab, config.hidden)
        self.layers = nn.ModuleList(DecoderLayer(config, i) for i in range(config.layers))
        self.norm = nn.RMSNorm(config.hidden, eps=config.norm_eps)

    def embed(self, ids: Tensor) -> Tensor:
        """Look up (tokens,) ids: (tokens, hidden)."""
        return self.embed_tokens(ids)

    def forward(self, hidden: Tensor, cache: KVCache, span: Span) -> Tensor:
        """Run the layers on (tokens, hidden); the final norm is the caller's, with the LM head."""
        for layer in self.layers:
            hidden = layer(hidden, cache, span)
        return hidden

    def span(self, start: int, tokens: int) -> Span:
        """Return the span of ``tokens`` new tokens after ``start`` cached ones."""
        weight, end = self.embed_tokens.weight, start + tokens
        queries = torch.arange(start, end, device=weight.device)
        cos, sin = rotary_tables(queries, self.config.head_dim, self.config.rope_theta)
        triangle = start == 0 and tokens > 1
        mask = None
        if tokens > 1 and not triangle:
            mask = queries[:, None] >= torch.arange(end, device=weight.device)
        return Span(start, end, mask, triangle, cos.to(weight.dtype), sin.to(weight.dtype))
