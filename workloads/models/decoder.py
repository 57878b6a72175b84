"""A decoder-only transformer in PyTorch, with the parameter names of Hugging Face checkpoints.

It runs on CPU, on CUDA, on ``meta`` (shapes only) and under ``torch.jit.trace``: the forward pass
branches on the configuration, never on a tensor. One sequence at a time, as on a phone, with a
preallocated key-value cache, so prefill, chunked prefill, decode and multi-token verification are
the same call at different spans.

Not modelled: dropout, training, batches, rotary scaling for long contexts.
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
class Visible:
    """What the layers of one kind see in a call: a mask, and rotary angles of the new tokens.

    Arguments:
        mask: (tokens, end) of bool, True where a query sees a key; None: no mask needed.
        triangle: the mask is the plain causal triangle, which kernels know by themselves.
        cos, sin: (tokens, head_dim).
    """

    mask: Tensor | None
    triangle: bool
    cos: Tensor
    sin: Tensor


@dataclass(frozen=True)
class Span:
    """The positions ``start`` to ``end`` that one call computes; made by `Decoder.span`."""

    start: int
    end: int
    full: Visible
    windowed: Visible

    @property
    def constants(self) -> tuple[Tensor, ...]:
        """What a static graph holds instead of computing: masks and rotary angles."""
        held = [(seen.mask, seen.cos, seen.sin) for seen in (self.full, self.windowed)]
        return tuple(tensor for part in held for tensor in part if tensor is not None)


class RMSNorm(nn.RMSNorm):
    """RMSNorm; ``zero_centred`` checkpoints (Gemma) store ``weight - 1``."""

    def __init__(self, size: int, eps: float, zero_centred: bool = False) -> None:
        super().__init__(size, eps=eps)
        self.zero_centred = zero_centred

    def _load_from_state_dict(self, state: dict[str, Tensor], prefix: str, *args: object) -> None:
        if self.zero_centred and f"{prefix}weight" in state:
            state[f"{prefix}weight"] = state[f"{prefix}weight"] + 1.0
        super()._load_from_state_dict(state, prefix, *args)


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
        self.window_tokens = config.window_of(layer)
        self.head_dim = config.head_dim
        q_width, kv_width = (n * config.head_dim for n in (config.q_heads, config.kv_heads))
        self.widths = [q_width, kv_width, kv_width]
        hidden, bias = config.hidden, config.qkv_bias
        if config.fused_projections:
            self.qkv_proj = nn.Linear(hidden, sum(self.widths), bias=bias)
        else:
            self.q_proj = nn.Linear(hidden, q_width, bias=bias)
            self.k_proj = nn.Linear(hidden, kv_width, bias=bias)
            self.v_proj = nn.Linear(hidden, kv_width, bias=bias)
        self.o_proj = nn.Linear(q_width, hidden, bias=False)
        if config.qk_norm:
            self.q_norm = RMSNorm(config.head_dim, config.norm_eps, config.sandwich_norm)
            self.k_norm = RMSNorm(config.head_dim, config.norm_eps, config.sandwich_norm)
        self.fused = config.fused_projections
        self.qk_norm = config.qk_norm
        self.rotary = Rotary()

    def forward(self, x: Tensor, cache: KVCache, span: Span) -> Tensor:
        """Attend from (tokens, hidden) to everything the span sees; the new K/V are cached."""
        seen = span.full if self.window_tokens is None else span.windowed
        query, key, value = self._project(x)
        if self.qk_norm:
            query, key = self.q_norm(query), self.k_norm(key)
        query = self.rotary(query.transpose(0, 1), seen.cos, seen.sin)
        key = self.rotary(key.transpose(0, 1), seen.cos, seen.sin)
        cache.write(self.layer, span.start, key, value.transpose(0, 1))
        keys, values = cache.read(self.layer, span.end)
        out = functional.scaled_dot_product_attention(
            query[None], keys, values, seen.mask, is_causal=seen.triangle, enable_gqa=True
        )
        return self.o_proj(out[0].transpose(0, 1).flatten(1))

    def _project(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return query, key and value, each (tokens, heads, head_dim)."""
        if self.fused:
            parts = torch.split(self.qkv_proj(x), self.widths, dim=-1)
        else:
            parts = (self.q_proj(x), self.k_proj(x), self.v_proj(x))
        depth = self.head_dim
        return tuple(
            part.view(-1, width // depth, depth)
            for part, width in zip(parts, self.widths, strict=True)
        )


class GatedMLP(nn.Module):
    """``down(activation(gate(x)) * up(x))``."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.fused = config.fused_projections
        self.activation = config.activation
        if self.fused:
            self.gate_up_proj = nn.Linear(config.hidden, 2 * config.intermediate, bias=False)
        else:
            self.gate_proj = nn.Linear(config.hidden, config.intermediate, bias=False)
            self.up_proj = nn.Linear(config.hidden, config.intermediate, bias=False)
        self.down_proj = nn.Linear(config.intermediate, config.hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (tokens, hidden) to (tokens, hidden)."""
        if self.fused:
            gate, up = self.gate_up_proj(x).chunk(2, dim=-1)
        else:
            gate, up = self.gate_proj(x), self.up_proj(x)
        return self.down_proj(activate(gate, self.activation) * up)


def activate(x: Tensor, activation: str) -> Tensor:
    """Apply ``silu`` or ``gelu_tanh``."""
    return functional.silu(x) if activation == "silu" else functional.gelu(x, approximate="tanh")


class DecoderLayer(nn.Module):
    """Attention and MLP, each with its norm before and, in sandwich form, after it."""

    def __init__(self, config: DecoderConfig, layer: int) -> None:
        super().__init__()

        def norm() -> RMSNorm:
            return RMSNorm(config.hidden, config.norm_eps, config.sandwich_norm)

        self.self_attn = Attention(config, layer)
        self.mlp = GatedMLP(config)
        self.input_layernorm = norm()
        self.post_attention_layernorm = norm()
        self.sandwich = config.sandwich_norm
        if self.sandwich:
            self.pre_feedforward_layernorm = norm()
            self.post_feedforward_layernorm = norm()

    def forward(self, x: Tensor, cache: KVCache, span: Span) -> Tensor:
        """Map (tokens, hidden) to (tokens, hidden)."""
        attended = self.self_attn(self.input_layernorm(x), cache, span)
        if not self.sandwich:
            x = x + attended
            return x + self.mlp(self.post_attention_layernorm(x))
        x = x + self.post_attention_layernorm(attended)
        return x + self.post_feedforward_layernorm(self.mlp(self.pre_feedforward_layernorm(x)))


class Decoder(nn.Module):
    """Embedding table, layers and final norm."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocab, config.hidden)
        self.layers = nn.ModuleList(DecoderLayer(config, i) for i in range(config.layers))
        self.norm = RMSNorm(config.hidden, config.norm_eps, config.sandwich_norm)

    def embed(self, ids: Tensor) -> Tensor:
        """Look up (tokens,) ids: (tokens, hidden)."""
        hidden: Tensor = self.embed_tokens(ids)
        return hidden * self.config.hidden**0.5 if self.config.sandwich_norm else hidden

    def forward(self, hidden: Tensor, cache: KVCache, span: Span) -> Tensor:
        """Run the layers on (tokens, hidden); the final norm is the caller's, with the LM head."""
        for layer in self.layers:
            hidden = layer(hidden, cache, span)
        return hidden

    def span(self, start: int, tokens: int) -> Span:
        """Return the span of ``tokens`` new tokens after ``start`` cached ones."""
        theta, window = self.config.rope_theta, self.config.window_tokens
        full = self._visible(start, tokens, None, theta)
        if window is None:
            return Span(start, start + tokens, full, full)
        local = self._visible(start, tokens, window, self.config.local_rope_theta or theta)
        return Span(start, start + tokens, full, local)

    def _visible(self, start: int, tokens: int, window: int | None, theta: float) -> Visible:
        weight = self.embed_tokens.weight
        end = start + tokens
        queries = torch.arange(start, end, device=weight.device)
        cos, sin = rotary_tables(queries, self.config.head_dim, theta)
        unwindowed = window is None or end <= window
        triangle = unwindowed and start == 0 and tokens > 1
        mask = None
        if not triangle and not (unwindowed and tokens == 1):
            distance = queries[:, None] - torch.arange(end, device=weight.device)
            mask = distance >= 0
            if window is not None:
                mask = mask & (distance < window)
        return Visible(mask, triangle, cos.to(weight.dtype), sin.to(weight.dtype))
