"""The whole model: a decoder with its LM head and, for AndesVL, a vision encoder and a projector.

A text model is the same class without the vision part. The three phases of a run are modules of
their own (`VisionPhase`, `TextPhase`), for tools that count or time a module's forward call.

Not modelled: tokenising and sampling other than greedy.
"""

# mypy: disable-error-code="no-any-return"
# (calling a torch.nn.Module is typed as returning Any)

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from workloads.errors import WorkloadError
from workloads.models.config import ModelConfig
from workloads.models.decoder import Decoder, KVCache, Span
from workloads.models.vision import Grid, Projector, VisionEncoder


class LanguageModel(nn.Module):
    """Decoder, LM head, and the vision part of a multimodal model."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        decoder = config.decoder
        self.model = Decoder(decoder)
        self.lm_head = nn.Linear(decoder.hidden, decoder.vocab, bias=False)
        if decoder.tied_embedding:
            self.lm_head.weight = self.model.embed_tokens.weight
        if config.vision is not None:
            self.vision = VisionEncoder(config.vision)
            self.projector = Projector(config.vision, decoder.hidden)

    def encode(self, patches: Tensor, grid: Grid) -> Tensor:
        """Turn (patches, 3, patch_px, patch_px) into (visual tokens, hidden)."""
        return self.projector(self.vision(patches, grid))

    def hidden(self, ids: Tensor, cache: KVCache, span: Span) -> Tensor:
        """Embed (tokens,) ids and run the layers: (tokens, hidden)."""
        return self.model(self.model.embed(ids), cache, span)

    def logits(self, hidden: Tensor) -> Tensor:
        """Apply the final norm and the LM head to (tokens, hidden): (tokens, vocab)."""
        return self.lm_head(self.model.norm(hidden))

    def cache(self, capacity: int) -> KVCache:
        """Return an empty cache on the model's device, of its dtype."""
        weight = self.model.embed_tokens.weight
        return KVCache.empty(self.config.decoder, capacity, weight.device, weight.dtype)

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Load a checkpoint's tensors; a tied LM head may be missing.

        Raises `WorkloadError` where anything else is, or a tensor is not the model's.
        """
        missing, unexpected = self.load_state_dict(dict(tensors), strict=False)
        tied = {"lm_head.weight"} if self.config.decoder.tied_embedding else set()
        faults = [f"missing {name}" for name in missing if name not in tied]
        faults += [f"unexpected {name}" for name in unexpected]
        if faults:
            raise WorkloadError(f"{self.config.id}: tensors must fit. Got {', '.join(faults[:5])}.")


class VisionPhase(nn.Module):
    """Vision encode of one image."""

    def __init__(self, model: LanguageModel, grid: Grid) -> None:
        super().__init__()
        self.owner = model
        self.grid = grid

    def forward(self, patches: Tensor) -> Tensor:
        """Turn (patches, 3, patch_px, patch_px) into (visual tokens, hidden)."""
        return self.owner.encode(patches, self.grid)


class TextPhase(nn.Module):
    """Prefill of a chunk, or one decode step; ``last_only``: logits of the last token alone."""

    def __init__(self, model: LanguageModel, cache: KVCache, span: Span, last_only: bool) -> None:
        super().__init__()
        self.owner = model
        self.kv = cache
        self.span = span
        self.last_only = last_only

    def forward(self, ids: Tensor) -> Tensor:
        """Turn (tokens,) ids into (1 or tokens, vocab) logits."""
        hidden = self.owner.hidden(ids, self.kv, self.span)
        # Two dimensions: a size-1 middle dimension makes PyTorch's bf16 CPU linear 16x slower.
        return self.owner.logits(hidden[-1:] if self.last_only else hidden)


def build(
    config: ModelConfig, device: str = "meta", dtype: torch.dtype = torch.bfloat16, seed: int = 0
) -> LanguageModel:
    """Return the model with random weights; on ``meta`` it has shapes and no memory."""
    torch.manual_seed(seed)
    with torch.device(device):
        return LanguageModel(config).to(dtype).eval().requires_grad_(False)


@torch.inference_mode()
def generate(model: LanguageModel, ids: Sequence[int], new_tokens: int) -> list[int]:
    """Return ``new_tokens`` greedy continuations of the prompt ``ids``."""
    cache = model.cache(len(ids) + new_tokens)
    device = model.model.embed_tokens.weight.device
    done, tokens = 0, list(ids)
    for _ in range(new_tokens):
        new = torch.tensor(tokens[done:], device=device)
        phase = TextPhase(model, cache, model.model.span(done, len(new)), last_only=True)
        done = len(tokens)
        tokens.append(int(phase(new).argmax()))
    return tokens[len(ids) :]
