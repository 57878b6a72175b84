"""The tensors that a family's vision tower is called with for an image of a given size.

Shapes and integers are those that the family's image processor makes; the pixels are ones.
"""

# mypy: disable-error-code="no-any-return, no-untyped-call"

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from workloads.errors import WorkloadError
from workloads.image_grids import (
    Closest,
    Covering,
    Gridded,
    Latent,
    Least,
    Page,
    Shrunk,
    Trimmed,
)
from workloads.image_rules import Bounded, EncodedImage, Fixed, Native, Pooled, Rowed, Rule
from workloads.image_tiles import AnyRes, Canvas, Padded, Slices, Split, Tiles

CHANNELS = 3


def image_call(model: nn.Module) -> Callable[..., Any]:
    """Return what makes visual tokens of pixels; raises `WorkloadError` where a class has none."""
    for owner in (model, getattr(model, "model", None)):
        call = getattr(owner, "get_image_features", None)
        if call is not None:
            return partial(_pooled_or_projected, owner, call)
        if hasattr(owner, "vision_model") and hasattr(owner, "multi_modal_projector"):
            return partial(_projected, owner)
        inner = getattr(owner, "git", None)
        if hasattr(inner, "image_encoder"):
            return partial(_prefixed, inner)
        embed = getattr(getattr(owner, "embed_tokens_extend", None), "image_embed", None)
        if embed is not None:
            return partial(_placed, embed)
    raise WorkloadError(f"{type(model).__name__} must have get_image_features. It has not.")


def _pooled_or_projected(owner: Any, call: Callable[..., Any], **inputs: Tensor) -> Any:
    """Return what the call makes of pixels; states that it leaves as such are projected."""
    made = call(**inputs)
    if getattr(made, "pooler_output", made) is not None:
        return made
    return owner.multi_modal_projector(made.last_hidden_state.flatten(0, 1))


def _projected(
    owner: Any, pixel_values: Tensor, aspect_ratio_ids: Tensor, aspect_ratio_mask: Tensor
) -> Tensor:
    """Return the states that a class makes of pixels inside its own call (Llama 3.2 Vision)."""
    seen = owner.vision_model(pixel_values, aspect_ratio_ids, aspect_ratio_mask)
    return owner.multi_modal_projector(seen.last_hidden_state)


def _prefixed(owner: Any, pixel_values: Tensor) -> Tensor:
    """Return what a class puts before the text inside its own call (GIT)."""
    return owner.visual_projection(owner.image_encoder(pixel_values).last_hidden_state)


def _placed(
    embed: Any,
    places: Tensor,
    image_pixel_values: Tensor,
    image_sizes: Tensor,
    image_attention_mask: Tensor,
) -> Tensor:
    """Return the visual tokens that a class makes while it puts them among those of the text."""
    weight = embed.img_projection_down.weight
    texts = torch.empty(*places.shape, len(weight), dtype=weight.dtype, device=weight.device)
    return embed(places, texts, image_pixel_values, image_sizes, image_attention_mask)


def image_inputs(
    model: nn.Module, rule: Rule, sides_px: tuple[int, int], dtype: torch.dtype
) -> dict[str, Tensor]:
    """Return the arguments of `image_call` for one image of ``sides_px`` (width, height)."""
    made = _MAKERS[type(rule)](rule, rule.encode(*sides_px), sides_px, model)
    owner = getattr(model, "model", model)
    call = getattr(owner, "get_image_features", None) or image_call(model)
    known = inspect.signature(call).parameters
    kept = {name: tensor for name, tensor in made.items() if name in known}
    return {
        name: tensor.to(dtype) if tensor.is_floating_point() else tensor
        for name, tensor in kept.items()
    }


def _vision(model: Any) -> Any:
    return getattr(model.config, "vision_config", model.config)


SQUARE_PATCHES = ("kimi_k25", "paddleocr_vl")
"""Types whose patches keep their two sides; elsewhere they are flat."""


def _native(
    rule: Native | Shrunk | Closest | Gridded,
    image: EncodedImage,
    sides: tuple[int, int],
    model: nn.Module,
) -> dict[str, Tensor]:
    grid = torch.tensor([[1, image.sizes["H"], image.sizes["W"]]])
    return {
        "pixel_values": torch.ones(image.patches, *_patch(rule.patch_px, model)),
        "image_grid_thw": grid,
        "image_grid_hw": grid[:, 1:],
        "image_merge_sizes": torch.tensor([rule.merge]),
    }


def _patch(side_px: int, model: Any) -> tuple[int, ...]:
    """Return the shape in which a class takes one patch."""
    if model.config.model_type in SQUARE_PATCHES:
        return CHANNELS, side_px, side_px
    if model.config.model_type.startswith("inkling2"):
        return side_px, side_px, CHANNELS
    part = _vision(model)
    given = (getattr(part, key, None) for key in ("temporal_patch_size", "patch_temporal"))
    frames = next((count for count in given if count), 1)
    return (CHANNELS * frames * side_px**2,)


def _bounded(
    rule: Bounded, image: EncodedImage, sides: tuple[int, int], model: nn.Module
) -> dict[str, Tensor]:
    high, wide = image.sizes["H"] * rule.patch_px, image.sizes["W"] * rule.patch_px
    return {
        "pixel_values": torch.ones(1, CHANNELS, high, wide),
        "image_sizes": torch.tensor([[high, wide]]),
    }


