"""Image rules that cut an image into tiles of one size, each encoded by itself.

===========  ======================================================================================
``tiles``    the grid of tiles nearest to the image's aspect ratio, and a thumbnail (InternVL)
``split``    the longer side resized to a limit, cut into tiles, and a thumbnail (Idefics3, SmolVLM)
``anyres``   the best of listed resolutions; padding is cut away, rows end in a token (LLaVA-NeXT)
``padded``   native resolution below a budget, tiles above it, all padded alike (LFM2-VL)
``slices``   slices of one aspect ratio beside a small image (MiniCPM-V)
``canvas``   always the same number of tiles, read by cross attention (Llama 3.2 Vision)
===========  ======================================================================================
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from workloads.image_rules import EncodedImage, Native, Rule


def grids(least: int, most: int) -> list[tuple[int, int]]:
    """Return (columns, rows) of all grids of ``least`` to ``most`` tiles, fewest tiles first."""
    sides = range(1, most + 1)
    found = [(c, r) for c in sides for r in sides if least <= c * r <= most]
    return sorted(found, key=lambda grid: grid[0] * grid[1])


def nearest_grid(
    width_px: int, height_px: int, tile_px: int, least: int, most: int, longest: int = 0
) -> tuple[int, int]:
    """Return the (columns, rows) nearest in aspect ratio, no side above ``longest`` tiles.

    Of equally near ones the last whose area is below twice the image's counts. 0: any side.
    """
    best, nearest = (1, 1), math.inf
    for columns, rows in grids(least, most):
        if longest and max(columns, rows) > longest:
            continue
        off = abs(width_px / height_px - columns / rows)
        fits = width_px * height_px > 0.5 * tile_px**2 * columns * rows
        if off < nearest or (off == nearest and fits):
            best, nearest = (columns, rows), off
    return best


def _of_tiles(tiles: int, patches: int, tokens: int, tags: int) -> EncodedImage:
    return EncodedImage(tiles * tokens, {"K": tiles, "N": tiles * patches}, tags)


@dataclass(frozen=True)
class Tiles(Rule):
    """The grid of tiles nearest to the image's aspect ratio, and the whole image as one more.

    Arguments:
        tile_px: side of a tile.
        patches, tokens: of one tile.
        min_tiles, max_tiles: bounds of the grid; with one tile there is no thumbnail.
        tile_tags, image_tags: text tokens around each tile and around the image.
    """

    KIND: ClassVar[str] = "tiles"
    KEYS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "min_tiles": ("min_patches",),
        "max_tiles": ("max_patches",),
    }
    tile_px: int
    patches: int
    tokens: int
    min_tiles: int = 1
    max_tiles: int = 12
    tile_tags: int = 0
    image_tags: int = 2

    def encode(self, width_px: int, height_px: int) -> EncodedImage:
        """Return what an image of this size becomes."""
        columns, rows = self.grid(width_px, height_px)
        tiles = columns * rows + (columns * rows > 1)
        tags = self.image_tags + self.tile_tags * tiles
        return _of_tiles(tiles, self.patches, self.tokens, tags)

    def grid(self, width_px: int, height_px: int) -> tuple[int, int]:
        """Return the columns and rows of tiles."""
        return nearest_grid(width_px, height_px, self.tile_px, self.min_tiles, self.max_tiles)


@dataclass(frozen=True)
class Split(Rule):
    """Resize the longer side to a limit and cut both sides into whole tiles, with a thumbnail."""

    KIND: ClassVar[str] = "split"
    KEYS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "longest_px": ("size.longest_edge",),
        "splits": ("do_image_splitting",),
    }
    tile_px: int
    longest_px: int
    patches: int
    tokens: int
    splits: bool = True

    def encode(self, width_px: int, height_px: int) -> EncodedImage:
        """Return what an image of this size becomes."""
        long, short = max(width_px, height_px), min(width_px, height_px)
        shorter = int(self.longest_px / (long / short))
        shorter = max(1, shorter + shorter % 2)
        across = math.ceil(self.longest_px / self.tile_px)
        along = math.ceil(shorter / self.tile_px)
        if not self.splits or across * along == 1:
            return _of_tiles(1, self.patches, self.tokens, 3)
        rows = along if width_px >= height_px else across
        tags = 2 * across * along + rows + 4
        return _of_tiles(across * along + 1, self.patches, self.tokens, tags)


@dataclass(frozen=True)
class AnyRes(Rule):
    """The listed resolution that keeps most of the image, beside the whole image as one tile.

    Arguments:
        tile_px, patches: of a tile.
        side: visual tokens along a side of a tile.
        pinpoints: (height, width) of the resolutions.
        max_tiles: tokens beyond those of so many tiles are resampled; 0: never.
    """

    KIND: ClassVar[str] = "anyres"
    tile_px: int
    patches: int
    side: int
    pinpoints: tuple[tuple[int, int], ...]
    max_tiles: int = 0

    def encode(self, width_px: int, height_px: int) -> EncodedImage:
        """Return what an image of this size becomes."""
        high, wide = self._best(width_px, height_px)
        down, across = high // self.tile_px, wide // self.tile_px
        rows, columns = self._unpadded(width_px, height_px, self.side * down, self.side * across)
        ratio = math.sqrt(rows * columns / (self.max_tiles * self.side**2)) if self.max_tiles else 0
        if ratio > 1.1:
            rows, columns = int(rows // ratio), int(columns // ratio)
        tiles = 1 + down * across
        tokens = self.side**2 + rows * (columns + 1)
        return EncodedImage(tokens, {"K": tiles, "N": tiles * self.patches}, 0)

    def _best(self, width_px: int, height_px: int) -> tuple[int, int]:
        def kept(point: tuple[int, int]) -> tuple[int, int]:
            scale = min(point[1] / width_px, point[0] / height_px)
            area = int(width_px * scale) * int(height_px * scale)
            used = min(area, width_px * height_px)
            return used, -(point[0] * point[1] - used)

        return max(self.pinpoints, key=kept)

    def _unpadded(self, width_px: int, height_px: int, rows: int, columns: int) -> tuple[int, int]:
        if width_px / height_px > columns / rows:
            filled = int(round(height_px * (columns / width_px), 7))
            return rows - (rows - filled) // 2 * 2, columns
        filled = int(round(width_px * (rows / height_px), 7))
        return rows, columns - (columns - filled) // 2 * 2


@dataclass(frozen=True)
class Padded(Rule):
    """Native resolution within a budget of tokens; a far larger image is tiled, with a thumbnail.

    Arguments:
        patch_px, merge: a cell of ``merge x merge`` patches becomes one visual token.
        tile_px: side of a tile.
        min_tokens, max_tokens: of an image that is not tiled, and of the thumbnail.
        min_tiles, max_tiles: bounds of the grid.
        tolerance_percent: an image is tiled above this part of the budget.
    """

    KIND: ClassVar[str] = "padded"
    KEYS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "tile_px": ("tile_size",),
        "min_tokens": ("min_image_tokens",),
        "max_tokens": ("max_image_tokens",),
        "min_tiles": ("min_tiles",),
        "max_tiles": ("max_tiles",),
        "tolerance": ("max_pixels_tolerance",),
    }
    patch_px: int
    merge: int
    tile_px: int = 512
    min_tokens: int = 64
    max_tokens: int = 256
    min_tiles: int = 2
    max_tiles: int = 10
    tolerance: float = 2.0

    @property
    def slots(self) -> int:
        """Patches that each tile is padded to."""
        tiled = (self.tile_px // self.patch_px) ** 2 if self.max_tiles > 1 else 0
        return max(self.max_tokens * self.merge**2, tiled)

    def encode(self, width_px: int, height_px: int) -> EncodedImage:
        """Return what an image of this size becomes."""
        tiles, tags = 1, 2
        tokens = math.prod(side // self.patch_px for side in self.whole(width_px, height_px))
        tokens //= self.merge**2
        if self.is_tiled(width_px, height_px):
            columns, rows = nearest_grid(
                width_px, height_px, self.tile_px, self.min_tiles, self.max_tiles
            )
            tiles += columns * rows
            tokens += columns * rows * math.ceil(self.tile_px // self.patch_px / self.merge) ** 2
            tags += tiles
        return EncodedImage(tokens, {"K": tiles, "N": tiles * self.slots, "M": tokens}, tags)

    def whole(self, width_px: int, height_px: int) -> tuple[int, int]:
        """Return the sides of the whole image as the encoder sees it."""
        cell = self.patch_px * self.merge
        low, high = (tokens * cell**2 for tokens in (self.min_tokens, self.max_tokens))
        return Native(self.patch_px, self.merge, low, high).resized(width_px, height_px)

    def is_tiled(self, width_px: int, height_px: int) -> bool:
        """Return whether the image is cut into tiles."""
        cell = self.patch_px * self.merge
        sides = (max(self.patch_px, round(s / cell) * cell) for s in (width_px, height_px))
        budget = self.max_tokens * cell**2 * self.tolerance
        return math.prod(sides) > budget and not self.min_tiles == self.max_tiles == 1


@dataclass(frozen=True)
class Slices(Rule):
    """A small whole image, and slices of it at one aspect ratio, packed without padding.

    Arguments:
        patch_px: side of a patch.
        merge: a cell of ``merge x merge`` patches becomes one visual token.
        slice_px: a slice has the area of a square of this side.
        max_slices: beside the whole image.
    """

    KIND: ClassVar[str] = "slices"
    KEYS: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "slice_px": ("scale_resolution",),
        "max_slices": ("max_slice_nums",),
    }
    patch_px: int
    merge: int = 4
    slice_px: int = 448
    max_slices: int = 9

    def encode(self, width_px: int, height_px: int) -> EncodedImage:
        """Return what an image of this size becomes."""
        parts = self.parts(width_px, height_px)
        patches = [columns * rows for columns, rows in parts]
        sizes = {"K": len(parts), "N": sum(patches), "P": sum(n * n for n in patches)}
        return EncodedImage(sum(patches) // self.merge**2, sizes, 2 * len(parts))

    def parts(self, width_px: int, height_px: int) -> list[tuple[int, int]]:
        """Return (columns, rows) in patches of the whole image and of each slice."""
        grid = self._grid(width_px, height_px)
        whole = self._sides(width_px, height_px, grid is None)
        if grid is None:
            return [whole]
        columns, rows = grid
        width = max(round(width_px / columns) * columns, columns) / columns
        height = max(round(height_px / rows) * rows, rows) / rows
        return [whole, *([self._sides(width, height, True)] * (columns * rows))]

    def _sides(self, width: float, height: float, enlarge: bool) -> tuple[int, int]:
        if height * width > self.slice_px**2 or enlarge:
            ratio = width / height
            height = int(self.slice_px / math.sqrt(ratio))
            width = int(height * ratio)
        cell = self.patch_px * self.merge
        sides = (max(round(side / cell) * cell, cell) for side in (width, height))
        columns, rows = (side // self.patch_px for side in sides)
        return columns, rows

    def _grid(self, width_px: int, height_px: int) -> tuple[int, int] | None:
        wanted = min(math.ceil(width_px * height_px / self.slice_px**2), self.max_slices)
        if wanted <= 1:
            return None
        best, nearest = (1, 1), math.inf
        for columns, rows in self._candidates(wanted):
            off = abs(math.log(width_px / height_px) - math.log(columns / rows))
            if off < nearest or (off == nearest and rows > best[1]):
                best, nearest = (columns, rows), off
        return best

    def _candidates(self, wanted: int) -> Iterator[tuple[int, int]]:
        for count in (wanted - 1, wanted, wanted + 1):
            if count != 1 and count <= self.max_slices:
                yield from ((count // r, r) for r in range(1, count + 1) if count % r == 0)


@dataclass(frozen=True)
class Canvas(Rule):
    """Tiles of the canvas that fits best, padded with empty ones to the same number for any image.

    The encoder computes them all. Its states take no place in the prompt: one tag stands for the
    image, and layers of cross attention read the states.

    Arguments:
        tile_px, patches: of a tile; a tile has one state per patch and one for its class token.
        tiles: computed for any image.
    """

    KIND: ClassVar[str] = "canvas"
    KEYS: ClassVar[Mapping[str, tuple[str, ...]]] = {"tiles": ("max_image_tiles",)}
    tile_px: int
    patches: int
    tiles: int = 4

    def encode(self, width_px: int, height_px: int) -> EncodedImage:
        """Return what an image of this size becomes."""
        sizes = {"K": self.tiles, "N": self.tiles * self.patches}
        return EncodedImage(0, sizes, 1, states=self.tiles * (self.patches + 1))
