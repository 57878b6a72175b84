"""AndesVL-4B on the Dimensity 9500: which readings of what is unpublished reach the headline.

    andesim study andesvl -o docs/studies/andesvl.md

The claims (arXiv 2510.11496, abstract) are targets, never inputs: up to 6.7 times the decode rate,
up to 30.9 % less memory, 1.8 bits per weight. A factorial runs over what nobody published: the
cache of the base, the kind of draft with its own acceptance *and* its own costs, how a MediaTek
step splits into bus and overhead, and whether hardware expands the weights. All other uncertain
numbers of the device are drawn, the same draws in every cell.

Not modelled: the accuracy that compression, sparsity and eviction cost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from jinja2 import Environment, StrictUndefined
from numpy.typing import NDArray

from hw_models.soc import SocSpec, load_soc
from sim.explore.uncertainty import sampled_metrics
from sim.results import Result
from sim.simulation import simulate
from workloads.catalogue import trace_for
from workloads.compression import get_format, which_mix
from workloads.scenario import load_scenario

CLAIMED_SPEEDUP = 6.7
CLAIMED_MEMORY_SAVING = 0.309
CLAIMED_BITS = 1.8

DEVICE, STACK, MODEL = "dimensity_9500", "neuropilot", "andesvl-4b"
SELDOM, LIKELY = 0.1, 0.5
"""Shares of draws below which a cell seldom reaches the claim, and from which it likely does."""
CACHE_TOKENS = 4096
KEEP = 0.5
"""Share of the prompt's tokens that stays in the cache; OKV's own is unpublished."""
TEMPLATE = Path(__file__).with_suffix(".md.j2")
CONTEXTS = (1024, 4096, 8192, 32_768)
"""Prompt tokens for which eviction is compared."""
CLASSES = ("weights", "embedding", "vision", "kv_cache", "draft", "activations", "runtime")
MIX_FORMATS = ("w4", "w8", "w2", "sparse75_int4_entropy", "bitnet", "w2_entropy", "tq1_0")
READ_AS_1_8 = (
    "sparse75_int4_entropy",
    "w2_entropy",
    "sparse75_int4_bitmap",
    "w2",
    "tq1_0",
    "bitnet",
)
"""Ways to read 1.8 bits, from the entropy bounds to formats that a decoder can address."""

Cells = tuple[str, ...]
Overrides = tuple[str, ...]


class Draft(NamedTuple):
    """A way to draft: its settings, what it commits per target pass, and what the host adds."""

    settings: str
    tau: tuple[float, float]
    host_s: float
    source: str


class Reading(NamedTuple):
    """A way to read what is unpublished of the device, as overrides by dotted path."""

    overrides: Mapping[str, str]
    source: str


CACHES: Final = {"int16": "int16", "int8": "int8"}
DRAFTS: Final[Mapping[str, Draft]] = {
    "EAGLE-3 head": Draft(
        "{method: eagle, depth: 5, draft_vocabulary: 32768, acceptance: {alpha: 0.7}}",
        (2.69, 3.72),
        0.0,
        "EAGLE-3 heads of Qwen3: 2.69 at 4B when sampling, 3.03 greedy, 3.72 at 8B "
        "(github.com/Tencent/AngelSlim)",
    ),
    "n-gram": Draft(
        "{method: ngram, depth: 7, acceptance: {alpha: 0.6}}",
        (2.3, 3.2),
        0.5e-3,
        "prompt look-up on phone tasks, Qwen2.5-1.5B (arXiv 2510.15312, table 4)",
    ),
    "retrieval": Draft(
        "{method: ngram, depth: 7, acceptance: {alpha: 0.8}}",
        (3.57, 5.47),
        3e-3,
        "a store of suffixes, calibrated on the phone: 3.57 for replies to 5.47 for questions on "
        "documents; under 3 ms a step on the host (arXiv 2510.15312, table 4)",
    ),
    "Medusa heads": Draft(
        "{method: medusa, depth: 4, tree_nodes: 63, acceptance: {alpha: 0.6}}",
        (2.2, 3.6),
        0.0,
        "speed-ups of the paper, a lower bound of tokens per pass (arXiv 2401.10774)",
    ),
}
"""Drafts with their own acceptance and costs. The acceptance in the settings is replaced by the
tokens per pass of the range: only the cost of a step is simulated."""
SPLITS: Final[Mapping[str, Reading]] = {
    "as fitted": Reading({}, "what all MediaTek rows together say, within its intervals"),
    "bus": Reading(
        {
            f"stacks.{STACK}.bandwidth_fraction": "0.60",
            f"stacks.{STACK}.layer_s": "0 ms",
            f"stacks.{STACK}.kv_copy": "1000 TB/s",
        },
        "0.60 of the bus, no work per layer, no copies of the cache: BlueLM-V-3B on a "
        "Dimensity 9300",
    ),
    "overhead": Reading(
        {
            f"stacks.{STACK}.bandwidth_fraction": "0.90",
            f"stacks.{STACK}.layer_s": "0.59 ms",
        },
        "0.90 of the bus and 0.59 ms a layer: eight language models on a Genio 720",
    ),
}
DECODERS: Final[Mapping[str, Reading]] = {
    "hardware": Reading(
        {"units.npu.dequantise.rate": "1e13 weights/s"}, "weights expanded beside the product"
    ),
    "vector units": Reading(
        {"units.npu.dequantise.rate": "2e11 weights/s"}, "expanded by the vector units"
    ),
}

TURN = "session={turns: [{images_px: [[1080, 2400]], prompt_tokens: 2400, output_tokens: 257}]}"
OWN = (f"device={DEVICE}", f"stack={STACK}", f"model={MODEL}", "deployment.activations=int16", TURN)
FOUR = "deployment.weights={body: w4, lm_head: w4, embedding: w8, vision: w8}"
SPARSE = (
    "deployment.weights={body: sparse75_int4_entropy, lm_head: sparse75_int4_entropy, "
    "embedding: w8, vision: w8}"
)


def cache(dtype: str, keep: float | None = None, tokens: int = CACHE_TOKENS) -> str:
    """Return the setting of a static cache, with half of it as a second graph."""
    evicts = "" if keep is None else f", eviction: {{policy: okv, keep: {keep}}}"
    return (
        f"deployment.kv_cache={{dtype: {dtype}, capacity_tokens: {tokens}, "
        f"buckets: [{tokens // 2}, {tokens}]{evicts}}}"
    )


@dataclass(frozen=True)
class Cell:
    """One cell of the factorial.

    Attributes
    ----------
    speedup
        Decode rate with every mechanism over that of the base, draw by draw.
    needed
        Tokens per target pass that reach the claim, draw by draw.
    """

    base_cache: str
    draft: str
    split: str
    decoder: str
    base_rate: NDArray[np.float64]
    speedup: NDArray[np.float64]
    needed: NDArray[np.float64]

    @property
    def share(self) -> float:
        """Share of the draws that reach the claim."""
        return float((self.speedup >= CLAIMED_SPEEDUP).mean())


@dataclass(frozen=True)
class Study:
    """The factorial and the memory of each mechanism at the central parameters."""

    cells: tuple[Cell, ...]
    steps: Mapping[str, Result]

    @cached_property
    def likely(self) -> list[Cell]:
        """Cells in which at least half of the draws reach the claim, the likeliest first."""
        good = [cell for cell in self.cells if cell.share >= LIKELY]
        return sorted(good, key=lambda cell: -cell.share)

    @cached_property
    def seldom(self) -> list[Cell]:
        """Cells in which under a tenth of the draws reach it."""
        return [cell for cell in self.cells if cell.share < SELDOM]

    def effect(self, factor: str) -> dict[str, float]:
        """Return the mean share that reaches the claim by the level of one factor."""
        levels = dict.fromkeys(getattr(cell, factor) for cell in self.cells)
        return {
            level: float(np.mean([c.share for c in self.cells if getattr(c, factor) == level]))
            for level in levels
        }


HEAD: Final = f"deployment.speculation={DRAFTS['EAGLE-3 head'].settings}"
MECHANISMS: Final[Mapping[str, Overrides]] = {
    "W4A16, one token at a time": (FOUR, cache("int8")),
    "+ 1.8 bits": (SPARSE, cache("int8")),
    "+ EAGLE-3 head": (SPARSE, cache("int8"), HEAD),
    "+ half of the prompt kept": (SPARSE, cache("int8", KEEP), HEAD),
}
"""One path through the factorial, from the stack's own int8 cache."""


