"""AndesVL-4B on the Dimensity 9500: what the paper's headline needs, mechanism by mechanism.

    andesim study andesvl -o docs/studies/andesvl.md

The claims (arXiv 2510.11496, abstract) are targets, never inputs: up to 6.7 times the decode rate,
up to 30.9 % less memory, 1.8 bits per weight. From a 4-bit autoregressive baseline compression,
speculation and cache eviction are added one at a time; the parameters that nobody published are
drawn from their ranges, the same draws for every variant.

Not modelled: the accuracy that compression, sparsity and eviction cost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined
from numpy.typing import NDArray

from sim.explore.draws import draw
from sim.explore.uncertainty import sampled_metrics
from sim.results import Result
from sim.simulation import simulate
from workloads.catalogue import trace_for
from workloads.compression import get_format, which_mix
from workloads.scenario import Scenario, load_scenario
from workloads.weight_formats import catalogue

CLAIMED_SPEEDUP = 6.7
CLAIMED_MEMORY_SAVING = 0.309
CLAIMED_BITS = 1.8

DEVICE, STACK, MODEL = "dimensity_9500", "neuropilot", "andesvl-4b"
TAU_RANGE = (2.7, 5.5)
"""Tokens per target pass: 2.69 measured with an EAGLE-3 head on Qwen3-4B when sampling
(github.com/Tencent/AngelSlim) up to 5.47 for retrieval drafts on phone tasks (arXiv 2510.15312)."""
TAU_MEASURED = 3.03
"""Mean of four tasks, EAGLE-3 on Qwen3-4B, greedy (github.com/Tencent/AngelSlim)."""
DECIDING = {
    "share of the DRAM peak attained": (f"stacks.{STACK}.bandwidth_fraction", 1.0),
    "compressed weights expanded, 1e9/s": ("units.npu.dequantise.rate", 1e9),
    "matrix rate in a16w4, TFLOP/s": ("units.npu.matrix.rates.a16w4", 1e12),
}
"""Parameters nobody published that the speed-up hangs on: path, and the unit it is told in."""
SELDOM = 0.1
"""Where fewer draws reach the claim, the page says that it is out of reach."""
DEPTH = 5
"""Tokens the EAGLE head drafts for a target pass."""
DRAFT_VOCABULARY = 32_768
CACHE_TOKENS = 4096
KEEP = 0.5
"""Share of the prompt's tokens that stays in the cache; OKV's own is unpublished."""

TEMPLATE = Path(__file__).with_suffix(".md.j2")
NEAR_BITS = 0.05
"""Bits per weight by which a format may miss the claim and still count as it."""
CONTEXTS = (1024, 4096, 8192, 32_768)
"""Prompt tokens for which eviction is compared."""
CLASSES = ("weights", "embedding", "vision", "kv_cache", "draft", "activations", "runtime")
MIX_FORMATS = ("w4", "w8", "w2", "sparse75_int4_entropy", "bitnet", "w2_entropy", "tq1_0")

Cells = tuple[str, ...]

BASELINE = (
    f"device={DEVICE}",
    f"stack={STACK}",
    f"model={MODEL}",
    "deployment.weights={body: w4, lm_head: w4, embedding: w8, vision: w8}",
    "deployment.activations=int16",
    f"deployment.kv_cache={{dtype: int16, capacity_tokens: {CACHE_TOKENS}, "
    f"buckets: [{CACHE_TOKENS // 2}, {CACHE_TOKENS}]}}",
    "session={turns: [{images_px: [[1080, 2400]], prompt_tokens: 2400, output_tokens: 257}]}",
)
COMPRESSION = (
    "deployment.weights={body: sparse75_int4_entropy, lm_head: sparse75_int4_entropy, "
    "embedding: w8, vision: w8}",
)
SPECULATION = (
    f"deployment.speculation={{method: eagle, depth: {DEPTH}, "
    f"draft_vocabulary: {DRAFT_VOCABULARY}, acceptance: {{alpha: 0.7}}}}",
)
EVICTION = (
    "deployment.kv_cache.dtype=int8",
    f"deployment.kv_cache.eviction={{policy: okv, keep: {KEEP}}}",
)
VARIANTS: Mapping[str, tuple[str, ...]] = {
    "W4A16, one token at a time": (),
    "+ compression to 1.8 bits": COMPRESSION,
    "+ speculation (EAGLE head)": COMPRESSION + SPECULATION,
    "+ OKV (int8, half kept)": COMPRESSION + SPECULATION + EVICTION,
}


@dataclass(frozen=True, slots=True)
class Interval:
    """Percentiles of a quantity over the draws."""

    p10: float
    p50: float
    p90: float

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Interval:
        """Return the 10th, 50th and 90th percentile."""
        return cls(*(float(value) for value in np.percentile(values, (10, 50, 90))))

    def holds(self, value: float) -> bool:
        """Return whether a value lies between the 10th and the 90th percentile."""
        return self.p10 <= value <= self.p90


@dataclass(frozen=True)
class Variant:
    """One deployment of the study: its run at the central parameters, and its step over the draws.

    Attributes
    ----------
    step_s
        Mean decode step, one entry per draw [s].
    """

    name: str
    result: Result
    step_s: NDArray[np.float64]

    @property
    def speculates(self) -> bool:
        """Whether a step commits more than one token."""
        return self.result.scenario.deployment.speculation.method != "none"

    @property
    def central_step_s(self) -> float:
        """Mean decode step at the central parameters [s]."""
        summary = self.result.summary()
        return (summary.decode_s or 0.0) / summary.decode_steps


@dataclass(frozen=True, slots=True)
class Third:
    """A third of the draws, by one quantity: its range, and the share that reaches the claim."""

    low: float
    high: float
    share: float


@dataclass(frozen=True)
class Study:
    """All variants over the same draws of parameters and of tokens per target pass.

    Attributes
    ----------
    variants
        The baseline first, the one with every mechanism last.
    tau
        Tokens a target pass commits where drafts are made, one entry per draw.
    parameters
        The draws of the device's parameters, by dotted path, in SI units.
    """

    variants: tuple[Variant, ...]
    tau: NDArray[np.float64]
    parameters: Mapping[str, NDArray[np.float64]]

    def rate(self, variant: Variant) -> NDArray[np.float64]:
        """Return tokens per second of a variant over the draws."""
        return (self.tau if variant.speculates else np.ones_like(self.tau)) / variant.step_s

    def speedup(self, variant: Variant) -> NDArray[np.float64]:
        """Return the decode speed-up over the baseline, draw by draw."""
        return self.rate(variant) / self.rate(self.variants[0])

    @cached_property
    def final(self) -> Variant:
        """The variant with every mechanism on."""
        return self.variants[-1]

    def tau_needed(self) -> Interval:
        """Return the tokens per target pass at which the final variant reaches the claim."""
        ratio = self.variants[0].step_s / self.final.step_s
        return Interval.of(CLAIMED_SPEEDUP / ratio)

    def share_reaching_claim(self) -> float:
        """Return the share of the draws in which the claimed speed-up is reached."""
        return float((self.speedup(self.final) >= CLAIMED_SPEEDUP).mean())

    def regions(self) -> dict[str, tuple[Third, ...]]:
        """Return, for what decides, how many draws reach the claim in each third of its range."""
        quantities = {
            "tokens per target pass": self.tau,
            "base, tokens/s": self.rate(self.variants[0]),
            **{name: self.parameters[path] / unit for name, (path, unit) in DECIDING.items()},
        }
        return {name: tuple(self._thirds(values)) for name, values in quantities.items()}

    def _thirds(self, values: NDArray[np.float64]) -> Iterator[Third]:
        reached = self.speedup(self.final) >= CLAIMED_SPEEDUP
        for part in np.array_split(np.argsort(values), 3):
            chosen = values[part]
            yield Third(float(chosen[0]), float(chosen[-1]), float(reached[part].mean()))


def scenarios() -> Iterator[tuple[str, Scenario]]:
    """Yield the variants' names and scenarios."""
    for name, overrides in VARIANTS.items():
        yield name, load_scenario(None, (*BASELINE, *overrides))


