"""What is counted for the rows of single networks: patches, bytes of weights, and their bound."""

from __future__ import annotations

from typing import Final

import pandas as pd

from sim.evidence.corpus_peaks import peak
from sim.evidence.corpus_tables import IMPOSSIBLE

PATCH_PX: Final = {
    "qwen2-vl-2b": 14, "qwen2.5-vl-3b": 14, "qwen3-vl-2b": 16, "qwen3-vl-8b": 16,
    "minicpm-v-2-6": 14, "smolvlm-256m": 16, "internvl2.5-1b-mpo": 14, "internvl3-2b": 14,
    "mobilevlm-1.7b": 14, "mobilevlm-v2-1.7b": 14, "llava-tinyllama-1.1b": 14, "gemma4-e2b": 16,
    "gemma4-e4b": 16, "deepseek-ocr-3b": 16, "vit-b-16-224": 16, "vit-b-16-336": 16,
    "vit-b-16": 16, "clip-vit-b-16": 16, "depth-anything": 14, "depth-anything-v2-small": 14,
    "siglip2-base-224": 16, "swin-t-224": 4, "swin-s-224": 4, "swinv2-b-256": 4,
    "owl-vit": 32, "owlv2": 16, "trocr": 16,
}  # fmt: skip
"""Side of a patch by network, from its published configuration [px]."""
SMALLEST_BYTES: Final = 32e6
"""Networks below may rest in a cache and are not held against the bandwidth."""


def derive_networks(table: pd.DataFrame) -> pd.DataFrame:
    """Return patches, weight bytes and the bandwidth bound of networks of one component."""
    parts = table.groupby("model_label")["component"].transform("nunique")
    bits = table["weights"].map({"w8": 8, "f16": 16, "f32": 32, "w4": 4})
    images = table["image_px"] != ""  # a table of words is not read in full
    weight_bytes = (table["parameters"] * bits / 8).where((parts == 1) & images)
    peaks = {name: peak(name) for name in table["device"].unique()}
    floor_s = weight_bytes / table["device"].map(peaks)
    broken = (weight_bytes > SMALLEST_BYTES) & (table["inference_s"] < floor_s)
    said = [
        f"inference_s of {seconds:g} is below the {floor:.3g} s that its weights need at the peak "
        f"bandwidth of {device}."
        for seconds, floor, device in zip(
            table["inference_s"], floor_s, table["device"], strict=True
        )
    ]
    return pd.DataFrame(
        {
            "id": table["id"],
            "patches": patches(table),
            "weight_bytes": weight_bytes,
            IMPOSSIBLE: pd.Series(said, table.index).where(broken, ""),
        }
    )


def patches(table: pd.DataFrame) -> pd.Series:
    """Return the patches of the image; none for the parts of a network that see words."""
    sides = table["image_px"].str.extract(r"^(\d+)x(\d+)$").astype("float64")
    patch = table["model"].map(PATCH_PX)
    found = (sides[0] // patch) * (sides[1] // patch)
    if "component" in table:
        found = found.where(~table["component"].str.contains("text|decoder", case=False))
    return found
