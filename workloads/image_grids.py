"""Image rules that fit a grid of patches or tiles to the image, without a least area.

===========  ======================================================================================
``shrunk``   native resolution, shrunk into a budget of patches, padded to whole cells (Kimi)
``gridded``  whole patches within two budgets, then whole cells (Nemotron Omni)
``closest``  the whole cells nearest to the image's aspect ratio within a budget (Muse)
``least``    the grid of tiles that resizes the image least, and a thumbnail (Cohere Vision)
``covering`` the fewest tiles that keep nine tenths of the image's area, and a thumbnail (Ovis2)
``page``     the nearest grid of tiles whose sides are bounded, and a thumbnail (Granite Docling)
``latent``   native resolution between two sides, read as so many latents (Idefics2)
``trimmed``  tiles of the padded image, its padding cut away, and a thumbnail (Phi-4)
===========  ======================================================================================
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from workloads.image_rules import EncodedImage, Rule, window_pairs
from workloads.image_tiles import Tiles, grids, nearest_grid


def _of_cells(columns: int, rows: int, merge: int) -> EncodedImage:
    wide, high = columns * merge, rows * merge
    return EncodedImage(columns * rows, {"N": wide * high, "H": high, "W": wide})


@dataclass(frozen=True)
class Shrunk(Rule):
    """Never enlarged; shrunk below a number of patches and a longest side, then padded to cells.

    Arguments:
        patch_px, merge: a cell of ``merge x merge`` patches becomes one visual token.
        max_patches, max_side: budget of the image, and of a side in patches; 0: none.
    """

    KIND: ClassVar[str] = "shrunk"
    KEYS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "max_patches": ("max_patches",),
        "max_side": ("size.max_height",),
    }
    patch_px: int
    merge: int
    max_patches: int = 0
    max_side: int = 0

    def encode(self, width_px: int, height_px: int) -> EncodedImage:
        """Return what an image of this size becomes."""
        sides, cell = (width_px, height_px), self.patch_px * self.merge
        scales = [1.0]
        if self.max_patches:
            patches = math.prod(max(1, side // self.patch_px) for side in sides)
            scales.append(math.sqrt(self.max_patches / patches))
        if self.max_side:
            scales += [self.max_side * self.patch_px / side for side in sides]
        columns, rows = (math.ceil(max(1, int(side * min(scales))) / cell) for side in sides)
        return _of_cells(columns, rows, self.merge)


@dataclass(frozen=True)
class Gridded(Rule):
    """Whole patches, more than fit, scaled into a range of their number, then whole cells.

    Arguments:
        patch_px, merge: a cell of ``merge x merge`` patches becomes one visual token.
        min_patches, max_patches: of the image.
    """

    KIND: ClassVar[str] = "gridded"
    KEYS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "min_patches": ("min_num_patches",),
        "max_patches": ("max_num_patches",),
    }
    patch_px: int
    merge: int
    min_patches: int
    max_patches: int

    def encode(self, width_px: int, height_px: int) -> EncodedImage:
        """Return what an image of this size becomes."""
        wide, high = (round(side / self.patch_px + 0.5) for side in (width_px, height_px))
        scale = min(1.0, math.sqrt(self.max_patches / (wide * high)))
        wide, high = (math.floor(scale * side) for side in (wide, high))
        if wide * high < self.min_patches < self.max_patches:
            scale = math.sqrt(self.min_patches / (wide * high))
            wide, high = (math.ceil(scale * side) for side in (wide, high))
        high = self._whole(high, wide)
        wide = self._whole(wide, high)
        return _of_cells(wide // self.merge, high // self.merge, self.merge)

    def _whole(self, side: int, other: int) -> int:
        """Return a side in whole cells, rounded up where the budget allows it."""
        rest = side % self.merge
        more = side - rest + self.merge
        if not rest or more * other <= self.max_patches:
            return more if rest else side
        return max(self.merge, side - rest)


@dataclass(frozen=True)
class Closest(Rule):
    """The whole cells whose aspect ratio is nearest to the image's, within a budget of tokens.

    Arguments:
        patch_px, merge: a cell of ``merge x merge`` patches becomes one visual token.
        max_tokens: budget of the image.
        window: side of an attention window in patches; 0: none.
    """

    KIND: ClassVar[str] = "closest"
    KEYS: ClassVar[Mapping[str, tuple[str, ...]]] = {"max_tokens": ("max_image_tokens",)}
    patch_px: int
    merge: int
    max_tokens: int
    window: int = 0

    def encode(self, width_px: int, height_px: int) -> EncodedImage:
        """Return what an image of this size becomes."""
        cell = self.patch_px * self.merge
        high, wide = height_px / cell, width_px / cell
        if high * wide > self.max_tokens:
            ratio = wide / high
            high = math.sqrt(self.max_tokens / ratio)
            wide = high * ratio
        # a set: of equally near grids the processor takes the first in a set's order
        pairs = set(itertools.product(*((math.floor(s), math.ceil(s)) for s in (high, wide))))
        fitting = [p for p in pairs if min(p) >= 1 and math.prod(p) <= self.max_tokens]
        fitting = fitting or [(max(1, round(high)), max(1, round(wide)))]
        rows, columns = min(fitting, key=lambda p: abs(p[0] / p[1] - height_px / width_px))
        image = _of_cells(columns, rows, self.merge)
        if not self.window:
            return image
        along = [window_pairs(image.sizes[side], self.window) for side in ("H", "W")]
        return replace(image, sizes={**image.sizes, "P": math.prod(along)})


@dataclass(frozen=True)
class Latent(Rule):
    """The longer side at most ``longest_px``, each at least ``shortest_px``, read as latents."""

    KIND: ClassVar[str] = "latent"
    KEYS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "longest_px": ("size.longest_edge",),
        "shortest_px": ("size.shortest_edge",),
    }
    patch_px: int
    tokens: int
    longest_px: int = 980
    shortest_px: int = 378

    def encode(self, width_px: int, height_px: int) -> EncodedImage:
        """Return what an image of this size becomes."""
        columns, rows = (side // self.patch_px for side in self.resized(width_px, height_px))
        return EncodedImage(self.tokens, {"N": columns * rows, "H": rows, "W": columns})

    def resized(self, width_px: int, height_px: int) -> tuple[int, int]:
        """Return the sides the encoder sees."""
        ratio, longest = width_px / height_px, self.longest_px
        if width_px >= height_px and width_px > longest:
            width_px, height_px = longest, int(longest / ratio)
        elif height_px > width_px and height_px > longest:
            width_px, height_px = int(longest * ratio), longest
        return max(width_px, self.shortest_px), max(height_px, self.shortest_px)


MOST_ALONG = 16
"""Tiles along a side of a page, for which Granite Docling's tokenizer has names."""