def _squares(
    rule: Any, image: EncodedImage, sides: tuple[int, int], model: Any
) -> dict[str, Tensor]:
    side = rule.side_px if isinstance(rule, Fixed) else rule.tile_px
    fine = getattr(getattr(model.config, "high_res_vision_config", None), "image_size", side)
    return {
        "pixel_values": torch.ones(image.sizes["K"], CHANNELS, side, side),
        "high_res_pixel_values": torch.ones(image.sizes["K"], CHANNELS, fine, fine),
    }


def _nested(
    rule: Any, image: EncodedImage, sides: tuple[int, int], model: nn.Module
) -> dict[str, Tensor]:
    pixels = _squares(rule, image, sides, model)["pixel_values"][None]
    return {
        "pixel_values": pixels,
        "pixel_attention_mask": torch.ones(pixels[:, :, 0].shape, dtype=torch.bool),
        "image_sizes": torch.tensor([[sides[1], sides[0]]]),
    }


def _paged(
    rule: Page, image: EncodedImage, sides: tuple[int, int], model: nn.Module
) -> dict[str, Tensor]:
    pixels = _squares(rule, image, sides, model)["pixel_values"][None]
    return {"pixel_values": pixels, "pixel_attention_mask": torch.ones(1, len(pixels[0])).bool()}


def _latent(
    rule: Latent, image: EncodedImage, sides: tuple[int, int], model: nn.Module
) -> dict[str, Tensor]:
    wide, high = (image.sizes[side] * rule.patch_px for side in ("W", "H"))
    return {"pixel_values": torch.ones(1, 1, CHANNELS, high, wide)}


def _padded(
    rule: Padded, image: EncodedImage, sides: tuple[int, int], model: nn.Module
) -> dict[str, Tensor]:
    tile = rule.tile_px // rule.patch_px
    wide, high = (side // rule.patch_px for side in rule.whole(*sides))
    shapes = torch.tensor([[tile, tile]] * (image.sizes["K"] - 1) + [[high, wide]])
    slots = torch.arange(rule.slots)[None]
    return {
        "pixel_values": torch.ones(len(shapes), rule.slots, CHANNELS * rule.patch_px**2),
        "spatial_shapes": shapes,
        "pixel_attention_mask": (slots < shapes.prod(-1)[:, None]).long(),
    }


def _trimmed(
    rule: Trimmed, image: EncodedImage, sides: tuple[int, int], model: Any
) -> dict[str, Tensor]:
    (across, down), side = rule.grid(*sides), rule.tile_px // rule.patch_px
    columns, rows = rule.cells(*sides)
    seen = torch.zeros(down * side, across * side, dtype=torch.bool)
    seen[: rows * rule.merge, : columns * rule.merge] = True
    tiles = seen.view(down, side, across, side).transpose(1, 2).reshape(-1, side, side)
    whole = torch.ones(1, side, side, dtype=torch.bool)
    return {
        "image_pixel_values": torch.ones(1, len(tiles) + 1, CHANNELS, rule.tile_px, rule.tile_px),
        "image_sizes": torch.tensor([[down * rule.tile_px, across * rule.tile_px]]),
        "image_attention_mask": torch.cat([whole, tiles])[None],
        "places": torch.full((1, image.tokens), model.config.vision_config.image_token_id),
    }


def _canvas(
    rule: Canvas, image: EncodedImage, sides: tuple[int, int], model: nn.Module
) -> dict[str, Tensor]:
    pixels = torch.ones(1, 1, rule.tiles, CHANNELS, rule.tile_px, rule.tile_px)
    return {
        "pixel_values": pixels,
        "aspect_ratio_ids": torch.ones((1, 1), dtype=torch.long),
        "aspect_ratio_mask": torch.ones((1, 1, rule.tiles), dtype=torch.long),
    }


def _slices(
    rule: Slices, image: EncodedImage, sides: tuple[int, int], model: nn.Module
) -> dict[str, Tensor]:
    parts = torch.tensor([(rows, columns) for columns, rows in rule.parts(*sides)])
    wide = rule.patch_px * image.patches
    return {
        "pixel_values": torch.ones(1, CHANNELS, rule.patch_px, wide),
        "target_sizes": parts,
    }


def _pooled(
    rule: Pooled, image: EncodedImage, sides: tuple[int, int], model: nn.Module
) -> dict[str, Tensor]:
    rows, columns = image.sizes["H"], image.sizes["W"]
    places = torch.full((1, image.patches, 2), -1)
    grid = torch.cartesian_prod(torch.arange(rows), torch.arange(columns))
    places[0, : rows * columns] = grid.flip(-1)
    return {
        "pixel_values": torch.ones(1, image.patches, CHANNELS * rule.patch_px**2),
        "image_position_ids": places,
    }


_MAKERS: Mapping[type[Rule], Callable[..., dict[str, Tensor]]] = {
    Native: _native,
    Bounded: _bounded,
    Fixed: _squares,
    Tiles: _squares,
    Split: _nested,
    AnyRes: _nested,
    Padded: _padded,
    Slices: _slices,
    Canvas: _canvas,
    Closest: _native,
    Covering: _squares,
    Least: _squares,
    Latent: _latent,
    Page: _paged,
    Rowed: _native,
    Shrunk: _native,
    Gridded: _native,
    Trimmed: _trimmed,
    Pooled: _pooled,
}
