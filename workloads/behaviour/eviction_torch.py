"""KV-cache eviction on a real decoder: tensors that shrink, chosen by real attention weights.

A rule ranks the tokens of one layer when prefill ends and may drop one after every later token.
Keys keep the rotary angle of their position in the text.

Prefill sees the whole prompt under every rule, so peak memory of prefill is not studied here. The
tokens after it are given (teacher forcing): layer by layer they run as one block, and inside each
layer's attention one by one.

Not modelled: speed. Indexing and concatenation in PyTorch say nothing about a phone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from workloads.errors import WorkloadError
from workloads.models.andesvl import LanguageModel
from workloads.models.decoder import Attention, Span

NEVER = 255
"""Not dropped; steps are counted in a byte."""


@dataclass(frozen=True)
class Prefilled:
    """One layer when prefill ends.

    Arguments:
        keys, values: (kv_heads, prompt, head_dim).
        weights: (kv_heads, prompt, prompt), attention from query to key, summed over the query
            heads that share a KV head.
    """

    keys: Tensor
    values: Tensor
    weights: Tensor


@dataclass
class Store:
    """The tokens one layer holds, in order of position; tensors are (kv_heads, stored, ...).

    Arguments:
        positions: in the text.
        scores: attention received so far, summed over queries and query heads.
        dropped_at: (kv_heads, text), the step after which a token was dropped: 0 for the end of
            prefill, `NEVER` for tokens still held.
        step: tokens added since prefill.
    """

    keys: Tensor
    values: Tensor
    positions: Tensor
    scores: Tensor
    dropped_at: Tensor
    step: int = 0

    @classmethod
    def of(cls, seen: Prefilled, steps: int) -> Store:
        """Return a store of all tokens of a layer, to which ``steps`` will be added."""
        heads, prompt, _ = seen.keys.shape
        positions = torch.arange(prompt).expand(heads, -1)
        dropped_at = torch.full((heads, prompt + steps), NEVER, dtype=torch.uint8)
        return cls(seen.keys, seen.values, positions, seen.weights.sum(dim=1), dropped_at)

    @property
    def tokens(self) -> int:
        """Tokens held per head."""
        return self.keys.shape[1]

    def append(self, position: int, key: Tensor, value: Tensor) -> None:
        """Add a token, (kv_heads, 1, head_dim) each, which no query has seen yet."""
        heads = key.shape[0]
        self.step += 1
        self.keys = torch.cat((self.keys, key), dim=1)
        self.values = torch.cat((self.values, value), dim=1)
        self.positions = torch.cat((self.positions, torch.full((heads, 1), position)), dim=1)
        self.scores = torch.cat((self.scores, torch.zeros(heads, 1)), dim=1)

    def keep(self, held: Tensor) -> None:
        """Hold only the tokens where (kv_heads, stored) is True, equally many in every head."""
        heads = held.shape[0]
        self.dropped_at.scatter_(1, self.positions[~held].view(heads, -1), self.step)
        self.keys = torch.unflatten(self.keys[held], 0, (heads, -1))
        self.values = torch.unflatten(self.values[held], 0, (heads, -1))
        self.positions = self.positions[held].view(heads, -1)
        self.scores = self.scores[held].view(heads, -1)


class Rule:
    """Which tokens a layer keeps and reads; this one keeps and reads all."""

    def at_prefill_end(self, layer: int, seen: Prefilled) -> Tensor | None:
        """Return a mask (kv_heads, prompt) of the tokens kept; None: all."""
        return None

    def to_read(self, store: Store, query: Tensor) -> Tensor | None:
        """Return a mask (kv_heads, stored) of the tokens a (heads, 1, head_dim) query reads."""
        return None

    def read_to_choose(self, stored: int) -> int:
        """Return the size of what is read to choose them, in tokens."""
        return 0

    def after_step(self, store: Store, weights: Tensor) -> Tensor | None:
        """Return a mask of the tokens kept; ``weights`` (kv_heads, stored) are the step's."""
        return None


