"""EfficientNet B0 to B7 and EfficientNet V2 S."""

from __future__ import annotations

import math
from functools import partial

from torch import Tensor, nn

from workloads.models.networks.blocks import Inverted, Row, Squeeze, conv_norm, eight, head, stages

_STAGES: tuple[Row, ...] = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
"""Of B0."""


def _mobile(inputs: int, outputs: int, factor: int, kernel: int, stride: int) -> nn.Module:
    expanded = eight(inputs * factor)
    gate = Squeeze(expanded, max(1, inputs // 4), act=nn.SiLU)
    return Inverted(inputs, outputs, expanded, kernel, stride, nn.SiLU, gate)


def _efficient(width: float, depth: float) -> nn.Module:
    """Return EfficientNet of a width and a depth (arXiv 1905.11946)."""
    first = eight(32 * width)
    rows = [
        (factor, kernel, stride, eight(channels * width), math.ceil(count * depth))
        for factor, kernel, stride, channels, count in _STAGES
    ]
    blocks = stages(first, rows, _mobile)
    now = rows[-1][3]
    start, end = conv_norm(3, first, 3, 2, act=nn.SiLU), conv_norm(now, 4 * now, 1, act=nn.SiLU)
    return nn.Sequential(start, *blocks, end, *head(4 * now))


efficientnet_b0 = partial(_efficient, 1.0, 1.0)
efficientnet_b1 = partial(_efficient, 1.0, 1.1)
efficientnet_b2 = partial(_efficient, 1.1, 1.2)
efficientnet_b3 = partial(_efficient, 1.2, 1.4)
efficientnet_b4 = partial(_efficient, 1.4, 1.8)
efficientnet_b7 = partial(_efficient, 2.0, 3.1)


class Fused(nn.Module):
    """Inverted residual whose expansion and depthwise product are one convolution."""

    def __init__(self, inputs: int, outputs: int, factor: int, kernel: int, stride: int) -> None:
        super().__init__()
        if factor == 1:
            self.layers = nn.Sequential(conv_norm(inputs, outputs, kernel, stride, act=nn.SiLU))
        else:
            wide = conv_norm(inputs, factor * inputs, kernel, stride, act=nn.SiLU)
            self.layers = nn.Sequential(wide, conv_norm(factor * inputs, outputs, 1, act=None))
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Return the block of x."""
        made: Tensor = self.layers(x)
        return x + made if self.adds else made


def efficientnet_v2_s() -> nn.Module:
    """EfficientNet V2 small (arXiv 2104.00298)."""
    fused = stages(24, [(1, 3, 1, 24, 2), (4, 3, 2, 48, 4), (4, 3, 2, 64, 4)], Fused)
    gated = stages(64, [(4, 3, 2, 128, 6), (6, 3, 1, 160, 9), (6, 3, 2, 256, 15)], _mobile)
    start, end = conv_norm(3, 24, 3, 2, act=nn.SiLU), conv_norm(256, 1280, 1, act=nn.SiLU)
    return nn.Sequential(start, *fused, *gated, end, *head(1280))
