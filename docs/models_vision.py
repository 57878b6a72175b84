"""The page of models that take images, from the shipped traces: python docs/models_vision.py"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from workloads.catalogue import get_entry
from workloads.encoded_images import encoded_image
from workloads.flop_check import phase_flops
from workloads.image_rules import Rule
from workloads.model_facts import IMAGES_PX
from workloads.shipped_ids import model_ids
from workloads.trace import Trace
from workloads.trace_file import load_trace

PAGE: Final = Path(__file__).parent / "models_vision.md"
HEAD: Final = """# Models that take images

Written by `python docs/models_vision.py`; not edited by hand.

Vision tower, projector and decoder of one configuration are the phases vision encode, prefill and
decode. What an image becomes follows the family's own image processor; a
`preprocessor_config.json` beside a `config.json` overrules what its rule takes from the family's
released files. The work of the encoder counts the matrix FLOP of tower and projector, attention in
full, windows as windows.

"""
TAIL: Final = """
| image rule | what an image becomes | families |
| --- | --- | --- |
| cells | native resolution on whole cells, the rule chosen by `deployment.images` | AndesVL |
| native | native resolution within a pixel budget | Qwen-VL since 2, Qwen3.5, GLM-4V, MiniMax-M3 |
| rowed | the same, each row of tokens with one that ends it | Hunyuan-VL |
| shrunk | native resolution, shrunk into a budget of patches, never enlarged | Kimi-K2.5, Inkling |
| closest | the cells nearest in aspect ratio within a budget of tokens | Muse |
| gridded | native resolution in whole patches between two numbers of them | Nemotron Omni |
| latent | native resolution, read as so many latents | Idefics2 |
| bounded | native resolution below a longest side; each row ends in a token | Mistral 3, Pixtral |
| fixed | one square; with pan and scan also crops | Gemma 3 and 3n, PaliGemma, LLaVA 1.5, FastVLM |
| pooled | patches padded to a budget, pooled to tokens | Gemma 4 |
| canvas | tiles padded to the same number, read by cross attention | Llama 3.2 Vision |
| tiles | the grid of tiles of the nearest aspect ratio, and a thumbnail | InternVL3, Aya Vision |
| least | the grid of tiles that resizes the image least, and a thumbnail | Cohere Vision, Llama 4 |
| covering | the fewest tiles that keep the image's area, and a thumbnail | Ovis2 |
| page | the nearest grid of tiles with bounded sides, and a thumbnail | Granite Docling |
| split | the longer side resized, cut into tiles, and a thumbnail | SmolVLM, SmolVLM2, Idefics3 |
| anyres | the best of listed resolutions, padding cut away | LLaVA-NeXT, LLaVA-OneVision |
| padded | native below a budget, tiles above, all padded alike | LFM2-VL |
| slices | slices of one aspect ratio beside a small image | MiniCPM-V |
| trimmed | tiles of the padded image, its padding cut away, and a thumbnail | Phi-4-multimodal |

Any other model of these families works by its file:

    andesim models ./config.json
    andesim simulate --set model=./config.json --set 'session.turns.0.images_px=[[1080, 2400]]'

The images of Llama 3.2 Vision take no place in the prompt. Its tokens in the table are states whose
keys and values are made once, with the image's encoding, and read by layers of cross attention at
every step that follows; without an image those layers do not run.

The towers of FastVLM and Gemma 3n are networks of `timm`. Those that ship were captured with it;
another configuration of these families needs `pip install '.[timm]'`, which brings timm 1.0.31 and
torchvision 0.28.0. Beside a PyTorch without CUDA that torchvision's compiled library does not load;
capturing needs none of it and goes on.

Phi-3.5-vision has no class in transformers. A composition of the same tower and decoder stands for
one of its tiles: `vision: {model: clip-vit-l-14-336-vision}`, `projector: {kind: pool, pool: 2,
layers: 2}`, `language: phi-3.5-mini`.

Not modelled: audio and video, the host's resizing of an image, and attention in both directions
among an image's tokens in prefill (Gemma 3, PaliGemma), which is counted as causal. What else is
not taken says why when it is asked.
"""


def table() -> str:
    """Return the table of the catalogue's models that take images."""
    names = [f"{wide}x{high}" for wide, high in IMAGES_PX]
    columns = ["model", "type", "image rule", "vision parameters"]
    columns += [f"tokens at {name}" for name in names]
    columns += [f"encoder at {name} [TFLOP]" for name in names]
    rows = [_row(model) for model in model_ids() if _sees(model)]
    alike = "| --- | --- | --- |" + " ---: |" * (len(columns) - 3)
    return "\n".join([f"| {' | '.join(columns)} |", alike, *rows]) + "\n"


def _sees(model: str) -> bool:
    return "vision_config" in get_entry(model) and "vision" in load_trace(model).phases


def _row(model: str) -> str:
    trace = load_trace(model)
    kind = str(get_entry(model).get("model_type", "andesvl"))
    images = [encoded_image(trace, sides) for sides in IMAGES_PX]
    cells = [model, kind, _kind(trace.image_rule), f"{trace.parameters['vision']:,}"]
    cells += [f"{image.seen:,}" for image in images]
    cells += [f"{_tflop(trace, dict(image.sizes)):.3f}" for image in images]
    return f"| {' | '.join(cells)} |"


def _kind(rule: Rule | None) -> str:
    return "cells" if rule is None else rule.KIND


def _tflop(trace: Trace, sizes: dict[str, int]) -> float:
    return phase_flops(trace.phases["vision"], sizes) / 1e12


def page() -> str:
    """Return the whole page."""
    return HEAD + table() + TAIL


if __name__ == "__main__":
    PAGE.write_text(page())
