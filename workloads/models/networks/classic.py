"""AlexNet, VGG, ResNet and its kin, DenseNet, and RegNet."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from workloads.models.networks.blocks import Squeeze, conv_norm, head


def alexnet() -> nn.Module:
    """AlexNet in the one-tower form (arXiv 1404.5997)."""
    pool = partial(nn.MaxPool2d, 3, 2)
    body = [nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), pool(), nn.Conv2d(64, 192, 5, padding=2)]
    body += [nn.ReLU(), pool(), nn.Conv2d(192, 384, 3, padding=1), nn.ReLU()]
    body += [nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(), nn.Conv2d(256, 256, 3, padding=1)]
    body += [nn.ReLU(), pool(), nn.AdaptiveAvgPool2d(6), nn.Flatten()]
    return nn.Sequential(*body, *_three_layers(9216))


def _three_layers(features: int) -> list[nn.Module]:
    first = [nn.Linear(features, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU()]
    return [*first, nn.Linear(4096, 1000)]


def vgg16() -> nn.Module:
    """VGG 16 without norms (arXiv 1409.1556)."""
    parts: list[nn.Module] = []
    now = 3
    for channels, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            parts += [nn.Conv2d(now, channels, 3, padding=1), nn.ReLU()]
            now = channels
        parts.append(nn.MaxPool2d(2))
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(7), nn.Flatten(), *_three_layers(25088))


class Residual(nn.Module):
    """A residual block: its layers, and a shortcut with a convolution where the shape changes."""

    def __init__(self, layers: nn.Module, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.layers, self.act = layers, nn.ReLU()
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else conv_norm(inputs, outputs, 1, stride, act=None)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block of x."""
        added: Tensor = self.act(self.layers(x) + self.shortcut(x))
        return added


def _bottleneck(inputs: int, width: int, outputs: int, stride: int, groups: int) -> nn.Module:
    layers = nn.Sequential(
        conv_norm(inputs, width, 1),
        conv_norm(width, width, 3, stride, groups),
        conv_norm(width, outputs, 1, act=None),
    )
    return Residual(layers, inputs, outputs, stride)


def _basic(inputs: int, outputs: int, stride: int) -> nn.Module:
    layers = nn.Sequential(
        conv_norm(inputs, outputs, 3, stride), conv_norm(outputs, outputs, 3, act=None)
    )
    return Residual(layers, inputs, outputs, stride)


def _resnet(blocks: tuple[int, ...], deep: bool, groups: int = 1, each: int = 64) -> nn.Module:
    """Return a ResNet (arXiv 1512.03385), the stride in the 3x3 convolution."""
    parts: list[nn.Module] = [conv_norm(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)]
    now = 64
    for stage, count in enumerate(blocks):
        base = 64 * 2**stage
        for place in range(count):
            stride = 2 if stage and place == 0 else 1
            if deep:
                width = base * each // 64 * groups
                parts.append(_bottleneck(now, width, 4 * base, stride, groups))
            else:
                parts.append(_basic(now, base, stride))
            now = 4 * base if deep else base
    return nn.Sequential(*parts, *head(now))


resnet18 = partial(_resnet, (2, 2, 2, 2), False)
resnet34 = partial(_resnet, (3, 4, 6, 3), False)
resnet50 = partial(_resnet, (3, 4, 6, 3), True)
resnet101 = partial(_resnet, (3, 4, 23, 3), True)
resnet152 = partial(_resnet, (3, 8, 36, 3), True)
resnext50 = partial(_resnet, (3, 4, 6, 3), True, 32, 4)
resnext101 = partial(_resnet, (3, 4, 23, 3), True, 32, 8)
wide_resnet50 = partial(_resnet, (3, 4, 6, 3), True, 1, 128)


class Dense(nn.Module):
    """A layer of DenseNet: what it makes is appended to what it gets."""

    def __init__(self, inputs: int, growth: int) -> None:
        super().__init__()
        self.norm, self.act = nn.BatchNorm2d(inputs), nn.ReLU()
        self.reduce = conv_norm(inputs, 4 * growth, 1)
        self.grow = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return x with the new channels."""
        return torch.cat([x, self.grow(self.reduce(self.act(self.norm(x))))], 1)


def densenet121() -> nn.Module:
    """DenseNet 121 (arXiv 1608.06993)."""
    parts: list[nn.Module] = [conv_norm(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)]
    now, blocks = 64, (6, 12, 24, 16)
    for stage, count in enumerate(blocks):
        for _ in range(count):
            parts.append(Dense(now, 32))
            now += 32
        parts += [nn.BatchNorm2d(now), nn.ReLU()]
        if stage < len(blocks) - 1:
            parts += [nn.Conv2d(now, now // 2, 1, bias=False), nn.AvgPool2d(2)]
            now //= 2
    return nn.Sequential(*parts, *head(now))


def _regnet(
    widths: tuple[int, ...], depths: tuple[int, ...], group: int, squeezes: bool
) -> nn.Module:
    """Return a RegNet (arXiv 2003.13678)."""
    parts: list[nn.Module] = [conv_norm(3, 32, 3, 2)]
    now = 32
    for width, depth in zip(widths, depths, strict=True):
        for place in range(depth):
            stride = 2 if place == 0 else 1
            gate = [Squeeze(width, round(now / 4))] if squeezes else []
            layers = nn.Sequential(
                conv_norm(now, width, 1),
                conv_norm(width, width, 3, stride, width // min(width, group)),
                *gate,
                conv_norm(width, width, 1, act=None),
            )
            parts.append(Residual(layers, now, width, stride))
            now = width
    return nn.Sequential(*parts, *head(now))


regnet_x_400mf = partial(_regnet, (32, 64, 160, 400), (1, 2, 7, 12), 16, False)
regnet_x_3_2gf = partial(_regnet, (96, 192, 432, 1008), (2, 6, 15, 2), 48, False)
regnet_y_400mf = partial(_regnet, (48, 104, 208, 440), (1, 3, 6, 6), 8, True)
