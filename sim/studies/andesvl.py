"""AndesVL-4B on the Dimensity 9500: what the paper's headline needs, mechanism by mechanism.

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

import numpy as np
from numpy.typing import NDArray

from sim.explore.draws import draw
from sim.explore.uncertainty import sampled_metrics
from sim.results import Result
from sim.simulation import simulate
from workloads.scenario import Scenario, load_scenario

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