def run(draws: int = 200, seed: int = 0) -> Study:
    """Return the study over ``draws`` draws of the uncertain parameters."""
    random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
    variants: list[Variant] = []
    for name, scenario in scenarios():
        result = simulate(scenario, seed=seed)
        sampled = sampled_metrics(result, draws, seed)
        variants.append(Variant(name, result, sampled["decode_s"] / sampled["decode_steps"]))
    parameters = draw(variants[0].result.soc, STACK, draws, seed)
    return Study(tuple(variants), random.uniform(*TAU_RANGE, draws), parameters)


def page(study: Study, draws: int, seed: int) -> str:
    """Return the study as Markdown, with the claims judged and what it was drawn with."""
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    facts = {**_speed(study), **_memory(study), **_bits()}
    return template.render(
        **facts,
        draws=draws,
        seed=seed,
        claims={
            "speedup": CLAIMED_SPEEDUP,
            "saving": CLAIMED_MEMORY_SAVING,
            "bits": CLAIMED_BITS,
        },
        verdicts={name: facts[f"{name}_verdict"] for name in ("speed", "memory", "bits")},
        tau_range=TAU_RANGE,
        tau_measured=TAU_MEASURED,
        cache_tokens=CACHE_TOKENS,
        eviction_rows=_eviction_rows(),
    )


