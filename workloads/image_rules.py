"""From an image's size to visual tokens, by the rules of the model families' own image processors.

A rule is data: what kind it is and its numbers, read from a model's configuration and from the
``preprocessor_config.json`` beside it. It says what the encoder computes and what the language
model then reads.

==========  =======================================================================================
``native``  the image's own aspect ratio within a pixel budget (Qwen-VL and its descendants)
``bounded`` the image's own aspect ratio below a longest side (Pixtral)
``fixed``   one square, whatever the image; with pan and scan also crops of it (LLaVA, Gemma 3)
``pooled``  patches padded to a budget, pooled to visual tokens (Gemma 4)
==========  =======================================================================================

The rules that cut an image into tiles are in `workloads.image_tiles`. Sizes that encoders are
captured in: ``N`` patches, padded ones included; ``K`` tiles; ``H`` rows and ``W`` columns of
patches; ``M`` visual tokens; ``P`` pairs of patches that windowed attention compares; ``R`` rows
and ``C`` columns of tiles.

Not modelled: the host's decoding and resizing of the image, and video.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Self

from workloads.errors import WorkloadError

MOST_PX = 10**6
MOST_RATIO = 200
"""Image processors refuse a longer side of more than so many shorter ones."""


@dataclass(frozen=True)
class EncodedImage:
    """What an image becomes.

    Arguments:
        tokens: visual tokens the language model reads.
        sizes: the named sizes of the encoder's call; ``N`` patches are always there.
        tag_tokens: text tokens that mark the image, its tiles and rows in the prompt.
        states: states that layers of cross attention keep, in place of tokens in the prompt.
    """

    tokens: int
    sizes: Mapping[str, int]
    tag_tokens: int = 2
    states: int = 0

    @property
    def seen(self) -> int:
        """What the language model reads of the image: tokens in its prompt, or states beside it."""
        return self.tokens + self.states

    @property
    def patches(self) -> int:
        """Patches the encoder computes."""
        return self.sizes["N"]


@dataclass(frozen=True)
class Rule:
    """What all rules share: their kind, and the keys of a preprocessor file that change them."""

    KIND: ClassVar[str]
    KEYS: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Field -> keys of ``preprocessor_config.json``, dotted, the first that is given counts."""
    PROBED: ClassVar[int] = 1
    """How many times larger the images are that an encoder is captured with."""

    def encode(self, width_px: int, height_px: int) -> EncodedImage:
        """Return what an image of this size becomes."""
        raise NotImplementedError

    def variants(self) -> tuple[Self, ...]:
        """Return the rules an encoder is captured with, so that it holds for all of them."""
        return (self,)

    def with_preprocessor(self, given: Mapping[str, Any]) -> Self:
        """Return the rule with the numbers of a ``preprocessor_config.json``."""
        found = {name: _first(given, keys) for name, keys in self.KEYS.items()}
        return replace(self, **{name: value for name, value in found.items() if value is not None})

    def __post_init__(self) -> None:
        faults = [
            f"{item.name} must be a whole number of at least 0. Got {value!r}."
            for item in fields(self)
            if item.type == "int"
            for value in [getattr(self, item.name)]
            if not isinstance(value, int) or isinstance(value, bool) or value < 0
        ]
        if faults:
            raise WorkloadError(f"image rule {self.KIND!r}: " + " ".join(faults))

    def facts(self) -> dict[str, Any]:
        """Return the rule as plain data, its kind first."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        lists = {k: [list(p) for p in v] if isinstance(v, tuple) else v for k, v in values.items()}
        return {"kind": self.KIND, **lists}


def _first(given: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    for key in keys:
        value: Any = given
        for part in key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if value is not None:
            return value
    return None


def check_image(width_px: int, height_px: int) -> None:
    """Raise `WorkloadError` for sides that no image has."""
    for name, value in {"width_px": width_px, "height_px": height_px}.items():
        if not 0 < value < MOST_PX:
            raise WorkloadError(f"{name} must be above 0 and below {MOST_PX}. Got {value!r}.")
    if max(width_px, height_px) > MOST_RATIO * min(width_px, height_px):
        raise WorkloadError(
            f"an image's longer side must be at most {MOST_RATIO} times the shorter. "
            f"Got {width_px}x{height_px}."
        )


@dataclass(frozen=True)
class Native(Rule):
    """Round each side to whole cells, and scale the area into the pixel budget first.

    Arguments:
        patch_px, merge: a cell of ``merge x merge`` patches becomes one visual token.
        min_pixels, max_pixels: bounds of the area.
        window_px: side of an attention window; 0: none.
        frames: a still image counts as so many frames in the budget.
        tag_tokens: text tokens around an image.
    """

    KIND: ClassVar[str] = "native"
    KEYS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "min_pixels": ("min_pixels", "size.shortest_edge", "size.min_pixels"),
        "max_pixels": ("max_pixels", "size.longest_edge", "size.max_pixels"),
    }
    patch_px: int
    merge: int
    min_pixels: int
    max_pixels: int
    window_px: int = 0
    frames: int = 1
    tag_tokens: int = 2

    def encode(self, width_px: int, height_px: int) -> EncodedImage:
        """Return what an image of this size becomes."""
        columns, rows = (side // self.patch_px for side in self.resized(width_px, height_px))
        sizes = {"N": columns * rows, "H": rows, "W": columns}
        if self.window_px:
            side = self.window_px // self.patch_px
            sizes["P"] = window_pairs(columns, side) * window_pairs(rows, side)
        return EncodedImage(columns * rows // self.merge**2, sizes, self.tag_tokens)

    def resized(self, width_px: float, height_px: float) -> tuple[int, int]:
        """Return the sides the encoder sees."""
        cell = self.patch_px * self.merge
        if min(width_px, height_px) < cell:
            scale = cell / min(width_px, height_px) if self.frames > 1 else 1.0
            width_px, height_px = int(width_px * scale), int(height_px * scale)
        sides = (width_px, height_px)
        rounded = [round(side / cell) * cell for side in sides]
        area, whole = self.frames * width_px * height_px, self.frames * math.prod(rounded)
        if whole > self.max_pixels:
            scale = math.sqrt(area / self.max_pixels)
            rounded = [max(cell, math.floor(side / scale / cell) * cell) for side in sides]
        elif whole < self.min_pixels:
            scale = math.sqrt(self.min_pixels / area)
            rounded = [math.ceil(side * scale / cell) * cell for side in sides]
        return rounded[0], rounded[1]


@dataclass(frozen=True)
class Rowed(Native):
    """Native resolution, each row of visual tokens with one more that ends it."""

    KIND: ClassVar[str] = "rowed"

    def encode(self, width_px: int, height_px: int) -> EncodedImage:
        """Return what an image of this size becomes."""
        image = super().encode(width_px, height_px)
        rows = image.sizes["H"] // self.merge
        return replace(image, tokens=image.tokens + rows)


def window_pairs(patches: int, window: int) -> int:
    """Return the sum of the squares of the windows that a side is cut into, the last one short."""
    return patches // window * window**2 + (patches % window) ** 2


@dataclass(frozen=True)
class Bounded(Rule):
    """Scale the longer side below a limit, then round each side up to whole cells.

    Each row of visual tokens ends in a text token.
    """

    KIND: ClassVar[str] = "bounded"
    KEYS: ClassVar[Mapping[str, tuple[str, ...]]] = {"longest_px": ("size.longest_edge",)}
    patch_px: int
    merge: int
    longest_px: int
    row_tokens: int = 1

    def encode(self, width_px: int, height_px: int) -> EncodedImage:
        """Return what an image of this size becomes."""
        ratio = max(1.0, max(width_px, height_px) / self.longest_px)
        cell = self.patch_px * self.merge
        sides = (math.floor(side / ratio) for side in (width_px, height_px))
        columns, rows = ((side - 1) // cell + 1 for side in sides)
        wide, high = columns * self.merge, rows * self.merge
        return EncodedImage(
            columns * rows, {"N": wide * high, "H": high, "W": wide}, rows * self.row_tokens
        )


@dataclass(frozen=True)
class Fixed(Rule):
    """Resize every image to one square; with pan and scan, elongated ones are cropped too.

    Arguments:
        side_px, patches, tokens: of one square.
        tag_tokens: text tokens around each square.
        pan: crops are made of elongated images.
        pan_min_px, pan_max_crops, pan_min_ratio: least side of a crop, most crops, least ratio of
            the sides.
    """

    KIND: ClassVar[str] = "fixed"
    KEYS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "pan": ("do_pan_and_scan",),
        "pan_min_px": ("pan_and_scan_min_crop_size",),
        "pan_max_crops": ("pan_and_scan_max_num_crops",),
        "pan_min_ratio": ("pan_and_scan_min_ratio_to_activate",),
    }
    side_px: int
    patches: int
    tokens: int
    tag_tokens: int = 2
    pan: bool = False
    pan_min_px: int = 256
    pan_max_crops: int = 4
    pan_min_ratio: float = 1.2

    def encode(self, width_px: int, height_px: int) -> EncodedImage:
        """Return what an image of this size becomes."""
        squares = 1 + (self._crops(width_px, height_px) if self.pan else 0)
        sizes = {"K": squares, "N": squares * self.patches}
        return EncodedImage(squares * self.tokens, sizes, squares * self.tag_tokens)

    def _crops(self, width_px: int, height_px: int) -> int:
        longer, shorter = max(width_px, height_px), min(width_px, height_px)
        if longer / shorter < self.pan_min_ratio:
            return 0
        crops = min(longer // self.pan_min_px, math.floor(longer / shorter + 0.5))
        crops = min(self.pan_max_crops, max(2, crops))
        return crops if min(math.ceil(longer / crops), shorter) >= self.pan_min_px else 0


@dataclass(frozen=True)
class Pooled(Rule):
    """Fill a budget of patches at the image's aspect ratio, pad to it, pool squares of patches."""

    KIND: ClassVar[str] = "pooled"
    KEYS: ClassVar[Mapping[str, tuple[str, ...]]] = {"max_tokens": ("max_soft_tokens",)}
    patch_px: int
    pool: int
    max_tokens: int
    tag_tokens: int = 2

    def encode(self, width_px: int, height_px: int) -> EncodedImage:
        """Return what an image of this size becomes."""
        cell, most = self.patch_px * self.pool, self.max_tokens * self.pool**2
        scale = math.sqrt(most * self.patch_px**2 / (width_px * height_px))
        columns, rows = (math.floor(scale * side / cell) for side in (width_px, height_px))
        if not columns:
            columns, rows = 1, min(height_px // width_px, self.max_tokens)
        elif not rows:
            columns, rows = min(width_px // height_px, self.max_tokens), 1
        sizes = {"N": most, "H": rows * self.pool, "W": columns * self.pool, "M": columns * rows}
        return EncodedImage(columns * rows, sizes, self.tag_tokens)

    def variants(self) -> tuple[Self, ...]:
        """Return the rule and one of a smaller budget."""
        return self, replace(self, max_tokens=self.max_tokens // 4)
