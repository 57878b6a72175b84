"""Vision towers of many families: small ones, run for real, do what their traces say.

Visual tokens are those of the family's own image processor, and the FLOP those that PyTorch's
counter sees in attention that is written out.
"""

import dataclasses
import importlib
import sys
from functools import cache, partial
from types import SimpleNamespace
from unittest.mock import MagicMock, patch

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tests.more_vision_families import MORE_FAMILIES, SAMPLED, TIMM_FAMILIES
from tests.vision_families import PROCESSORS, VISION_FAMILIES

pytestmark = pytest.mark.torch

IMAGES_PX = (
    (448, 448),
    (1080, 2400),
    (2400, 1080),
    (640, 480),
    (333, 777),
    (1000, 100),
    (1920, 1080),
    (56, 84),
    (1024, 1024),
    (719, 1281),
)


EVERY = VISION_FAMILIES | MORE_FAMILIES | TIMM_FAMILIES


@cache
def built(family, device="meta"):
    import torch

    from workloads.models.from_transformers import build, read_config

    torch.manual_seed(0)
    return build(read_config(EVERY[family], family), family, device)


@cache
def rule(family):
    from workloads.models.image_families import image_rule
    from workloads.models.vision_phases import counted

    return counted(built(family), image_rule(built(family).model.config.to_dict()))


@cache
def phase(family):
    from workloads.models.text_shape import context_of
    from workloads.models.vision_phases import vision_phase

    return vision_phase(built(family), context_of(built(family)), rule(family))


