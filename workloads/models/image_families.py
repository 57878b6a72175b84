"""The image rule of each model family, from its configuration.

What a configuration does not say (pixel budgets, numbers of tiles) is what the family's released
``preprocessor_config.json`` files say; a file beside the configuration overrules it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

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
from workloads.image_rules import Bounded, Fixed, Native, Pooled, Rowed, Rule
from workloads.image_tiles import AnyRes, Canvas, Padded, Slices, Split, Tiles

Config = Mapping[str, Any]


def image_rule(config: Config) -> Rule | None:
    """Return the rule of a configuration with its class's defaults; None: not known.

    ``config`` is the mapping of the whole model, text and vision parts inside.
    """
    family = FAMILIES.get(str(config.get("model_type", "")))
    return family(config) if family is not None else None


def _vision(config: Config) -> Config:
    for key in ("vision_config", "perceiver_config"):
        part = config.get(key)
        if isinstance(part, Mapping):
            return part
    return config


def _side(value: Any) -> int:
    """Return a side that is given as a number or as a pair."""
    return int(value[0] if isinstance(value, list | tuple) else value)


def _patches(config: Config) -> int:
    vision = _vision(config)
    return (_side(vision["image_size"]) // _side(vision["patch_size"])) ** 2


def _native(low: int, high: int, frames: int = 1, merge: int = 2) -> Callable[[Config], Rule]:
    def rule(config: Config) -> Rule:
        vision = _vision(config)
        return Native(
            patch_px=_side(vision["patch_size"]),
            merge=vision.get("spatial_merge_size") or vision.get("merge_size") or merge,
            min_pixels=low,
            max_pixels=high,
            window_px=vision.get("window_size") or 0,
            frames=frames,
        )

    return rule


def _bounded(longest: int) -> Callable[[Config], Rule]:
    def rule(config: Config) -> Rule:
        vision = _vision(config)
        merge = config.get("spatial_merge_size") or vision.get("spatial_merge_size") or 1
        return Bounded(_side(vision["patch_size"]), merge, longest)

    return rule


def _fixed(tokens: Callable[[Config], int], tags: int = 2) -> Callable[[Config], Rule]:
    def rule(config: Config) -> Rule:
        side = _side(_vision(config)["image_size"])
        return Fixed(side, _patches(config), tokens(config), tags)

    return rule


def _tiles(tokens: Callable[[Config], int], most: int, tags: int = 0) -> Callable[[Config], Rule]:
    def rule(config: Config) -> Rule:
        side = _side(_vision(config)["image_size"])
        return Tiles(side, _patches(config), tokens(config), 1, most, tags)

    return rule


def _split(times: int) -> Callable[[Config], Rule]:
    def rule(config: Config) -> Rule:
        side, patches = _side(_vision(config)["image_size"]), _patches(config)
        return Split(side, times * side, patches, patches // config["scale_factor"] ** 2)

    return rule


def _anyres(config: Config) -> Rule:
    side = _side(_vision(config)["image_size"])
    points = tuple((int(high), int(wide)) for high, wide in config["image_grid_pinpoints"])
    ratio = str(config.get("vision_aspect_ratio", ""))
    most = int(ratio.removeprefix("anyres_max_")) if ratio.startswith("anyres_max_") else 0
    return AnyRes(side, _patches(config), math.isqrt(_patches(config)), points, most)


def _padded(config: Config) -> Rule:
    return Padded(_side(_vision(config)["patch_size"]), config.get("downsample_factor", 2))


def _cells(config: Config) -> tuple[int, int]:
    """Return the side of a patch and the patches along a side of a cell."""
    vision = _vision(config)
    merge = vision.get("merge_kernel_size") or vision.get("merge_size") or 1
    return _side(vision["patch_size"]), _side(merge)


def _shrunk(patches: int, side: int) -> Callable[[Config], Rule]:
    return lambda config: Shrunk(*_cells(config), patches, side)


def _closest(config: Config) -> Rule:
    return Closest(*_cells(config), 4096, _vision(config)["pos_emb_height"])


def _page(config: Config) -> Rule:
    side, patches = _side(_vision(config)["image_size"]), _patches(config)
    return Page(side, patches, patches // _vision(config)["scale_factor"] ** 2, 1, 32)


def _latent(config: Config) -> Rule:
    vision = config["vision_config"]
    return Latent(_side(vision["patch_size"]), config["perceiver_config"]["resampler_n_latents"])


def _rowed(config: Config) -> Rule:
    vision = _vision(config)
    sizes = _side(vision["patch_size"]), vision["spatial_merge_size"]
    return Rowed(*sizes, 512 * 512, 2048 * 2048)


def _unpooled(config: Config) -> Rule:
    """Gemma 4 without a tower: a visual token is the square that another pools."""
    vision = _vision(config)
    return Pooled(_side(vision["patch_size"]) * vision["pooling_kernel_size"], 1, 280)


def _unbounded(config: Config) -> Rule:
    """Inkling2: a cell of patches is what its image processor calls a patch."""
    vision = _vision(config)
    return Shrunk(_side(vision["patch_size"]) * vision["spatial_merge_size"], 1)


def _gridded(config: Config) -> Rule:
    merge = round(1 / config["downsample_ratio"])
    return Gridded(_side(_vision(config)["patch_size"]), merge, 1024, 13_312)


def _trimmed(config: Config) -> Rule:
    vision = _vision(config)
    return Trimmed(_side(vision["patch_size"]), 2, vision["crop_size"])


def _tiles_of(kind: type[Tiles], most: int) -> Callable[[Config], Rule]:
    def rule(config: Config) -> Rule:
        return kind(_side(_vision(config)["image_size"]), _patches(config), 0, 1, most)

    return rule


def _canvas(config: Config) -> Rule:
    side, tiles = _side(_vision(config)["image_size"]), _vision(config)["max_num_tiles"]
    return Canvas(side, _patches(config), tiles)


def _slices(config: Config) -> Rule:
    merge = 2 if config.get("downsample_mode") == "4x" else 4
    return Slices(_side(_vision(config)["patch_size"]), merge)


def _pooled(config: Config) -> Rule:
    vision = _vision(config)
    pool = vision.get("pooling_kernel_size", 3)
    most = config.get("vision_soft_tokens_per_image") or 280
    return Pooled(_side(vision["patch_size"]), pool, most)


def _shuffled(key: str) -> Callable[[Config], int]:
    """Tokens of a square whose patches are merged by a ratio of the configuration."""

    def tokens(config: Config) -> int:
        ratio = config.get(key, 1)
        share = float(ratio**2 if ratio < 1 else 1 / ratio**2)
        return round(_patches(config) * share)

    return tokens


def _stated(key: str, default: int = 0) -> Callable[[Config], int]:
    return lambda config: int(config.get(key) or default or _patches(config))


def _qwen() -> Callable[[Config], Rule]:
    """Qwen2-VL and 2.5-VL: 4 to 16,384 visual tokens."""
    return _native(56 * 56, 28 * 28 * 16_384)


def _llava(config: Config) -> Rule:
    """One square, or what Pixtral 12B sees: its tower behind LLaVA's projector."""
    if _vision(config).get("model_type") == "pixtral":
        return _bounded(1024)(config)
    return _fixed(_stated("image_seq_length"), 0)(config)