def attention_weights(query: Tensor, keys: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return softmax(q k / sqrt(head_dim)), (kv_heads, group, queries, keys).

    Arguments:
        query: (heads, queries, head_dim); a KV head's group of heads stand together.
        keys: (kv_heads, keys, head_dim).
        mask: True where a query sees a key, of a shape that broadcasts to the result's.
    """
    grouped = torch.unflatten(query, 0, (keys.shape[0], -1))
    scores = grouped @ keys[:, None].transpose(-1, -2) * query.shape[-1] ** -0.5
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return torch.softmax(scores, dim=-1)


class PrefillCache:
    """Full causal attention over a prompt; remembers every layer."""

    def __init__(self) -> None:
        self.layers: list[Prefilled] = []

    def attend(self, layer: int, query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Return what the (heads, tokens, head_dim) queries see, in the same shape."""
        tokens = keys.shape[1]
        weights = attention_weights(query, keys, torch.ones(tokens, tokens).tril().bool())
        self.layers.append(Prefilled(keys, values, weights.sum(dim=1)))
        return (weights @ values[:, None]).flatten(0, 1)


@dataclass(frozen=True)
class Evicted:
    """What a rule did to a text.

    Arguments:
        retained: (layers, steps + 1), tokens held per head after prefill and after each step.
        loaded: (layers, steps), tokens read per head in each step (mean over KV heads), with what
            is read to choose them.
        dropped_at: (layers, kv_heads, text), see `Store`.
        loss: of the tokens after the prompt [nats per token].
    """

    retained: Tensor
    loaded: Tensor
    dropped_at: Tensor
    loss: float


class EvictingCache:
    """The layers' stores after prefill, under one rule; counts as in `Evicted`."""

    def __init__(self, prefilled: Sequence[Prefilled], rule: Rule, steps: int) -> None:
        self.rule = rule
        self.stores = [Store.of(seen, steps) for seen in prefilled]
        self.retained = torch.zeros(len(prefilled), steps + 1, dtype=torch.int64)
        self.loaded = torch.zeros(len(prefilled), steps)
        for layer, (store, seen) in enumerate(zip(self.stores, prefilled, strict=True)):
            held = rule.at_prefill_end(layer, seen)
            if held is not None:
                store.keep(held)
            self.retained[layer, 0] = store.tokens

    def attend(self, layer: int, query: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Return what (heads, tokens, head_dim) queries see, one by one, each after the last."""
        tokens = zip(*(torch.split(part, 1, 1) for part in (query, keys, values)), strict=True)
        return torch.cat([self._step(layer, *token) for token in tokens], dim=1)

    def _step(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        store, rule = self.stores[layer], self.rule
        text, steps = store.dropped_at.shape[1], self.loaded.shape[1]
        store.append(text - steps + store.step, key, value)
        read = rule.to_read(store, query)
        mask = None if read is None else read[:, None, None]
        weights = attention_weights(query, store.keys, mask)
        out = (weights @ store.values[:, None]).flatten(0, 1)
        received = weights.sum(dim=(1, 2))
        store.scores += received
        tokens = store.tokens if read is None else read.sum().item() / read.shape[0]
        self.loaded[layer, store.step - 1] = tokens + rule.read_to_choose(store.tokens)
        held = rule.after_step(store, received)
        if held is not None:
            store.keep(held)
        self.retained[layer, store.step] = store.tokens
        return out


class ScoredAttention(Attention):
    """Attention that leaves the weights to its cache, where a fused kernel would hide them."""

    def forward(  # type: ignore[override]
        self, x: Tensor, cache: PrefillCache | EvictingCache, span: Span
    ) -> Tensor:
        """Attend from (tokens, hidden) to what the cache holds."""
        query, key, value = (part.transpose(0, 1) for part in self._project(x))
        query, key = (self.rotary(part, span.cos, span.sin) for part in (query, key))
        out = cache.attend(self.layer, query, key, value)
        projected: Tensor = self.o_proj(out.transpose(0, 1).flatten(1))
        return projected


def with_scored_attention(model: LanguageModel) -> LanguageModel:
    """Return a model with the same weights whose attention is `ScoredAttention`.

    Raises `WorkloadError` for a model with QK norms.
    """
    config = model.config.decoder
    if config.qk_norm:
        raise WorkloadError(f"{model.config.id} must have no QK norms to study eviction.")
    with torch.device("meta"):
        scored = LanguageModel(model.config)
        for place, layer in enumerate(scored.model.layers):
            layer.self_attn = ScoredAttention(config, place)
    scored.load_state_dict(model.state_dict(), assign=True)
    return scored.eval().requires_grad_(False)


@torch.inference_mode()
def prefill(model: LanguageModel, ids: Tensor) -> list[Prefilled]:
    """Return the layers of a model with scored attention after a prompt."""
    cache = PrefillCache()
    model.hidden(ids, cache, model.model.span(0, len(ids)))  # type: ignore[arg-type]
    return cache.layers


@torch.inference_mode()
def run(model: LanguageModel, prefilled: Sequence[Prefilled], rule: Rule, ids: Tensor) -> Evicted:
    """Return what a rule does when a text goes on after a prompt.

    Arguments:
        model: with scored attention.
        prefilled: its layers after the prompt.
        ids: the tokens that follow; all but the last are steps, all but the first are predicted.

    Raises `WorkloadError` for more steps than a byte counts.
    """
    prompt, steps = prefilled[0].keys.shape[1], len(ids) - 1
    if steps >= NEVER:
        raise WorkloadError(f"steps after the prompt must be below {NEVER}. Got {steps}.")
    cache = EvictingCache(prefilled, rule, steps)
    span = model.model.span(prompt, steps)
    hidden = model.hidden(ids[:-1], cache, span)  # type: ignore[arg-type]
    loss = functional.cross_entropy(model.logits(hidden), ids[1:]).item()
    dropped_at = torch.stack([store.dropped_at for store in cache.stores])
    return Evicted(cache.retained, cache.loaded, dropped_at, loss)
