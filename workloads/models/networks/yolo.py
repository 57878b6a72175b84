"""YOLOv5 and YOLOv8 detectors, as Ultralytics publishes them, without suppression of boxes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from workloads.models.networks.blocks import conv_norm, eight

_conv = partial(conv_norm, act=nn.SiLU)
CLASSES = 80


class Bottleneck(nn.Module):
    """Two convolutions, added to their input where asked."""

    def __init__(self, inputs: int, hidden: int, first: int, adds: bool) -> None:
        super().__init__()
        self.one, self.two = _conv(inputs, hidden, first), _conv(hidden, inputs, 3)
        self.adds = adds

    def forward(self, x: Tensor) -> Tensor:
        """Return the block of x."""
        made: Tensor = self.two(self.one(x))
        return x + made if self.adds else made


class C2f(nn.Module):
    """Split in two halves, one refined step by step, all of them joined (YOLOv8)."""

    def __init__(self, inputs: int, outputs: int, count: int, adds: bool) -> None:
        super().__init__()
        self.each = outputs // 2
        self.one = _conv(inputs, 2 * self.each, 1)
        self.two = _conv((2 + count) * self.each, outputs, 1)
        self.steps = nn.ModuleList(Bottleneck(self.each, self.each, 3, adds) for _ in range(count))

    def forward(self, x: Tensor) -> Tensor:
        """Return the block of x."""
        parts = list(self.one(x).chunk(2, 1))
        for step in self.steps:
            parts.append(step(parts[-1]))
        made: Tensor = self.two(torch.cat(parts, 1))
        return made


class C3(nn.Module):
    """Two branches of half the channels, one refined, joined (YOLOv5)."""

    def __init__(self, inputs: int, outputs: int, count: int, adds: bool) -> None:
        super().__init__()
        half = outputs // 2
        self.main, self.side = _conv(inputs, half, 1), _conv(inputs, half, 1)
        self.steps = nn.Sequential(*(Bottleneck(half, half, 1, adds) for _ in range(count)))
        self.join = _conv(2 * half, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block of x."""
        made: Tensor = self.join(torch.cat([self.steps(self.main(x)), self.side(x)], 1))
        return made


class Pyramid(nn.Module):
    """Three poolings of 5x5, one after the other, joined (SPPF)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.one, self.two = _conv(channels, channels // 2, 1), _conv(2 * channels, channels, 1)
        self.pool = nn.MaxPool2d(5, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Return the block of x."""
        parts = [self.one(x)]
        for _ in range(3):
            parts.append(self.pool(parts[-1]))
        made: Tensor = self.two(torch.cat(parts, 1))
        return made


class Detect8(nn.Module):
    """The head of YOLOv8: boxes by distributions over 16 places, and classes, at three scales."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        box, classes = max(16, channels[0] // 4, 64), max(channels[0], min(CLASSES, 100))
        self.boxes = nn.ModuleList(self._branch(c, box, 64) for c in channels)
        self.classes = nn.ModuleList(self._branch(c, classes, CLASSES) for c in channels)
        self.places = nn.Conv2d(16, 1, 1, bias=False)

    @staticmethod
    def _branch(channels: int, hidden: int, outputs: int) -> nn.Module:
        last = nn.Conv2d(hidden, outputs, 1)
        return nn.Sequential(_conv(channels, hidden, 3), _conv(hidden, hidden, 3), last)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Return boxes and class scores of all places, (1, 84, places)."""
        boxes = torch.cat([m(x).flatten(2) for m, x in zip(self.boxes, maps, strict=True)], 2)
        found = torch.cat([m(x).flatten(2) for m, x in zip(self.classes, maps, strict=True)], 2)
        spread = boxes.view(1, 4, 16, -1).transpose(1, 2).softmax(1)
        corners = self.places(spread).view(1, 4, -1)
        return torch.cat([corners, found.sigmoid()], 1)


class Detect5(nn.Module):
    """The head of YOLOv5: one convolution per scale, three anchors each."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.heads = nn.ModuleList(nn.Conv2d(c, 3 * (CLASSES + 5), 1) for c in channels)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Return boxes and class scores of all places."""
        found = [m(x).sigmoid().flatten(2) for m, x in zip(self.heads, maps, strict=True)]
        return torch.cat(found, 2)


class Yolo(nn.Module):
    """Backbone, a path up and a path down through three scales, and a head."""

    def __init__(self, width: float, depth: float, most: int, eighth: bool) -> None:
        super().__init__()

        def wide(channels: int) -> int:
            return eight(min(channels, most) * width)

        def deep(count: int) -> int:
            return max(1, round(count * depth)) if count > 1 else count

        block = C2f if eighth else C3
        a, b, c, d, e = map(wide, (64, 128, 256, 512, 1024))
        counts = [deep(n) for n in ((3, 6, 6, 3) if eighth else (3, 6, 9, 3))]
        stem = _conv(3, a, 3, 2) if eighth else _conv(3, a, 6, 2, padding=2)
        self.start = nn.Sequential(stem, _conv(a, b, 3, 2), block(b, b, counts[0], True))
        self.third = nn.Sequential(_conv(b, c, 3, 2), block(c, c, counts[1], True))
        self.fourth = nn.Sequential(_conv(c, d, 3, 2), block(d, d, counts[2], True))
        last = [_conv(d, e, 3, 2), block(e, e, counts[3], True), Pyramid(e)]
        self.fifth, self.up, n = nn.Sequential(*last), nn.Upsample(scale_factor=2), deep(3)
        self.narrow = nn.ModuleList([] if eighth else [_conv(e, d, 1), _conv(d, c, 1)])
        above, below = (e, d) if eighth else (d, c)
        self.up_four = block(above + d, d, n, False)
        self.up_three = block(below + c if not eighth else d + c, c, n, False)
        self.down_three = _conv(c, c, 3, 2)
        self.down_four_block = block((c + d) if eighth else 2 * c, d, n, False)
        self.down_four = _conv(d, d, 3, 2)
        self.down_five_block = block((d + e) if eighth else 2 * d, e, n, False)
        self.head = Detect8([c, d, e]) if eighth else Detect5([c, d, e])

    def forward(self, x: Tensor) -> Tensor:
        """Return the detections of an image."""
        three = self.third(self.start(x))
        four = self.fourth(three)
        five = self.fifth(four)
        top = self.narrow[0](five) if self.narrow else five
        middle = self.up_four(torch.cat([self.up(top), four], 1))
        inner = self.narrow[1](middle) if self.narrow else middle
        small = self.up_three(torch.cat([self.up(inner), three], 1))
        medium = self.down_four_block(torch.cat([self.down_three(small), inner], 1))
        large = self.down_five_block(torch.cat([self.down_four(medium), top], 1))
        made: Tensor = self.head([small, medium, large])
        return made


yolov8n = partial(Yolo, 0.25, 1 / 3, 1024, True)
yolov8s = partial(Yolo, 0.5, 1 / 3, 1024, True)
yolov8m = partial(Yolo, 0.75, 2 / 3, 768, True)
yolov5n = partial(Yolo, 0.25, 1 / 3, 1024, False)
yolov5s = partial(Yolo, 0.5, 1 / 3, 1024, False)
yolov5m = partial(Yolo, 0.75, 2 / 3, 1024, False)
