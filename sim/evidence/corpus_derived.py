"""What our traces derive for rows of the corpus, and the bound that an impossible row breaks.

``python -m sim.evidence.corpus_derived`` writes ``derived_<kind>.parquet`` beside each table. A
row whose network the catalogue holds is compiled for its own device and stack where a file
describes them, else for the ideal device (live lengths, no padding). Nothing is priced or fitted:
counts of bytes and FLOPs only.

A row is *impossible* if the bytes it must move would need more than the peak bandwidth of its
device, at the upper end of the file's range. Products beyond the assumed rate of a unit make no
row impossible, since nobody publishes that rate; ``beyond_assumed_rate`` says so, for the authors
of device files. Not modelled: what a system-level cache spares a small network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import pandas as pd

from hw_models.soc import load_soc
from sim.calibration.rows import Observation, observe
from sim.evidence.corpus_tables import FOLDER, IMPOSSIBLE, KINDS
from sim.evidence.measured import MeasuredRun
from sim.evidence.questions import CannotSimulate
from sim.validation.roofline import (
    highest_bytes_per_s,
    matrix_floor_seconds,
    measured_seconds,
    memory_floor_seconds,
)

IDEAL: Final = ("ideal_85gbps_50tflops", "ideal")
"""Device and stack that stand in where no file describes a row's own."""
DERIVED_METRICS: Final = ("tokens_per_s", "prefill_tokens_per_s", "time_to_first_token_s")
"""What a row may have measured that bytes and FLOPs can be counted for."""
COUNTS: Final = ("prompt_tokens", "output_tokens", "context_tokens", "depth_tokens")
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


class Counts(NamedTuple):
    """What one metric of a row needs: per step for decode, in all for the rest."""

    where: str
    dram_bytes: float
    flops: float
    observation: Observation | None


def derive(kind: str, folder: Path = FOLDER) -> pd.DataFrame:
    """Return the derived columns of one table, a row an id."""
    table = pd.read_parquet(folder / f"{kind}.parquet")
    if kind == "time_series":
        return pd.DataFrame({"id": table["id"].unique(), IMPOSSIBLE: ""})
    if kind == "network":
        return _networks(table)
    known: dict[tuple[Any, ...], Counts | str] = {}
    records = table.to_dict(orient="records")
    rows = [_language_row({str(k): v for k, v in row.items()}, known) for row in records]
    derived = pd.DataFrame(rows)
    if kind == "vision_language":
        derived["patches"] = _patches(table)
    return derived


def _language_row(
    row: Mapping[str, Any], known: dict[tuple[Any, ...], Counts | str]
) -> dict[str, Any]:
    found: dict[str, Any] = {"id": row["id"], "derived_for": "", "not_derived": ""}
    bounds: dict[str, list[str]] = {IMPOSSIBLE: [], "beyond_assumed_rate": []}
    for metric in DERIVED_METRICS:
        value = row.get(metric)
        if value is None or pd.isna(value):
            continue
        counts = _counts(row, metric, known)
        if isinstance(counts, str):
            found["not_derived"] = counts
            continue
        found["derived_for"] = counts.where
        phase = "decode" if metric == "tokens_per_s" else "prefill"
        per = "_per_step" if phase == "decode" else ""
        found |= {f"{phase}_bytes{per}": counts.dram_bytes, f"{phase}_flops{per}": counts.flops}
        if counts.observation:
            _check(replace(counts.observation, measured=float(value)), bounds)
    return found | {name: " ".join(said) for name, said in bounds.items()}


def _counts(
    row: Mapping[str, Any], metric: str, known: dict[tuple[Any, ...], Counts | str]
) -> Counts | str:
    run = measured_run(row, metric)
    key = (metric, *(str(getattr(run, name)) for name in _FACTS))
    if key not in known:
        known[key] = _counted(run, metric)
    return known[key]


_FACTS: Final = ("device", "stack", "model", "weights", "activations", "kv_dtype", *COUNTS)


