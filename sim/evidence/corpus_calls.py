"""What is counted for networks and encoders: patches, bytes and FLOPs of a call, their bound.

A row of a network that ships is one call of its trace on the ideal device, whose activations never
leave the chip: weights, input and output are the least that any device moves. It is counted only
where the published parameters agree with the trace's to a tenth and the image is the trace's. Other
networks of one component have the bytes of their published parameters.

A row that says how the encoder of a vision-language model is stored has the bytes of its
parameters, of our trace or as published, which a call reads at least once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from hw_models.soc import list_socs, load_soc
from sim.calibration.rows import observe
from sim.evidence.corpus_networks import WEIGHTS, network_id
from sim.evidence.corpus_peaks import peak
from sim.evidence.corpus_tables import (
    BYTES,
    FEWEST_ONCE,
    HELD_BY,
    IMPOSSIBLE,
    NOT_HELD,
    NOT_TIMED,
    WEIGHTS_ONCE,
)
from sim.evidence.measured import MeasuredRun
from sim.evidence.questions import INFERENCE, CannotSimulate
from sim.validation.roofline import highest_flops_per_s
from workloads.catalogue import trace_for
from workloads.networks import input_text, network_entry, shipped_network
from workloads.shipped_ids import model_ids

IDEAL: Final = ("ideal_85gbps_50tflops", "ideal")
"""Device and stack that stand in where no file describes a row's own."""
AGREES: Final = 0.1
"""Greatest difference of published parameters, which are rounded, from the trace's."""

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
ENCODER_PARAMETERS: Final = {"deepseek-ocr-3b": 380e6}
"""Parameters of encoders that we have no trace of (alphaxiv.org/models/deepseek/deepseek-ocr)."""
BITS: Final = {"w4": 4, "w8": 8, "f16": 16, "f32": 32}
"""Bits of a parameter by what the rows call their format."""
PARTLY_READ: Final = "text|bert|joiner|t5|opus|vae"
"""How parts are named that read some of their parameters: a row of words, half an autoencoder."""
BY_BYTES: Final = "its bytes need at the peak bandwidth of {}"
BY_PRODUCTS: Final = "its products need at the highest rate that {} assumes"
SMALLEST_BYTES: Final = 32e6
"""Networks below may rest in a cache and are not held against the bandwidth."""


def derive_networks(table: pd.DataFrame) -> pd.DataFrame:
    """Return patches, weight bytes, the bounds and what holds each row of a network."""
    table = table.reset_index(drop=True)
    calls = _calls(table)
    reads_all = _reads_all(table)
    parameters = table["parameters"].where(reads_all)
    weight_bytes = parameters * table["weights"].map(BITS) / 8
    fewest_bytes = weight_bytes.fillna(parameters * min(BITS.values()) / 8)
    least_bytes = calls["call_bytes"].fillna(fewest_bytes)
    peaks = {name: peak(name) for name in table["device"].unique()}
    floor_s = least_bytes / table["device"].map(peaks)
    columns: dict[str, pd.Series] = {
        "id": table["id"],
        "patches": patches(table),
        "weight_bytes": weight_bytes,
        **{str(name): calls[name] for name in calls},
        IMPOSSIBLE: _below(
            table, "inference_s", floor_s.where(least_bytes > SMALLEST_BYTES), BY_BYTES
        ),
        "beyond_assumed_rate": _below(
            table, "inference_s", _products_s(table, calls["call_flops"]), BY_PRODUCTS
        ),
        **_holding(table, calls, reads_all, weight_bytes, least_bytes),
    }
    return pd.DataFrame(columns)


def _reads_all(table: pd.DataFrame) -> pd.Series:
    """Return whether a call reads all parameters that a row states.

    Parts of a network do where the source states more than one figure for them. What begins with a
    table of words reads some rows of it, and a decoder of tokens gets products of its encoder.
    """
    by_network = table.groupby("model_label")
    parts = by_network["component"].transform("nunique")
    figures = by_network["parameters"].transform("nunique")
    part, asked = table["component"], table["input_label"]
    of_tokens = asked.str.contains("tokens") | (asked == "Input resolution: 1x384")
    of_words = of_tokens & (~asked.str.contains("audio") | part.str.contains("decoder", case=False))
    in_part = part.str.contains(PARTLY_READ, case=False)
    return ((parts == 1) | (figures > 1)) & ~of_words & ~in_part


