"""Vision encoders of AndesVL in PyTorch: AIMv2-Large and SigLIP2-Base at native resolution.

Patches arrive cell by cell (the ``merge x merge`` neighbours of a cell are adjacent), so merging
neighbours is a view. Attention is full and positions enter as data, so the order changes nothing.

Parameter names are this project's own. Not modelled: resizing and normalising the image.
"""

# mypy: disable-error-code="no-any-return"
# (calling a torch.nn.Module is typed as returning Any)

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from workloads.models.config import VisionConfig
from workloads.models.decoder import Rotary, rotary_tables

ROPE_THETA = 10_000.0


@dataclass(frozen=True)
class Grid:
    """What depends on the image's shape alone: a graph for one resolution holds it as constants.

    Arguments:
        position: (patches, hidden), the position table resized to the image.
        cos, sin: (patches, head_dim), rotary angles.
    """

    position: Tensor
    cos: Tensor
    sin: Tensor

    @property
    def constants(self) -> tuple[Tensor, ...]:
        """All of it, for tools that must tell it from activations."""
        return self.position, self.cos, self.sin


class PatchEmbed(nn.Conv2d):
    """A convolution whose stride is its kernel: on cut-out patches, one matrix product.

    Its result is contiguous; a convolution's own layout would slow every later linear layer.
    """

    def __init__(self, config: VisionConfig) -> None:
        super().__init__(3, config.hidden, config.patch_px, stride=config.patch_px)

    def forward(self, input: Tensor) -> Tensor:
        """Map (patches, 3, patch_px, patch_px) to (patches, hidden)."""
        return functional.linear(input.flatten(1), self.weight.flatten(1), self.bias)


class VisionAttention(nn.Module):
    """Full attention among all patches."""

    causal = False
    window_tokens = None

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        bias = config.family == "siglip2"
        self.head_dim = config.hidden // config.heads
        self.q_proj = nn.Linear(config.hidden, config.hidden, bias=bias)
        self.k_proj = nn.Linear(config.hidden, config.hidden, bias=bias)
        self.v_proj = nn.Linear(config.hidden, config.hidden, bias=bias)
        self.out_proj = nn.Linear(config.hidden, config.hidden, bias=bias)
        self.rotary = Rotary()

    def forward(self, x: Tensor, grid: Grid) -> Tensor:
        """Map (patches, hidden) to (patches, hidden)."""
        query, key, value = (
            project(x).unflatten(-1, (-1, self.head_dim)).transpose(0, 1)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        query = self.rotary(query, grid.cos, grid.sin)
        key = self.rotary(key, grid.cos, grid.sin)
        out = functional.scaled_dot_product_attention(query[None], key[None], value[None])
        return self.out_proj(out[0].transpose(0, 1).flatten(1))


class VisionMLP(nn.Module):
    """SwiGLU without biases (aimv2), or GELU with biases (siglip2)."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.gated = config.family == "aimv2"
        self.fc1 = nn.Linear(config.hidden, config.intermediate, bias=not self.gated)
        self.fc2 = nn.Linear(config.intermediate, config.hidden, bias=not self.gated)
        if self.gated:
            self.fc3 = nn.Linear(config.hidden, config.intermediate, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (patches, hidden) to (patches, hidden)."""
        if self.gated:
            return self.fc2(functional.silu(self.fc1(x)) * self.fc3(x))
        return self.fc2(functional.gelu(self.fc1(x), approximate="tanh"))


class VisionLayer(nn.Module):
    """Attention and MLP, each after a norm."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.norm1 = _norm(config)
        self.attention = VisionAttention(config)
        self.norm2 = _norm(config)
        self.mlp = VisionMLP(config)

    def forward(self, x: Tensor, grid: Grid) -> Tensor:
        """Map (patches, hidden) to (patches, hidden)."""
        x = x + self.attention(self.norm1(x), grid)
        return x + self.mlp(self.norm2(x))


class VisionEncoder(nn.Module):
    """Patch embedding, layers and the norm after them."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.config = config
        self.patch_embed = PatchEmbed(config)
        self.patch_norm = _norm(config) if config.family == "aimv2" else nn.Identity()
        self.position = nn.Parameter(0.02 * torch.randn(config.positions, config.hidden))
        self.layers = nn.ModuleList(VisionLayer(config) for _ in range(config.layers))
        self.post_norm = _norm(config)

    def forward(self, patches: Tensor, grid: Grid) -> Tensor:
        """Encode (patches, 3, patch_px, patch_px), cell by cell: (patches, hidden)."""
        x = self.patch_norm(self.patch_embed(patches)) + grid.position
        for layer in self.layers:
            x = layer(x, grid)
        return self.post_norm(x)

    def grid(self, rows: int, columns: int) -> Grid:
        """Return the constants for an image of ``rows x columns`` patches, both whole cells."""
        side = round(self.config.positions**0.5)
        table = self.position.detach().float().T.view(1, -1, side, side)
        resized = functional.interpolate(
            table, (rows, columns), mode="bicubic", align_corners=False
        )
        position = by_cell(resized[0].permute(1, 2, 0), self.config.merge)
        device, dtype = self.position.device, self.position.dtype
        place = torch.cartesian_prod(
            torch.arange(rows, device=device), torch.arange(columns, device=device)
        )
        place = by_cell(place.view(rows, columns, 2), self.config.merge)
        depth = self.config.hidden // self.config.heads // 2
        vertical, horizontal = (rotary_tables(place[:, i], depth, ROPE_THETA) for i in (0, 1))
        cos, sin = (_both_axes(a, b) for a, b in zip(vertical, horizontal, strict=True))
        return Grid(position.to(dtype), cos.to(dtype), sin.to(dtype))


class Projector(nn.Module):
    """Merge each cell's patches and map them to the decoder's width: Linear, GELU, Linear."""

    def __init__(self, config: VisionConfig, hidden: int) -> None:
        super().__init__()
        self.width = config.merge**2 * config.hidden
        self.fc1 = nn.Linear(self.width, self.width)
        self.fc2 = nn.Linear(self.width, hidden)

    def forward(self, x: Tensor) -> Tensor:
        """Map (patches, vision hidden) to (patches / merge**2, hidden)."""
        return self.fc2(functional.gelu(self.fc1(x.view(-1, self.width))))


def by_cell(x: Tensor, merge: int) -> Tensor:
    """Reorder (rows, columns, width) to (rows * columns, width), cell by cell."""
    rows, columns, width = x.shape
    cells = x.reshape(rows // merge, merge, columns // merge, merge, width)
    return cells.transpose(1, 2).reshape(rows * columns, width)


def _both_axes(vertical: Tensor, horizontal: Tensor) -> Tensor:
    """Half of a head's angles from each axis; both halves of the head alike."""
    half = vertical.shape[-1] // 2
    angles = torch.cat((vertical[:, :half], horizontal[:, :half]), dim=-1)
    return torch.cat((angles, angles), dim=-1)


def _norm(config: VisionConfig) -> nn.Module:
    if config.family == "aimv2":
        return nn.RMSNorm(config.hidden, eps=config.norm_eps)
    return nn.LayerNorm(config.hidden, eps=config.norm_eps)