@dataclass(frozen=True)
class Page(Tiles):
    """The grid of tiles nearest to the image's aspect ratio, of bounded sides."""

    KIND: ClassVar[str] = "page"

    def grid(self, width_px: int, height_px: int) -> tuple[int, int]:
        """Return the columns and rows of tiles."""
        bounds = self.min_tiles, self.max_tiles
        return nearest_grid(width_px, height_px, self.tile_px, *bounds, MOST_ALONG)


@dataclass(frozen=True)
class Least(Tiles):
    """The grid of tiles that enlarges the image least, or shrinks it least if all are smaller."""

    KIND: ClassVar[str] = "least"

    def grid(self, width_px: int, height_px: int) -> tuple[int, int]:
        """Return the columns and rows of tiles."""
        known = grids(1, self.max_tiles)
        scales = [
            min(columns * self.tile_px / width_px, rows * self.tile_px / height_px)
            for columns, rows in known
        ]
        enlarged = [scale for scale in scales if scale >= 1]
        return known[scales.index(min(enlarged) if enlarged else max(scales))]


COVERED = 0.9
"""Part of an image's area that its tiles keep at least, the default of Ovis2's image processor."""


@dataclass(frozen=True)
class Covering(Tiles):
    """The fewest tiles that together keep most of the image's area when each is shrunk to fit."""

    KIND: ClassVar[str] = "covering"

    def grid(self, width_px: int, height_px: int) -> tuple[int, int]:
        """Return the columns and rows of tiles."""
        kept = {grid: self._kept(grid, width_px, height_px) for grid in grids(1, self.max_tiles)}
        enough = {grid: part for grid, part in kept.items() if part > COVERED}
        if enough:
            rows, columns = min(enough, key=lambda g: (g[0] * g[1], -enough[g]))
        else:
            rows, columns = min(kept, key=lambda g: (-kept[g], g[0] * g[1]))
        return columns, rows

    def _kept(self, grid: tuple[int, int], width_px: int, height_px: int) -> float:
        highs, wides = _parts(height_px, grid[0]), _parts(width_px, grid[1])
        areas = (self._area(wide, high) for high in highs for wide in wides)
        return sum(areas) / (width_px * height_px)

    def _area(self, wide: int, high: int) -> float:
        long, short = max(wide, high), min(wide, high)
        return self.tile_px * (short / long * self.tile_px) if long > self.tile_px else long * short


