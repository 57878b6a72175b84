"""Grids of patches and tiles are those that the families' own image processors choose.

Some of these processors need torchvision for pixels; their code that chooses a size does not.
"""

import importlib
import math
import sys
from functools import cache, partial
from types import SimpleNamespace
from unittest.mock import MagicMock, patch

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tests.theory.test_vision_families import IMAGES_PX
from workloads.image_grids import Closest, Covering, Gridded, Latent, Least, Page, Shrunk, Trimmed
from workloads.image_kinds import read_rule
from workloads.image_rules import Native, Pooled, Rowed

pytestmark = pytest.mark.torch


@cache
def processing(family, backend=""):
    """Return the module of an image processor, torchvision's names without anything behind.

    What it imports besides stays imported: a configuration class must not exist twice.
    """
    importlib.import_module("transformers.image_processing_backends")
    stands = {name: MagicMock() for name in ("torchvision", "torchvision.transforms.v2")}
    before = {*sys.modules, *stands}
    with patch.dict(sys.modules, stands):
        found = importlib.import_module(
            f"transformers.models.{family}.image_processing_{backend}{family}"
        )
        others = {name: module for name, module in sys.modules.items() if name not in before}
    sys.modules.update({n: other for n, other in others.items() if "image_processing" not in n})
    return found


def kimi(high, wide):
    resize = processing("kimi_k25").navit_resize
    _, (padded_high, padded_wide) = resize(high, wide, 14, 2, 16_384, 512)
    return padded_high * padded_wide // 28**2


def muse(high, wide):
    own = vars(processing("muse_glimmer"))
    resize = next(f for n, f in own.items() if callable(f) and "max_tokens" in _arguments(f))
    resized = resize(high, wide, patch_size=28, max_tokens=4096)
    return math.prod(resized) // 28**2


def _arguments(function):
    return getattr(getattr(function, "__code__", None), "co_varnames", ())


def cohere(high, wide):
    tiles = math.prod(
        processing("cohere2_vision").get_optimal_tiled_canvas((high, wide), (512, 512), 1, 12)
    )
    return tiles + (tiles > 1)


def ovis(high, wide):
    grid = processing("ovis2", "pil_").get_min_tile_covering_grid((high, wide), 224, 12)
    return math.prod(grid) + (math.prod(grid) > 1)


def granite(high, wide):
    canvas = processing("granite_docling").get_optimal_tiled_canvas
    tiles = math.prod(canvas((high, wide), (512, 512), 1, 32))
    return tiles + (tiles > 1)


def idefics(high, wide):
    from transformers.image_utils import SizeDict

    image, sizes = MagicMock(shape=(3, high, wide)), SizeDict(shortest_edge=378, longest_edge=980)
    resized = processing("idefics2", "pil_").get_resize_output_image_size(image, sizes)
    return math.prod(side // 14 for side in resized)


def hunyuan(high, wide):
    resize = processing("hy_v4_vl").smart_resize
    rows, columns = (s // 32 for s in resize(high, wide, 32, 512**2, 2048**2))
    return rows * (columns + 1)


def minimax(high, wide):
    resize = processing("minimax_m3_vl").smart_resize
    return math.prod(resize(high, wide, 28, 4 * 28 * 28, 451_584)) // 28**2


def phi(high, wide):
    kind = processing("phi4_multimodal").Phi4MultimodalImageProcessor
    own = SimpleNamespace(find_closest_aspect_ratio=partial(kind.find_closest_aspect_ratio, None))
    image = MagicMock(shape=(3, high, wide), device="cpu")
    _, mask = kind.dynamic_preprocess(own, image, 448, 14, 32, 36)
    seen = mask[::2, ::2]
    return int(256 + 1 + seen.sum() + seen[:, 0].sum() + 16)


def gemma4(high, wide):
    resize = processing("gemma4_unified").get_aspect_ratio_preserving_size
    return math.prod(resize(high, wide, 16, 280 * 9, 3)) // 48**2


def inkling(high, wide):
    import torch
    from transformers.image_utils import SizeDict

    kind = processing("inkling2").Inkling2ImageProcessor
    own = SimpleNamespace(
        pad=lambda images, pad_size, fill_value: [
            torch.zeros(3, pad_size.height, pad_size.width, dtype=torch.int8)
        ],
        rescale_and_normalize=lambda image, *given: image,
    )
    image, cell = torch.zeros(3, high, wide, dtype=torch.int8), SizeDict(height=40, width=40)
    made = kind._preprocess(own, [image], cell, True, 1.0, True, None, None, "pt")
    return int(made["image_grid_thw"].prod())


def nemotron(high, wide):
    grid = processing("nemotron_h_omni").get_patch_grid_size
    return math.prod(grid(high, wide, 16, 2, 1024, 13_312))


RULES = {
    nemotron: (Gridded(16, 2, 1024, 13_312), "N"),
    gemma4: (Pooled(48, 1, 280), "tokens"),
    inkling: (Shrunk(40, 1), "tokens"),
    kimi: (Shrunk(14, 2, 16_384, 512), "tokens"),
    muse: (Closest(14, 2, 4096), "tokens"),
    cohere: (Least(512, 1024, 256), "K"),
    ovis: (Covering(224, 256, 256), "K"),
    granite: (Page(512, 1024, 64, 1, 32), "K"),
    idefics: (Latent(14, 64), "N"),
    hunyuan: (Rowed(16, 2, 512**2, 2048**2), "tokens"),
    phi: (Trimmed(14, 2, 448), "tokens"),
    minimax: (Native(14, 2, 4 * 28 * 28, 451_584), "tokens"),
}


@pytest.mark.parametrize("own", RULES, ids=lambda own: own.__name__)
def test_a_grid_is_that_of_the_image_processor(own):
    rule, counted = RULES[own]
    for wide, high in IMAGES_PX:
        image = rule.encode(wide, high)
        found = image.tokens if counted == "tokens" else image.sizes[counted]
        assert found == own(high, wide), (wide, high)


@pytest.mark.parametrize("own", RULES, ids=lambda own: own.__name__)
def test_a_rule_is_read_back(own):
    rule, _ = RULES[own]
    assert read_rule(rule.facts()) == rule


ONE = {"height": 56, "width": 56}
SQUARES = {
    "blip": ("BlipImageProcessorPil", {"size": ONE}),
    "clip": ("CLIPImageProcessorPil", {"size": {"shortest_edge": 56}, "crop_size": ONE}),
    "deepseek_vl": ("DeepseekVLImageProcessorPil", {"size": ONE}),
    "deepseek_vl_hybrid": (
        "DeepseekVLHybridImageProcessorPil",
        {"size": ONE, "high_res_size": {"height": 64, "width": 64}},
    ),
    "janus": ("JanusImageProcessorPil", {"size": ONE}),
}
"""Processors of BLIP-2, of Kosmos-2, Florence-2 and FastVLM, and of three more families."""


@pytest.mark.parametrize("folder", SQUARES)
def test_an_image_of_any_size_is_one_square(folder):
    import numpy as np

    name, settings = SQUARES[folder]
    processor = getattr(processing(folder, "pil_"), name)(**settings)
    for wide, high in IMAGES_PX:
        made = processor(images=[np.zeros((high, wide, 3), dtype=np.uint8)], return_tensors="np")
        assert made["pixel_values"].shape == (1, 3, 56, 56), (wide, high)
        assert made.get("high_res_pixel_values", np.zeros((1, 3, 64, 64))).shape[-1] == 64