def device(split: str, decoder: str, host_s: float = 0.0) -> SocSpec:
    """Return the Dimensity 9500 under one reading, with host work of a draft added to a step."""
    soc = load_soc(DEVICE)
    step_s = soc.stack(STACK).step_overhead_s.value + host_s
    readings = {**SPLITS[split].overrides, **DECODERS[decoder].overrides}
    return soc.with_overrides({**readings, f"stacks.{STACK}.step_overhead_s": f"{step_s} s"})


def step_s(settings: Overrides, soc: SocSpec, draws: int, seed: int) -> NDArray[np.float64]:
    """Return the mean decode step of a deployment over draws of a device [s]."""
    result = simulate(load_scenario(None, (*OWN, *settings)), soc=soc, seed=seed)
    columns = sampled_metrics(result, draws, seed)
    return columns["decode_s"] / columns["decode_steps"]


def cells(draws: int, seed: int) -> Iterator[Cell]:
    """Yield every cell of the factorial."""
    chance = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,))).random(draws)
    for split, decoder in product(SPLITS, DECODERS):
        soc = device(split, decoder)
        bases = {
            name: step_s((FOUR, cache(kind)), soc, draws, seed) for name, kind in CACHES.items()
        }
        for name, draft in DRAFTS.items():
            every = (SPARSE, cache("int8", KEEP), f"deployment.speculation={draft.settings}")
            full = step_s(every, device(split, decoder, draft.host_s), draws, seed)
            tau = draft.tau[0] + chance * (draft.tau[1] - draft.tau[0])
            for base, plain in bases.items():
                speedup, needed = tau * plain / full, CLAIMED_SPEEDUP * full / plain
                yield Cell(base, name, split, decoder, 1.0 / plain, speedup, needed)


