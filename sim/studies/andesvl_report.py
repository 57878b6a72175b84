"""The AndesVL study as a Markdown page: tables, and a plain verdict for each claim."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sim.simulation import simulate
from sim.studies import andesvl
from sim.studies.andesvl import Interval, Study, Variant
from workloads.catalogue import trace_for
from workloads.compression import get_format, which_mix
from workloads.scenario import load_scenario
from workloads.weight_formats import catalogue

TEMPLATE = Path(__file__).with_name("andesvl.md.j2")
NEAR_BITS = 0.05
"""Bits per weight by which a format may miss the claim and still count as it."""
CONTEXTS = (1024, 4096, 8192, 32_768)
"""Prompt tokens for which eviction is compared."""
CLASSES = ("weights", "embedding", "vision", "kv_cache", "draft", "activations", "runtime")
MIX_FORMATS = ("w4", "w8", "w2", "sparse75_int4_entropy", "bitnet", "w2_entropy", "tq1_0")

Row = tuple[str, ...]


def page(study: Study, draws: int, seed: int) -> str:
    """Return the study as Markdown, with the claims judged and what it was drawn with."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    facts = {**_speed(study), **_memory(study), **_bits()}
    return template.render(
        **facts,
        draws=draws,
        seed=seed,
        claims={
            "speedup": andesvl.CLAIMED_SPEEDUP,
            "saving": andesvl.CLAIMED_MEMORY_SAVING,
            "bits": andesvl.CLAIMED_BITS,
        },
        verdicts={name: facts[f"{name}_verdict"] for name in ("speed", "memory", "bits")},
        tau_range=andesvl.TAU_RANGE,
        tau_measured=andesvl.TAU_MEASURED,
        cache_tokens=andesvl.CACHE_TOKENS,
        eviction_rows=_eviction_rows(),
    )


def _speed(study: Study) -> dict[str, Any]:
    final = Interval.of(study.speedup(study.final))
    ratio = np.median(study.variants[0].step_s / study.final.step_s)
    return {
        "speed_verdict": "reproduced inside the interval"
        if final.holds(andesvl.CLAIMED_SPEEDUP)
        else "outside the interval",
        "speed_rows": [
            (
                variant.name,
                f"{variant.central_step_s * 1e3:.1f}",
                *_cells(Interval.of(study.rate(variant)), 1),
                *_cells(Interval.of(study.speedup(variant)), 2),
            )
            for variant in study.variants
        ],
        **_regions(study),
        "share": f"{study.share_reaching_claim():.0%}",
        "needed": _cells(study.tau_needed(), 1),
        "measured_speedup": f"{andesvl.TAU_MEASURED * ratio:.1f}",
        "alone": _cells(Interval.of(study.speedup(study.variants[1])), 2),
        "bits_ratio": f"{4 / andesvl.CLAIMED_BITS:.2f}",
    }


def _regions(study: Study) -> dict[str, Any]:
    regions = study.regions()
    rows = [(name, *(_third(third) for third in thirds)) for name, thirds in regions.items()]
    hopeless = [
        f"{name} from {third.low:.3g} to {third.high:.3g}"
        for name, thirds in regions.items()
        for third in thirds
        if third.share < andesvl.SELDOM
    ]
    return {"region_rows": rows, "hopeless": "; ".join(hopeless) or "none of these thirds"}


def _third(third: andesvl.Third) -> str:
    return f"{third.low:.3g} to {third.high:.3g}: {third.share:.0%}"


def _memory(study: Study) -> dict[str, Any]:
    peaks = [variant.result.summary().peak_dram_bytes for variant in study.variants]
    savings = [1.0 - peak / peaks[0] for peak in peaks]
    reached = min(savings[1:]) <= andesvl.CLAIMED_MEMORY_SAVING <= max(savings[1:])
    rows = zip(study.variants, peaks, savings, strict=True)
    return {
        "memory_verdict": "reproduced" if reached else "not reproduced",
        "memory_head": ("variant", *(f"{name} MB" for name in CLASSES), "peak MB", "saved"),
        "memory_rows": [
            (
                variant.name,
                *(_megabytes(variant, name) for name in CLASSES),
                f"{peak / 1e6:.0f}",
                f"{saving:.1%}",
            )
            for variant, peak, saving in rows
        ],
        "savings": [f"{saving:.1%}" for saving in savings],
    }


def _bits() -> dict[str, Any]:
    near = [
        found
        for found in catalogue().values()
        if abs(found.traffic_bits - andesvl.CLAIMED_BITS) <= NEAR_BITS and found.id != "bpw1.8"
    ]
    shape = trace_for(andesvl.MODEL).decoder
    head = float(shape.vocab * shape.hidden)
    body = float(trace_for(andesvl.MODEL).parameters["body"])
    mixes = which_mix(andesvl.CLAIMED_BITS, {"body": body, "lm_head": head}, MIX_FORMATS)
    sparse = get_format("sparse75_int4_entropy").traffic_bits
    return {
        "bits_verdict": "reproduced" if near else "not reproduced",
        "format_rows": [
            (f"`{item.id}`", f"{item.traffic_bits:.3f}", item.formula) for item in near
        ],
        "mix_rows": [
            (mix.formats["body"], mix.formats["lm_head"], f"{mix.bits:.3f}") for mix in mixes
        ],
        "eight_bit_head": f"{(body * sparse + head * 8) / (body + head):.2f}",
    }


def _eviction_rows() -> list[Row]:
    rows: list[Row] = []
    for tokens in CONTEXTS:
        kept, full = (_decode_rate(tokens, keep) for keep in (andesvl.KEEP, 1.0))
        rows.append((f"{tokens}", f"{full:.1f}", f"{kept:.1f}", f"{kept / full:.2f}"))
    return rows


def _decode_rate(tokens: int, keep: float) -> float:
    """Return tokens per second after a prompt of ``tokens`` of which a share is kept."""
    capacity = tokens + 64
    overrides = (
        *andesvl.BASELINE,
        *andesvl.COMPRESSION,
        f"deployment.kv_cache={{dtype: int8, buckets: [{tokens // 2 + 64}, {capacity}], "
        f"capacity_tokens: {capacity}, eviction: {{policy: okv, keep: {keep}}}}}",
        f"session={{turns: [{{prompt_tokens: {tokens}, output_tokens: 33}}]}}",
        "environment.app_budget_bytes=100 GB",
    )
    return simulate(load_scenario(None, overrides)).summary().tokens_per_s or 0.0


def _cells(interval: Interval, digits: int) -> Row:
    return tuple(f"{value:.{digits}f}" for value in (interval.p10, interval.p50, interval.p90))


def _megabytes(variant: Variant, name: str) -> str:
    return f"{variant.result.ledger.peak.by_class.get(name, 0.0) / 1e6:.0f}"