QWEN3 = _native(256 * 256, 4096 * 4096)
QWEN_CLASS = _native(56 * 56, 28 * 28 * 1280)
GLM = _native(112 * 112, 28 * 28 * 15_000, frames=2)
SQUARE = _fixed(lambda config: 0)
"""One square; how many visual tokens come of it is seen when the tower is captured."""

FAMILIES: Mapping[str, Callable[[Config], Rule]] = {
    "qwen2_vl": _qwen(),
    "qwen2_5_vl": _qwen(),
    "qwen2_5_omni_thinker": _qwen(),
    **dict.fromkeys(
        [
            "qwen3_vl",
            "qwen3_vl_moe",
            "qwen3_5",
            "qwen3_5_moe",
            "qwen3_omni_moe_thinker",
            "qwen4_exp",
        ],
        QWEN3,
    ),
    **dict.fromkeys(
        [
            *("cohere_compass", "cosmos3_omni", "dots3_note", "exaone4_5"),
            *("hyperclovax_vision_v2", "lfm3_vl", "video_llama_3"),
        ],
        QWEN_CLASS,
    ),
    **dict.fromkeys(["glm4v", "glm4v_moe", "glm46v", "glm_ocr", "glmga"], GLM),
    "cosmos3_edge": _native(256 * 256, 4096 * 4096, frames=2),
    "ernie4_5_vl_moe": _native(56 * 56, 28 * 28 * 6177),
    "paddleocr_vl": _native(384 * 384, 1536 * 1536),
    "internvl": _tiles(_shuffled("downsample_ratio"), 12),
    "qianfan_ocr": _tiles(lambda config: 0, 12),
    "aya_vision": _tiles(lambda config: 0, 12),
    "idefics3": _split(4),
    "smolvlm": _split(4),
    "llava": _llava,
    **dict.fromkeys(
        ["granite4_vision", "llava_next", "llava_next_video", "llava_onevision"], _anyres
    ),
    **dict.fromkeys(["minicpm_ocr", "minicpmv4_6", "minicpmv4_7"], _slices),
    **dict.fromkeys(
        ["gemma3", "shieldgemma2", "t5gemma2"], _fixed(_stated("mm_tokens_per_image", 256))
    ),
    **dict.fromkeys(["diffusion_gemma", "gemma4"], _pooled),
    "paligemma": _fixed(_patches, 0),
    **dict.fromkeys(["lighton_ocr", "mistral3", "mistral_large4"], _bounded(1540)),
    "lfm2_vl": _padded,
    "mllama": _canvas,
    "kimi_k25": _shrunk(16_384, 512),
    **dict.fromkeys(["inkling2", "inkling2_loop"], _unbounded),
    **dict.fromkeys(["muse_glimmer", "muse_spark"], _closest),
    "cohere2_vision": _tiles_of(Least, 12),
    "ovis2": _tiles_of(Covering, 12),
    **dict.fromkeys(["hunyuan_vl", "hy_v4_vl"], _rowed),
    "granite_docling": _page,
    "idefics2": _latent,
    "phi4_multimodal": _trimmed,
    "nemotron_h_omni": _gridded,
    "llama4": _tiles_of(Least, 16),
    "gemma4_unified": _unpooled,
    "gemma3n": lambda config: Fixed(768, 256, config.get("vision_soft_tokens_per_image") or 256),
    "fast_vlm": lambda config: Fixed(1024, 256, 256),
    "minimax_m3_vl": _native(4 * 28 * 28, 451_584),
    "florence2": lambda config: Fixed(768, (768 // 32) ** 2, 0),
    **dict.fromkeys(
        [
            "blip",
            "blip-2",
            "deepseek_vl",
            "deepseek_vl_hybrid",
            "git",
            "got_ocr2",
            "janus",
            "kosmos-2",
            "pp_chart2table",
            "video_llava",
            "vipllava",
        ],
        SQUARE,
    ),
}
"""What makes the rule, by ``model_type``."""