def run(draws: int = 200, seed: int = 0) -> Study:
    """Return the study over ``draws`` draws of the uncertain parameters."""
    steps = {
        name: simulate(load_scenario(None, (*OWN, *settings)), seed=seed)
        for name, settings in MECHANISMS.items()
    }
    return Study(tuple(cells(draws, seed)), steps)


def page(study: Study, draws: int, seed: int) -> str:
    """Return the study as Markdown."""
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        draws=draws,
        seed=seed,
        claims={
            "speedup": CLAIMED_SPEEDUP,
            "saving": f"{CLAIMED_MEMORY_SAVING:.1%}",
            "bits": CLAIMED_BITS,
            "base_gb": f"{_base_bytes(study) / 1e9:.2f}",
        },
        cells=[_cell_row(cell) for cell in sorted(study.cells, key=lambda cell: -cell.share)],
        counts=(len(study.likely), len(study.seldom), len(study.cells)),
        best=study.likely[0] if study.likely else None,
        likely_drafts=_listed({cell.draft for cell in study.likely}),
        seldom_drafts=_listed(
            {c.draft for c in study.cells} - {c.draft for c in study.cells if c.share >= SELDOM}
        ),
        effects=[
            (label, level, f"{share:.0%}")
            for factor, label in _FACTORS.items()
            for level, share in study.effect(factor).items()
        ],
        drafts=[(n, f"{d.tau[0]} to {d.tau[1]}", d.source) for n, d in DRAFTS.items()],
        readings=[(n, r.source) for n, r in (*SPLITS.items(), *DECODERS.items())],
        steps=[(name, f"{_step_ms(result):.1f}") for name, result in study.steps.items()],
        memory_head=("variant", *(f"{name} MB" for name in CLASSES), "peak MB", "saved"),
        memory_rows=_memory_rows(study),
        base_rows=_base_rows(),
        cache_tokens=CACHE_TOKENS,
        eviction_rows=_eviction_rows(),
        **_bits(),
    )


