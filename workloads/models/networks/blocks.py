"""Blocks that several convolutional networks share."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

Act = Callable[[], nn.Module]


def eight(value: float, divisor: int = 8) -> int:
    """Return a channel count as a multiple of 8, at most a tenth below what was asked.

    Source: github.com/tensorflow/models, ``_make_divisible``.
    """
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def conv_norm(
    inputs: int,
    outputs: int,
    kernel: int | tuple[int, int] = 3,
    stride: int = 1,
    groups: int = 1,
    act: Act | None = nn.ReLU,
    padding: int | tuple[int, int] | None = None,
    bias: bool = False,
) -> nn.Sequential:
    """Return a convolution, its batch normalisation and an activation; size is kept at stride 1."""
    if padding is None:
        sides = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        padding = (sides[0] // 2, sides[1] // 2)
    parts: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=bias),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*parts, *([act()] if act else []))


class Squeeze(nn.Module):
    """Squeeze and excitation: channels scaled by a gate of their means (arXiv 1709.01507)."""

    def __init__(
        self, channels: int, squeezed: int, act: Act = nn.ReLU, gate: Act = nn.Sigmoid
    ) -> None:
        super().__init__()
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.down = nn.Conv2d(channels, squeezed, 1)
        self.up = nn.Conv2d(squeezed, channels, 1)
        self.act, self.gate = act(), gate()

    def forward(self, x: Tensor) -> Tensor:
        """Return x, gated."""
        gated: Tensor = x * self.gate(self.up(self.act(self.down(self.mean(x)))))
        return gated


class Inverted(nn.Module):
    """Inverted residual: expand, depthwise, squeeze if any, project (arXiv 1801.04381)."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        expanded: int,
        kernel: int = 3,
        stride: int = 1,
        act: Act = nn.ReLU6,
        squeeze: nn.Module | None = None,
    ) -> None:
        super().__init__()
        parts = [] if expanded == inputs else [conv_norm(inputs, expanded, 1, act=act)]
        parts.append(conv_norm(expanded, expanded, kernel, stride, expanded, act))
        self.layers = nn.Sequential(
            *parts, *([squeeze] if squeeze else []), conv_norm(expanded, outputs, 1, act=None)
        )
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Return the block of x."""
        made: Tensor = self.layers(x)
        return x + made if self.adds else made


Row = tuple[int, int, int, int, int]
"""A stage: expansion, kernel, stride of its first block, output channels and blocks."""


def stages(
    inputs: int, rows: Iterable[Row], block: Callable[[int, int, int, int, int], nn.Module]
) -> list[nn.Module]:
    """Return the blocks of stages, one behind the other.

    ``block(inputs, outputs, expansion, kernel, stride)`` makes one.
    """
    parts, now = [], inputs
    for factor, kernel, first, outputs, count in rows:
        for place in range(count):
            parts.append(block(now, outputs, factor, kernel, first if place == 0 else 1))
            now = outputs
    return parts


class Branches(nn.Module):
    """Branches side by side, their channels one behind the other."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        """Return the branches of x."""
        return torch.cat([branch(x) for branch in self.branches], 1)


def head(channels: int, classes: int = 1000) -> list[nn.Module]:
    """Return the mean over places and a classifier."""
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)]