def _counted(run: MeasuredRun, metric: str) -> Counts | str:
    try:
        row = observe(run, metric)
        return _totals(row, f"{run.device} / {run.stack}", row)
    except CannotSimulate:
        device, stack = IDEAL
    try:
        row = observe(run.model_copy(update={"device": device, "stack": stack}), metric)
    except CannotSimulate as error:
        return str(error)
    return _totals(row, "ideal", None)


def _totals(row: Observation, where: str, own: Observation | None) -> Counts:
    steps = sum(group.steps for group in row.groups) if row.metric == "tokens_per_s" else 1
    moved = sum(group.total("dram_bytes") for group in row.groups)
    computed = sum(group.total("flops") for group in row.groups)
    return Counts(where, moved / steps, computed / steps, own)


def measured_run(row: Mapping[str, Any], metric: str) -> MeasuredRun:
    """Return a row of the language tables as a measured run with one metric."""
    texts = ("id", "device", "stack", "model", "weights", "activations", "kv_dtype")
    fields: dict[str, Any] = {name: row.get(name) or "" for name in texts}
    for name in COUNTS:
        value = row.get(name)
        fields[name] = None if value is None or pd.isna(value) else int(value)
    fields["kv_dtype"] = {"f16": "fp16"}.get(fields["kv_dtype"], fields["kv_dtype"])
    return MeasuredRun(**fields | {metric: row[metric]})


def _check(row: Observation, bounds: dict[str, list[str]]) -> None:
    soc, seconds = load_soc(row.device), measured_seconds(row)
    memory_s, matrix_s = memory_floor_seconds(row, soc), matrix_floor_seconds(row, soc)
    if seconds < memory_s:
        bounds[IMPOSSIBLE].append(
            f"{row.metric} of {row.measured:g} means {seconds:.3g} s; its bytes need "
            f"{memory_s:.3g} s at the peak bandwidth of {soc.id}."
        )
    if seconds < matrix_s:
        bounds["beyond_assumed_rate"].append(
            f"{row.metric} of {row.measured:g} means {seconds:.3g} s; its products need "
            f"{matrix_s:.3g} s at the highest rate that {soc.id} assumes."
        )


def _networks(table: pd.DataFrame) -> pd.DataFrame:
    """Return patches, weight bytes and the bandwidth bound of networks of one component."""
    parts = table.groupby("model_label")["component"].transform("nunique")
    bits = table["weights"].map({"w8": 8, "f16": 16, "f32": 32, "w4": 4})
    images = table["image_px"] != ""  # a table of words is not read in full
    weight_bytes = (table["parameters"] * bits / 8).where((parts == 1) & images)
    peaks = {name: _peak(name) for name in table["device"].unique()}
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
            "patches": _patches(table),
            "weight_bytes": weight_bytes,
            IMPOSSIBLE: pd.Series(said, table.index).where(broken, ""),
        }
    )


def _peak(device: str) -> float:
    """Return the peak bandwidth at the upper ends of its ranges [B/s]; NaN without a file."""
    try:
        return highest_bytes_per_s(load_soc(device))
    except ValueError:
        return float("nan")


def _patches(table: pd.DataFrame) -> pd.Series:
    """Return the patches of the image; none for the parts of a network that see words."""
    sides = table["image_px"].str.extract(r"^(\d+)x(\d+)$").astype("float64")
    patch = table["model"].map(PATCH_PX)
    found = (sides[0] // patch) * (sides[1] // patch)
    if "component" in table:
        found = found.where(~table["component"].str.contains("text|decoder", case=False))
    return found


def main(folder: Path = FOLDER) -> None:
    """Write the derived columns of every table."""
    for kind in KINDS:
        derived = derive(kind, folder)
        derived.to_parquet(folder / f"derived_{kind}.parquet", index=False, compression="zstd")
        print(kind, len(derived), "impossible:", (derived[IMPOSSIBLE] != "").sum())


if __name__ == "__main__":
    main()