def _holding(
    table: pd.DataFrame,
    calls: pd.DataFrame,
    reads_all: pd.Series,
    weight_bytes: pd.Series,
    least_bytes: pd.Series,
) -> dict[str, pd.Series]:
    """Return what holds each row, and what is missing where nothing does."""
    is_small = least_bytes <= SMALLEST_BYTES
    timed = table["inference_s"].notna()
    by_bytes = least_bytes.notna() & ~is_small
    by_products = calls["call_flops"].notna() & table["device"].isin(list_socs())
    held = pd.Series(FEWEST_ONCE, table.index)
    held = held.mask(weight_bytes.notna(), WEIGHTS_ONCE)
    held = held.mask(calls["call_bytes"].notna(), BYTES)
    held = held.mask(is_small, "its products at the highest rate assumed")
    missing = pd.Series("the parameters of the part that ran", table.index)
    missing = missing.mask(~reads_all, "how much of its parameters it reads")
    missing = missing.mask(table["parameters"].isna(), "its parameters")
    missing = missing.mask(is_small, "its products, and the rate of a cache that holds its weights")
    missing = missing.mask(~timed, NOT_TIMED)
    is_held = timed & (by_bytes | by_products)
    return {HELD_BY: held.where(is_held, ""), NOT_HELD: missing.mask(is_held, "")}


def _calls(table: pd.DataFrame) -> pd.DataFrame:
    """Return what one call of a row's network moves and computes, and with which trace."""
    counted: dict[tuple[str, str], tuple[float, float] | None] = {}
    rows = []
    for row in table.to_dict(orient="records"):
        network = network_id(row["model"], row["component"])
        key = (network, WEIGHTS.get(row["weights"], row["weights"]))
        if key not in counted:
            counted[key] = _call(*key)
        found = counted[key] if network and _agrees(row, network) else None
        rows.append((network if found else "", *(found or (float("nan"),) * 2)))
    return pd.DataFrame(
        rows, columns=["derived_network", "call_bytes", "call_flops"], index=table.index
    )


def _call(network: str, weights: str) -> tuple[float, float] | None:
    """Return DRAM bytes and FLOPs of one call on the ideal device; none where that is open."""
    if not network or not weights:
        return None
    device, stack = IDEAL
    asked: dict[str, Any] = {
        "device": device,
        "stack": stack,
        "model": network,
        "weights": weights,
    }
    try:
        row = observe(MeasuredRun(id=network, inference_s=1.0, **asked), INFERENCE)
    except CannotSimulate:
        return None
    totals = [sum(group.total(kind) for group in row.groups) for kind in ("dram_bytes", "flops")]
    return float(totals[0]), float(totals[1])


def _agrees(row: Mapping[Any, Any], network: str) -> bool:
    """Return whether a row is of the network that ships: its image, its parameters to a tenth."""
    sides = str(row["image_px"])
    published = row["parameters"] / shipped_network(network).total_parameters
    same_image = not sides or sides in input_text(network_entry(network))
    return same_image and (pd.isna(published) or abs(published - 1.0) < AGREES)


def derive_encoders(table: pd.DataFrame) -> pd.DataFrame:
    """Return patches, bytes of the encoder and the bandwidth bound of vision-language rows."""
    is_encoder = table["format_label"].str.contains("encoder") & table["vision_encode_s"].notna()
    bits = table["weights"].map(BITS)
    named = table["model"][is_encoder]
    parameters = named.map({name: _seeing(name) for name in named.unique()}).reindex(table.index)
    encoder_bytes = parameters * bits / 8
    floor_s = encoder_bytes / table["device"].map({d: peak(d) for d in table["device"].unique()})
    said = _below(table, "vision_encode_s", floor_s, BY_BYTES)
    return pd.DataFrame(
        {"patches": patches(table), "encoder_bytes": encoder_bytes, IMPOSSIBLE: said}
    )


def _seeing(model: str) -> float:
    """Return the parameters of a model's encoder; NaN where neither trace nor page says."""
    if model in model_ids():
        return float(trace_for(model).parameters.get("vision", 0)) or float("nan")
    return ENCODER_PARAMETERS.get(model, float("nan"))


def _below(table: pd.DataFrame, metric: str, floor_s: pd.Series, why: str) -> pd.Series:
    """Return what is said of each row whose time is below the least; "" of the others."""
    said = [
        f"{metric} of {seconds:g} is below the {floor:.3g} s that {why.format(device)}."
        for seconds, floor, device in zip(table[metric], floor_s, table["device"], strict=True)
    ]
    return pd.Series(said, table.index).where(table[metric] < floor_s, "")


def _products_s(table: pd.DataFrame, flops: pd.Series) -> pd.Series:
    """Return the least seconds of the products, at the highest rate that a device file assumes."""
    known = set(table["device"]) & set(list_socs())
    rates = {device: highest_flops_per_s(load_soc(device)) for device in known}
    return flops / table["device"].map(rates)


def patches(table: pd.DataFrame) -> pd.Series:
    """Return the patches of the image; none for the parts of a network that see words."""
    sides = table["image_px"].str.extract(r"^(\d+)x(\d+)$").astype("float64")
    patch = table["model"].map(PATCH_PX)
    found = (sides[0] // patch) * (sides[1] // patch)
    if "component" in table:
        found = found.where(~table["component"].str.contains("text|decoder", case=False))
    return found