@dataclass(frozen=True)
class Trimmed(Rule):
    """As many tiles as cover the image, up to a number; the image shrunk or enlarged into them.

    Padding at the right and below is encoded, and cut away before the language model reads it. A
    row of visual tokens ends in one more, also those of the whole image as one tile; one token
    stands between the two.

    Arguments:
        patch_px, merge: a cell of ``merge x merge`` patches becomes one visual token.
        tile_px: side of a tile.
        max_tiles: beside the whole image.
    """

    KIND: ClassVar[str] = "trimmed"
    KEYS: ClassVar[Mapping[str, tuple[str, ...]]] = {"max_tiles": ("dynamic_hd",)}
    PROBED = 3
    patch_px: int
    merge: int
    tile_px: int
    max_tiles: int = 36

    def encode(self, width_px: int, height_px: int) -> EncodedImage:
        """Return what an image of this size becomes."""
        across, down = self.grid(width_px, height_px)
        columns, rows = self.cells(width_px, height_px)
        side, tiles = self.tile_px // self.patch_px, 1 + across * down
        whole = math.ceil(side / self.merge)
        tokens = rows * (columns + 1) + 1 + whole * (whole + 1)
        sizes = {"K": tiles, "N": tiles * side**2, "M": tokens}
        sizes |= {"H": rows, "W": columns, "R": down, "C": across}
        return EncodedImage(tokens, sizes, 0)

    def grid(self, width_px: int, height_px: int) -> tuple[int, int]:
        """Return the columns and rows of tiles."""
        across, down = (math.ceil(side / self.tile_px) for side in (width_px, height_px))
        if across * down <= self.max_tiles:
            return across, down
        return nearest_grid(width_px, height_px, self.tile_px, 1, self.max_tiles)

    def cells(self, width_px: int, height_px: int) -> tuple[int, int]:
        """Return the columns and rows of visual tokens of the tiles that are not padding."""
        sides = [tiles * self.tile_px for tiles in self.grid(width_px, height_px)]
        scales = sides[0] / width_px, sides[1] / height_px
        filled = [sides[0], int(height_px * scales[0])]
        if scales[0] >= scales[1]:
            filled = [int(width_px * scales[1]), sides[1]]
        padded = ((side - part) // self.patch_px for side, part in zip(sides, filled, strict=True))
        patches = (side // self.patch_px - less for side, less in zip(sides, padded, strict=True))
        columns, rows = (math.ceil(count / self.merge) for count in patches)
        return columns, rows


def _parts(side: int, count: int) -> list[int]:
    """Return the lengths a side is cut into, the last one with the rest."""
    part = side // count
    return [part] * (count - 1) + [side - part * (count - 1)]
