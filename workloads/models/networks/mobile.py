"""MobileNet V1 to V3, MNASNet, ShuffleNet V2, SqueezeNet and YAMNet."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from workloads.models.networks.blocks import (
    Branches,
    Inverted,
    Squeeze,
    conv_norm,
    eight,
    head,
    stages,
)


def _separable(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    return [conv_norm(inputs, inputs, 3, stride, inputs), conv_norm(inputs, outputs, 1)]


def _v1(channels: int, classes: int) -> nn.Sequential:
    parts: list[nn.Module] = [conv_norm(channels, 32, 3, 2)]
    now = 32
    for outputs, stride in zip(
        (64, 128, 128, 256, 256, *[512] * 6, 1024, 1024),
        (1, 2, 1, 2, 1, 2, *[1] * 5, 2, 1),
        strict=True,
    ):
        parts += _separable(now, outputs, stride)
        now = outputs
    return nn.Sequential(*parts, *head(now, classes))


def mobilenet_v1() -> nn.Module:
    """MobileNet V1 (arXiv 1704.04861)."""
    return _v1(3, 1000)


def yamnet() -> nn.Module:
    """YAMNet: MobileNet V1 on a spectrogram of one channel, 521 sounds."""
    return _v1(1, 521)


def mobilenet_v2() -> nn.Module:
    """MobileNet V2 (arXiv 1801.04381)."""
    rows = (
        (1, 3, 1, 16, 1),
        (6, 3, 2, 24, 2),
        (6, 3, 2, 32, 3),
        (6, 3, 2, 64, 4),
        (6, 3, 1, 96, 3),
        (6, 3, 2, 160, 3),
        (6, 3, 1, 320, 1),
    )
    start, end = conv_norm(3, 32, 3, 2, act=nn.ReLU6), conv_norm(320, 1280, 1, act=nn.ReLU6)
    return nn.Sequential(start, *stages(32, rows, _inverted), end, *head(1280))


def _inverted(inputs: int, outputs: int, factor: int, kernel: int, stride: int) -> nn.Module:
    return Inverted(inputs, outputs, factor * inputs, kernel, stride)


_LARGE = (
    (3, 16, 16, False, False, 1),
    (3, 64, 24, False, False, 2),
    (3, 72, 24, False, False, 1),
    (5, 72, 40, True, False, 2),
    (5, 120, 40, True, False, 1),
    (5, 120, 40, True, False, 1),
    (3, 240, 80, False, True, 2),
    (3, 200, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 480, 112, True, True, 1),
    (3, 672, 112, True, True, 1),
    (5, 672, 160, True, True, 2),
    (5, 960, 160, True, True, 1),
    (5, 960, 160, True, True, 1),
)
_SMALL = (
    (3, 16, 16, True, False, 2),
    (3, 72, 24, False, False, 2),
    (3, 88, 24, False, False, 1),
    (5, 96, 40, True, True, 2),
    (5, 240, 40, True, True, 1),
    (5, 240, 40, True, True, 1),
    (5, 120, 48, True, True, 1),
    (5, 144, 48, True, True, 1),
    (5, 288, 96, True, True, 2),
    (5, 576, 96, True, True, 1),
    (5, 576, 96, True, True, 1),
)
"""Kernel, expanded and output channels, squeeze, hard swish instead of ReLU, stride."""


def _v3_body(rows: tuple[tuple[int, int, int, bool, bool, int], ...]) -> tuple[nn.Module, int]:
    parts: list[nn.Module] = [conv_norm(3, 16, 3, 2, act=nn.Hardswish)]
    now = 16
    for kernel, expanded, outputs, squeezes, swishes, stride in rows:
        act = nn.Hardswish if swishes else nn.ReLU
        gate = Squeeze(expanded, eight(expanded / 4), gate=nn.Hardsigmoid) if squeezes else None
        parts.append(Inverted(now, outputs, expanded, kernel, stride, act, gate))
        now = outputs
    parts.append(conv_norm(now, 6 * now, 1, act=nn.Hardswish))
    return nn.Sequential(*parts), 6 * now


def _v3(rows: tuple[tuple[int, int, int, bool, bool, int], ...], hidden: int) -> nn.Module:
    body, channels = _v3_body(rows)
    last = [nn.Linear(channels, hidden), nn.Hardswish(), nn.Linear(hidden, 1000)]
    return nn.Sequential(body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), *last)


def mobilenet_v3_large() -> nn.Module:
    """MobileNet V3 large (arXiv 1905.02244)."""
    return _v3(_LARGE, 1280)


def mobilenet_v3_small() -> nn.Module:
    """MobileNet V3 small (arXiv 1905.02244)."""
    return _v3(_SMALL, 1024)


def mnasnet() -> nn.Module:
    """MNASNet B1 of width 1 (arXiv 1807.11626)."""
    start = [conv_norm(3, 32, 3, 2), conv_norm(32, 32, 3, 1, 32), conv_norm(32, 16, 1, act=None)]
    rows = (
        (3, 3, 2, 24, 3),
        (3, 5, 2, 40, 3),
        (6, 5, 2, 80, 3),
        (6, 3, 1, 96, 2),
        (6, 5, 2, 192, 4),
        (6, 3, 1, 320, 1),
    )
    blocks = stages(16, rows, _mnas)
    return nn.Sequential(*start, *blocks, conv_norm(320, 1280, 1), *head(1280))


def _mnas(inputs: int, outputs: int, factor: int, kernel: int, stride: int) -> nn.Module:
    return nn.Sequential(Inverted(inputs, outputs, factor * inputs, kernel, stride, nn.ReLU))


class Shuffle(nn.Module):
    """A block of ShuffleNet V2: half of the channels pass, then both halves are mixed."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        half, self.splits = outputs // 2, stride == 1
        start = half if self.splits else inputs
        self.main = nn.Sequential(
            conv_norm(start, half, 1),
            conv_norm(half, half, 3, stride, half, None),
            conv_norm(half, half, 1),
        )
        self.side = nn.Sequential(
            *(
                []
                if self.splits
                else [
                    conv_norm(inputs, inputs, 3, stride, inputs, None),
                    conv_norm(inputs, half, 1),
                ]
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the block of x."""
        kept, turned = x.chunk(2, 1) if self.splits else (self.side(x), x)
        both = torch.cat([kept, self.main(turned)], 1)
        batch, channels, height, width = both.shape
        mixed = both.view(batch, 2, channels // 2, height, width).transpose(1, 2)
        return mixed.reshape(batch, channels, height, width)


def shufflenet_v2() -> nn.Module:
    """ShuffleNet V2 of width 1 (arXiv 1807.11164)."""
    parts: list[nn.Module] = [conv_norm(3, 24, 3, 2), nn.MaxPool2d(3, 2, 1)]
    now = 24
    for outputs, count in ((116, 4), (232, 8), (464, 4)):
        for place in range(count):
            parts.append(Shuffle(now, outputs, 2 if place == 0 else 1))
            now = outputs
    return nn.Sequential(*parts, conv_norm(now, 1024, 1), *head(1024))


def _fire(inputs: int, squeezed: int, each: int) -> nn.Module:
    one = nn.Sequential(nn.Conv2d(squeezed, each, 1), nn.ReLU())
    three = nn.Sequential(nn.Conv2d(squeezed, each, 3, padding=1), nn.ReLU())
    return nn.Sequential(nn.Conv2d(inputs, squeezed, 1), nn.ReLU(), Branches(one, three))


def squeezenet() -> nn.Module:
    """SqueezeNet 1.1 (arXiv 1602.07360)."""
    pool = partial(nn.MaxPool2d, 3, 2, ceil_mode=True)
    fires = [_fire(i, s, e) for i, s, e in ((64, 16, 64), (128, 16, 64))]
    more = [_fire(i, s, e) for i, s, e in ((128, 32, 128), (256, 32, 128))]
    rows = ((256, 48, 192), (384, 48, 192), (384, 64, 256), (512, 64, 256))
    last = [_fire(*row) for row in rows]
    start = [nn.Conv2d(3, 64, 3, 2), nn.ReLU(), pool()]
    end = [nn.Conv2d(512, 1000, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*start, *fires, pool(), *more, pool(), *last, *end)
