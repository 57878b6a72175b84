"""GoogLeNet and Inception V3, without the auxiliary heads of training."""

from __future__ import annotations

from functools import partial

from torch import nn

from workloads.models.networks.blocks import Branches, conv_norm, head

_S = nn.Sequential


def _module(inputs: int, row: tuple[int, int, int, int, int, int]) -> nn.Module:
    one, reduced, three, small, five, pooled = row
    return Branches(
        conv_norm(inputs, one, 1),
        _S(conv_norm(inputs, reduced, 1), conv_norm(reduced, three, 3)),
        _S(conv_norm(inputs, small, 1), conv_norm(small, five, 3)),
        _S(nn.MaxPool2d(3, 1, 1, ceil_mode=True), conv_norm(inputs, pooled, 1)),
    )


def googlenet() -> nn.Module:
    """GoogLeNet with batch norms and 3x3 in place of 5x5, as in torchvision (arXiv 1409.4842)."""
    pool = partial(nn.MaxPool2d, 3, 2, ceil_mode=True)
    start = [conv_norm(3, 64, 7, 2), pool(), conv_norm(64, 64, 1), conv_norm(64, 192, 3), pool()]
    third = [
        _module(192, (64, 96, 128, 16, 32, 32)),
        _module(256, (128, 128, 192, 32, 96, 64)),
        pool(),
    ]
    fourth = [
        _module(480, (192, 96, 208, 16, 48, 64)),
        _module(512, (160, 112, 224, 24, 64, 64)),
        _module(512, (128, 128, 256, 24, 64, 64)),
        _module(512, (112, 144, 288, 32, 64, 64)),
        _module(528, (256, 160, 320, 32, 128, 128)),
        nn.MaxPool2d(2, 2, ceil_mode=True),
    ]
    fifth = [
        _module(832, (256, 160, 320, 32, 128, 128)),
        _module(832, (384, 192, 384, 48, 128, 128)),
    ]
    return _S(*start, *third, *fourth, *fifth, *head(1024))


def _mean(inputs: int, outputs: int) -> nn.Module:
    return _S(nn.AvgPool2d(3, 1, 1), conv_norm(inputs, outputs, 1))


def _a(inputs: int, pooled: int) -> nn.Module:
    three = [conv_norm(inputs, 64, 1), conv_norm(64, 96, 3), conv_norm(96, 96, 3)]
    five = [conv_norm(inputs, 48, 1), conv_norm(48, 64, 5)]
    return Branches(conv_norm(inputs, 64, 1), _S(*five), _S(*three), _mean(inputs, pooled))


def _b(inputs: int) -> nn.Module:
    three = [conv_norm(inputs, 64, 1), conv_norm(64, 96, 3), conv_norm(96, 96, 3, 2, padding=0)]
    return Branches(conv_norm(inputs, 384, 3, 2, padding=0), _S(*three), nn.MaxPool2d(3, 2))


def _c(inputs: int, narrow: int) -> nn.Module:
    across, down = partial(conv_norm, kernel=(1, 7)), partial(conv_norm, kernel=(7, 1))
    seven = [conv_norm(inputs, narrow, 1), across(narrow, narrow), down(narrow, 192)]
    double = [conv_norm(inputs, narrow, 1), down(narrow, narrow), across(narrow, narrow)]
    double += [down(narrow, narrow), across(narrow, 192)]
    return Branches(conv_norm(inputs, 192, 1), _S(*seven), _S(*double), _mean(inputs, 192))


def _d(inputs: int) -> nn.Module:
    three = [conv_norm(inputs, 192, 1), conv_norm(192, 320, 3, 2, padding=0)]
    seven = [conv_norm(inputs, 192, 1), conv_norm(192, 192, (1, 7)), conv_norm(192, 192, (7, 1))]
    seven.append(conv_norm(192, 192, 3, 2, padding=0))
    return Branches(_S(*three), _S(*seven), nn.MaxPool2d(3, 2))


def _both(inputs: int) -> nn.Module:
    return Branches(conv_norm(inputs, 384, (1, 3)), conv_norm(inputs, 384, (3, 1)))


def _e(inputs: int) -> nn.Module:
    three = _S(conv_norm(inputs, 384, 1), _both(384))
    double = _S(conv_norm(inputs, 448, 1), conv_norm(448, 384, 3), _both(384))
    return Branches(conv_norm(inputs, 320, 1), three, double, _mean(inputs, 192))


def inception_v3() -> nn.Module:
    """Inception V3 (arXiv 1512.00567)."""
    start = [conv_norm(3, 32, 3, 2, padding=0), conv_norm(32, 32, 3, padding=0)]
    start += [conv_norm(32, 64, 3)]
    middle = [conv_norm(64, 80, 1), conv_norm(80, 192, 3, padding=0)]
    body = [_a(192, 32), _a(256, 64), _a(288, 64), _b(288)]
    body += [_c(768, narrow) for narrow in (128, 160, 160, 192)]
    body += [_d(768), _e(1280), _e(2048)]
    return _S(*start, nn.MaxPool2d(3, 2), *middle, nn.MaxPool2d(3, 2), *body, *head(2048))