def processed(family, sides):
    """Return (tokens, patches or tiles) as the family's image processor gives them."""
    import numpy as np

    if family == "padded_lfm2_vl":
        return padded(sides)
    folder, name, settings = PROCESSORS[family]
    place = f"transformers.models.{folder}.image_processing_pil_{folder}"
    processor = getattr(importlib.import_module(place), name)(**settings)
    width, height = sides
    kind = family.partition("_")[0]
    if kind == "native":
        patches = processor.get_number_of_image_patches(height, width)
        return patches // 4, patches
    if kind == "tiles":
        tiles = processor.get_number_of_image_patches(height, width, {})
        return tiles * 4, tiles
    if kind == "split":
        tiles = max(1, processor.get_number_of_image_patches(height, width)[0])
        return tiles * 4, tiles
    if kind == "anyres":
        return features(folder, processor, sides), None
    image = np.full((height, width, 3), 128, dtype=np.uint8)
    made = processor(images=[image], return_tensors="pt")
    if kind == "pooled":
        return int(made["num_soft_tokens_per_image"][0]), made["pixel_values"].shape[1]
    if kind == "slices":
        patches = int(made["target_sizes"].prod(-1).sum())
        return patches // 16, patches
    if kind == "bounded":
        high, wide = (int(side) for side in made["image_sizes"][0])
        cell, patch = (28, 14) if settings else (16, 16)
        return high * wide // cell**2, high * wide // patch**2
    if kind == "canvas":
        tiles, side = made["pixel_values"].shape[2], made["pixel_values"].shape[-1]
        return tiles * ((side // 14) ** 2 + 1), tiles
    tiles, side = len(made["pixel_values"]), made["pixel_values"].shape[-1]
    pooled = 4 if folder == "gemma3" else 1
    return tiles * (side // 14) ** 2 // pooled, tiles


def features(folder, processor, sides):
    """Return the visual tokens that a processor of listed resolutions counts, for tiles of 56."""
    name = {"llava_next": "LlavaNextProcessor", "llava_onevision": "LlavaOnevisionProcessor"}
    kind = getattr(
        importlib.import_module(f"transformers.models.{folder}.processing_{folder}"), name[folder]
    )
    settings = SimpleNamespace(
        image_processor=processor,
        patch_size=14,
        num_image_tokens=16,
        num_additional_image_tokens=0,
        vision_aspect_ratio="anyres_max_9",
    )
    settings._get_unpadded_features = partial(kind._get_unpadded_features, settings)
    return kind._get_number_of_features(settings, sides[1], sides[0], 56, 56)


@cache
def padded_processor():
    """Return the class that sizes images for LFM2-VL, which only for pixels needs torchvision."""
    importlib.import_module("transformers.image_processing_backends")
    folder = "transformers.models.lfm2_vl"
    stands = {name: MagicMock() for name in ("torchvision", "torchvision.transforms.v2")}
    with patch.dict(sys.modules, stands):
        return importlib.import_module(f"{folder}.image_processing_lfm2_vl").Lfm2VlImageProcessor


def padded(sides):
    """Return the visual tokens and the tiles that LFM2-VL's own code makes of an image."""
    kind = padded_processor()
    wide, high = kind.smart_resize(kind, sides[1], sides[0], 2, 64, 256, 16)
    tokens, tiles = wide * high // 32**2, 1
    if kind._is_image_too_large(kind, sides[1], sides[0], 256, 16, 2, 2.0):
        own = SimpleNamespace(_target_ratios=partial(kind._target_ratios.__wrapped__, kind))
        cut = kind._get_grid_layout(own, sides[1], sides[0], 2, 10, 512)[-1]
        tokens, tiles = tokens + cut * 16**2, tiles + cut
    return tokens, tiles


@pytest.mark.parametrize("family", sorted({*PROCESSORS, "padded_lfm2_vl"}))
def test_visual_tokens_are_those_of_the_image_processor(family):
    for sides in IMAGES_PX:
        image = rule(family).encode(*sides)
        tokens, parts = processed(family, sides)
        counted = image.sizes.get("K") if family.split("_")[0] != "slices" else None
        assert parts in (None, counted or image.patches), sides
        assert tokens == image.seen, sides


def sized(segments, sizes):
    return [
        (
            segment.name,
            segment.repeat,
            operator.name,
            operator.module,
            [
                [int(extent.at(sizes)) for extent in tensor.shape]
                for tensor in (*operator.inputs, *operator.outputs)
                if "float" in tensor.dtype
            ],
        )
        for segment in segments
        for operator in segment.operators
    ]


SEEN_PX = (336, 448)
MASK_FLOP = {"canvas_mllama": 2 * (4 * 24) ** 2}
"""Products that make a mask, a constant in a trace: 4 tiles of 17 states, padded to 24."""


IN_ORDER = {"fixed_fast_vlm": "token_mixer"}
"""Where a CPU's attention leaves its result in the order in which the next layer reads it.

Without data the result has another layout, so a trace has a copy more for each.
"""


def comparable(family, calls):
    """Return the calls without copies of a result that a CPU's attention leaves in order."""
    mixer = IN_ORDER.get(family)
    return [c for c in calls if not (mixer and c[2] == "aten.clone" and c[3].endswith(mixer))]


def seldom(family):
    """Return a family as a parameter, among the long checks if the suite runs others like it."""
    brief = family in VISION_FAMILIES or family in SAMPLED
    return family if brief else pytest.param(family, marks=pytest.mark.long)


@pytest.mark.parametrize("family", [seldom(family) for family in sorted(EVERY)])
def test_a_real_run_makes_the_calls_of_the_trace_and_the_flop_of_the_counter(family):
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    from workloads.flop_check import phase_flops
    from workloads.models.loops import condensed, varying_modules
    from workloads.models.text_shape import context_of
    from workloads.models.torchvision_names import import_torchvision
    from workloads.models.vision_inputs import image_call, image_inputs
    from workloads.models.vision_phases import record_image, segments_of, tower_of

    if family in TIMM_FAMILIES:
        import_torchvision()
        pytest.importorskip("timm")
    seen = rule(family).variants()[-1]
    traced, image = phase(family), seen.encode(*SEEN_PX)
    real = built(family, "cpu")
    tower = tower_of(real, context_of(real))
    whole = dataclasses.replace(tower, kinds=[*range(len(tower.kinds))])

    def run(sides):
        inputs = image_inputs(real.model, seen, sides, torch.bfloat16)
        return inputs, *record_image(real, inputs, folded=False, real=True)

    inputs, events, tokens = run(SEEN_PX)
    assert tokens == image.seen
    loops = varying_modules([events, run((448, 1120))[1]])
    said = sized(traced.segments, image.sizes)
    found = [
        sized(segments_of(whole, context_of(real), kept), {})
        for kept in (events, condensed(events, loops))
    ]
    assert comparable(family, said) in [comparable(family, calls) for calls in found]
    real.model.set_attn_implementation("eager")
    real.model.requires_grad_(False)
    written_out = sdpa_kernel(SDPBackend.MATH)  # the counter knows no kernel of a CPU
    with torch.no_grad(), written_out, FlopCounterMode(display=False) as counter:
        image_call(real.model)(**inputs)
    masks = MASK_FLOP.get(family, 0)
    assert counter.get_total_flops() - masks == phase_flops(traced, image.sizes)