def _speed(study: Study) -> dict[str, Any]:
    final = Interval.of(study.speedup(study.final))
    ratio = np.median(study.variants[0].step_s / study.final.step_s)
    return {
        "speed_verdict": "reproduced inside the interval"
        if final.holds(CLAIMED_SPEEDUP)
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
        "measured_speedup": f"{TAU_MEASURED * ratio:.1f}",
        "alone": _cells(Interval.of(study.speedup(study.variants[1])), 2),
        "bits_ratio": f"{4 / CLAIMED_BITS:.2f}",
    }


def _regions(study: Study) -> dict[str, Any]:
    regions = study.regions()
    rows = [(name, *(_third(third) for third in thirds)) for name, thirds in regions.items()]
    hopeless = [
        f"{name} from {third.low:.3g} to {third.high:.3g}"
        for name, thirds in regions.items()
        for third in thirds
        if third.share < SELDOM
    ]
    return {"region_rows": rows, "hopeless": "; ".join(hopeless) or "none of these thirds"}


def _third(third: Third) -> str:
    return f"{third.low:.3g} to {third.high:.3g}: {third.share:.0%}"


def _memory(study: Study) -> dict[str, Any]:
    peaks = [variant.result.summary().peak_dram_bytes for variant in study.variants]
    savings = [1.0 - peak / peaks[0] for peak in peaks]
    reached = min(savings[1:]) <= CLAIMED_MEMORY_SAVING <= max(savings[1:])
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
        if abs(found.traffic_bits - CLAIMED_BITS) <= NEAR_BITS and found.id != "bpw1.8"
    ]
    shape = trace_for(MODEL).decoder
    head = float(shape.vocab * shape.hidden)
    body = float(trace_for(MODEL).parameters["body"])
    mixes = which_mix(CLAIMED_BITS, {"body": body, "lm_head": head}, MIX_FORMATS)
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


def _eviction_rows() -> list[Cells]:
    rows: list[Cells] = []
    for tokens in CONTEXTS:
        kept, full = (_decode_rate(tokens, keep) for keep in (KEEP, 1.0))
        rows.append((f"{tokens}", f"{full:.1f}", f"{kept:.1f}", f"{kept / full:.2f}"))
    return rows


def _decode_rate(tokens: int, keep: float) -> float:
    """Return tokens per second after a prompt of ``tokens`` of which a share is kept."""
    capacity = tokens + 64
    overrides = (
        *BASELINE,
        *COMPRESSION,
        f"deployment.kv_cache={{dtype: int8, buckets: [{tokens // 2 + 64}, {capacity}], "
        f"capacity_tokens: {capacity}, eviction: {{policy: okv, keep: {keep}}}}}",
        f"session={{turns: [{{prompt_tokens: {tokens}, output_tokens: 33}}]}}",
        "environment.app_budget_bytes=100 GB",
    )
    return simulate(load_scenario(None, overrides)).summary().tokens_per_s or 0.0


def _cells(interval: Interval, digits: int) -> Cells:
    return tuple(f"{value:.{digits}f}" for value in (interval.p10, interval.p50, interval.p90))


def _megabytes(variant: Variant, name: str) -> str:
    return f"{variant.result.ledger.peak.by_class.get(name, 0.0) / 1e6:.0f}"


def written(draws: int, seed: int) -> dict[str, str]:
    """Return the texts of the study by file name, its page first."""
    return {"andesvl.md": page(run(draws, seed), draws, seed)}