_FACTORS = {
    "draft": "draft",
    "split": "reading of a step",
    "decoder": "weights expanded by",
    "base_cache": "cache of the base",
}


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _cell_row(cell: Cell) -> Cells:
    low, middle, high = np.percentile(cell.speedup, (10, 50, 90))
    return (
        *(cell.draft, cell.split, cell.decoder, cell.base_cache),
        f"{np.median(cell.base_rate):.1f}",
        f"{middle:.1f} ({low:.1f} to {high:.1f})",
        f"{cell.share:.0%}",
        f"{np.median(cell.needed):.1f}",
    )


def _base_bytes(study: Study) -> float:
    """Return the base of which what 1.8 bits save is the claimed share [B]."""
    before, after, *_ = (result["peak_dram_bytes"] for result in study.steps.values())
    return float(before - after) / CLAIMED_MEMORY_SAVING


def _step_ms(result: Result) -> float:
    return 1e3 * float(result["decode_s"]) / float(result["decode_steps"])


def _memory_rows(study: Study) -> list[Cells]:
    peaks = [result["peak_dram_bytes"] for result in study.steps.values()]
    return [
        (
            name,
            *(f"{result.ledger.peak.by_class.get(part, 0.0) / 1e6:.0f}" for part in CLASSES),
            f"{peak / 1e6:.0f}",
            f"{1 - peak / peaks[0]:.1%}",
        )
        for (name, result), peak in zip(study.steps.items(), peaks, strict=True)
    ]


def _base_rows() -> list[Cells]:
    """Return the saving of 1.8 bits against 4 over caches of the base; both keep that cache."""
    rows = []
    for dtype, tokens in product(CACHES.values(), (1024, 4096, 8192)):
        turn = f"session={{turns: [{{prompt_tokens: {tokens - 256}, output_tokens: 65}}]}}"
        peaks = [
            simulate(load_scenario(None, (*OWN, weights, cache(dtype, None, tokens), turn)))[
                "peak_dram_bytes"
            ]
            for weights in (FOUR, SPARSE)
        ]
        rows.append((dtype, f"{tokens}", f"{peaks[0] / 1e9:.2f}", f"{1 - peaks[1] / peaks[0]:.1%}"))
    return rows


def _bits() -> dict[str, Any]:
    bus = load_soc(DEVICE).dram.peak_bytes_per_s
    shape, trace = trace_for(MODEL).decoder, trace_for(MODEL)
    head, body = float(shape.vocab * shape.hidden), float(trace.parameters["body"])
    mixes = which_mix(CLAIMED_BITS, {"body": body, "lm_head": head}, MIX_FORMATS)
    sparse = get_format("sparse75_int4_entropy").traffic_bits
    found = [get_format(name) for name in READ_AS_1_8]
    return {
        "format_rows": [
            (
                f"`{f.id}`",
                f"{f.traffic_bits:.3f}",
                f.formula,
                f"{bus * 0.6 * 8 / f.traffic_bits / 1e9:.0f}",
            )
            for f in found
        ],
        "mix_rows": [(m.formats["body"], m.formats["lm_head"], f"{m.bits:.3f}") for m in mixes],
        "eight_bit_head": f"{(body * sparse + head * 8) / (body + head):.2f}",
    }


def _eviction_rows() -> list[Cells]:
    rows: list[Cells] = []
    for tokens in CONTEXTS:
        full, kept = (_decode_rate(tokens, keep) for keep in (None, KEEP))
        rows.append((f"{tokens}", f"{full:.1f}", f"{kept:.1f}", f"{kept / full:.2f}"))
    return rows


def _decode_rate(tokens: int, keep: float | None) -> float:
    """Return tokens per second after a prompt of ``tokens`` of which a share is kept."""
    turn = f"session={{turns: [{{prompt_tokens: {tokens}, output_tokens: 33}}]}}"
    room = "environment.app_budget_bytes=100 GB"
    overrides = (*OWN, SPARSE, cache("int8", keep, tokens + 128), turn, room)
    return float(simulate(load_scenario(None, overrides))["tokens_per_s"])


def written(draws: int, seed: int) -> dict[str, str]:
    """Return the texts of the study by file name, its page first."""
    return {"andesvl.md": page(run(draws, seed), draws, seed)}
