"""A sweep over choices: every combination of some levels, which of them pass, which are best.

Levels are sets of changes of the choices, so a point can be loaded into the sidebar. Not offered
here: continuous ranges, space-filling designs and files; `andesim sweep` has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import inf, prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dashboard.choices import BY_BITS, GIB, STACK_DEFAULT, Choices
from dashboard.labels import labelled
from dashboard.options import options, stacks
from dashboard.runs import USER_ERRORS, device, judged, run, word
from hw_models.soc import list_socs
from sim import simulate
from sim.explore.uncertainty import intervals, sampled_metrics
from sim.judgements import Status, Verdict
from sim.metrics import Metric, known_metrics, ships
from sim.results import Result
from sim.verdict_words import headline
from sim.wording import label
from workloads.scenario import Scenario
from workloads.weight_formats import catalogue

if TYPE_CHECKING:
    import pandas as pd

Levels = dict[str, dict[str, Any]]
Row = dict[str, Any]

RUN_S: Final = 0.06
"""Rough seconds of one run, for the estimate before the first sweep."""
MOST_POINTS: Final = 500

IMAGE_PX: Final = (224, 448, 672, 896, 1344)
FORMATS: Final = ("w4", "w4_g128", "w8", "q4_0", "q4_k", "w3", "w2", "sparse75_int4_entropy")


def axes(choices: Choices) -> dict[str, Levels]:
    """Return what can be varied, and the levels of each: changes of the choices by name."""
    return {
        "model": {name: {"model": name} for name in _models(choices)},
        "device": {name: {"device": name, "stack": STACK_DEFAULT} for name in list_socs()},
        "stack": {name: {"stack": name} for name in stacks(choices.device)[1:]},
        "bits": {
            f"{bits:g} bits": {"body": BY_BITS, "body_bits": bits}
            for bits in (1.6, 1.8, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
        },
        "format": {name: {"body": name} for name in FORMATS if name in catalogue()},
        "image": {
            "as asked": {},
            **{f"{side} px": _scaled(choices, side) for side in IMAGE_PX},
            "none": {"images": 0},
        },
        "prompt": {f"{n} tokens": {"prompt_tokens": n} for n in (64, 256, 1024, 4096, 8192)},
        "context": {f"{n} tokens": {"context_tokens": n} for n in (1024, 2048, 4096, 8192, 16384)},
        "KV cache": {name: {"kv_dtype": name} for name in ("int16", "int8", "int4")},
        "keep": {
            "keep all": {"eviction": "none"},
            **{
                f"keep {keep:.0%}": {"eviction": "okv", "keep": keep}
                for keep in (0.75, 0.5, 0.35, 0.25, 0.1)
            },
        },
        "draft": {
            "off": {"speculation": "none"},
            **{f"EAGLE {d}": {"speculation": "eagle", "depth": d} for d in (2, 4, 6)},
            "n-gram 4": {"speculation": "ngram", "depth": 4},
        },
        "acceptance": {f"accept {a:.0%}": {"acceptance": a} for a in (0.4, 0.6, 0.7, 0.8, 0.9)},
        "adapters": {f"{n} adapters": {"adapters": n} for n in (0, 1, 4, 8)},
        "ambient": {f"{c:g} °C": {"ambient_c": c} for c in (15.0, 25.0, 30.0, 35.0, 40.0)},
    }


def _models(choices: Choices) -> tuple[str, ...]:
    """Return the family of the chosen model, smallest first, then every other model."""
    every = options(choices.device)["model"]
    family = choices.model.rpartition("-")[0]
    own_family = [name for name in every if family and name.startswith(family)]
    return (*own_family, *(name for name in every if name not in own_family))


def first(choices: Choices) -> dict[str, tuple[str, ...]]:
    """Return what is swept before anyone has chosen: the model's family and bits."""
    family = choices.model.rpartition("-")[0]
    models = tuple(name for name in _models(choices) if name.startswith(family))[:4]
    return {"model": models or (choices.model,), "bits": ("1.8 bits", "3 bits", "4 bits", "8 bits")}


def _scaled(choices: Choices, side: int) -> dict[str, Any]:
    """Return the images scaled to a longer side, their shape kept."""
    share = side / max(choices.image_width_px, choices.image_height_px)
    wide, high = choices.image_width_px, choices.image_height_px
    return {
        "image_width_px": max(28, round(wide * share)),
        "image_height_px": max(28, round(high * share)),
    }


METRICS: Final = {
    "first token [s]": -1.0,
    "tokens/s": 1.0,
    "peak [GiB]": -1.0,
    "energy [J]": -1.0,
    "weights [GiB]": 1.0,
}
"""What a point is judged by, beside users' metrics: 1 where more is better, -1 where less is.

Weights stand in for quality, which is not simulated: of one family, more bytes are more able.
"""
RANGED: Final = {
    "first token [s]": ("time_to_first_token_s", 1.0),
    "tokens/s": ("tokens_per_s", 1.0),
    "peak [GiB]": ("peak_dram_bytes", GIB),
    "energy [J]": ("energy_j", 1.0),
}
"""Metrics with a range: the name in a draw, and what it is divided by."""
RULES: Final = {
    "least given up": ("weights [GiB]", 1.0),
    "fastest": ("tokens/s", 1.0),
    "least energy": ("energy [J]", -1.0),
    "smallest": ("peak [GiB]", -1.0),
}
"""What the best point is the best by: a metric, and which way."""
NEAR: Final = 0.01
"""Points within this share of the best are as good."""
DRAWS: Final = 20
"""Of a point that passes: enough to tell PASS from MARGINAL."""
ACROSS, UP = "peak [GiB]", "tokens/s"
"""What the front trades before anyone has chosen."""


def own() -> dict[str, Metric]:
    """Return the metrics users added, by name and unit; without a better way there is no trade."""
    added = [item for item in known_metrics().values() if not ships(item.name) and item.better]
    return {f"{item.words} [{item.unit}]": item for item in added}


def judged_by() -> dict[str, float]:
    """Return every metric of a point, users' included, and which way is better."""
    added = {name: 1.0 if item.better == "higher" else -1.0 for name, item in own().items()}
    return METRICS | added


def points(levels: Mapping[str, Sequence[str]]) -> int:
    """Return the number of combinations.

    >>> points({"model": ["a", "b"], "body": ["c", "d", "e"]})
    6
    """
    return prod(len(chosen) for chosen in levels.values())


def rows(choices: Choices, levels: Mapping[str, Sequence[str]]) -> Iterator[Row]:
    """Yield a row per combination: its levels, the changes, the metrics, status and reason."""
    known = axes(choices)
    for names in product(*levels.values()):
        changes: dict[str, Any] = {}
        for axis, name in zip(levels, names, strict=True):
            changes |= known[axis][name]
        yield dict(zip(levels, names, strict=True)) | _row(choices.changed(**changes), changes)


def row_of(choices: Choices, result: Result) -> Row:
    """Return the metrics, status and reason of one run."""
    summary, verdict = result.summary(), judged(choices, result)
    values = (
        summary.time_to_first_token_s,
        summary.tokens_per_s,
        summary.peak_dram_bytes / GIB,
        summary.energy_j if result.fits else None,
        result.ledger.peak.by_class.get("weights", 0.0) / GIB,
    )
    metrics = dict(zip(METRICS, values, strict=True))
    metrics |= {name: result[item.name] if result.fits else None for name, item in own().items()}
    reason = headline(result) if verdict.status is Status.PASS else verdict.sentence
    misses = _misses(verdict, result)
    told = ", ".join(f"{name} {short:.0%}" for name, short in misses.items())
    return metrics | {
        "status": word(result, verdict),
        "missed": len(misses),
        "shortfall": max(misses.values(), default=0.0),
        "misses": told,
        "reason": reason,
    }


def _misses(verdict: Verdict, result: Result) -> dict[str, float]:
    """Return by what share of its limit each missed target is missed, on the run itself."""
    if not result.fits:
        budget = result.ledger.budget_bytes
        needed = result.ledger.overflow.total_bytes if result.ledger.overflow else budget
        return {"memory": needed / budget - 1.0 + 1e-6}
    return {
        label(item.target.metric): -(item.slack or 0.0)
        for item in verdict.targets
        if item.value is None or not item.target.is_met(item.value)
    }


def front(table: pd.DataFrame, across: str = ACROSS, up: str = UP) -> pd.DataFrame:
    """Return the passing points that no other passing point beats in both of two metrics."""
    passing = table[table["status"] == "PASS"].dropna(subset=[across, up])
    goodness = passing[[across, up]] * [judged_by()[across], judged_by()[up]]
    ordered = goodness.sort_values([across, up], ascending=False, kind="stable")
    best = ordered[up].cummax().shift(fill_value=-inf)
    return passing.loc[ordered.index[ordered[up] > best]]


def keeps_images(table: pd.DataFrame, choices: Choices) -> pd.Series[bool]:
    """Return which points keep the images that were asked for."""
    dropped = [bool(choices.images) and row.get("images") == 0 for row in table["changes"]]
    return ~table["status"].isna() & ~np.array(dropped)


def best(table: pd.DataFrame, choices: Choices, rule: str) -> int | None:
    """Return the index of the best passing point by a rule of `RULES`, or ``None``.

    A point that drops the images that were asked for is no answer. Of points within 1 % the one
    that changes least of the question is taken, then the one with more weights.
    """
    passing = table[(table["status"] == "PASS") & keeps_images(table, choices)]
    if passing.empty:
        return None
    column, sign = RULES[rule]
    goodness = sign * passing[column].fillna(-inf if sign > 0 else inf)
    near = passing[goodness >= goodness.max() - NEAR * abs(goodness.max())]
    changed = near["changes"].map(lambda changes: conceded(choices, changes))
    order = near.assign(conceded=changed).sort_values(
        ["conceded", "weights [GiB]", "tokens/s"], ascending=[True, False, False], kind="stable"
    )
    return int(str(order.index[0]))


def conceded(choices: Choices, changes: Mapping[str, Any]) -> int:
    """Return how many choices a point changes of the question.

    >>> conceded(Choices(), {"keep": 0.25, "kv_dtype": "default"})
    1
    """
    return sum(getattr(choices, name) != value for name, value in changes.items())


def nearest(table: pd.DataFrame, choices: Choices) -> int | None:
    """Return the point that misses fewest targets, then by the smallest share; none where none."""
    ran = table[(table["missed"] > 0) & keeps_images(table, choices)].dropna(subset=["shortfall"])
    if ran.empty:
        return None
    return int(str(ran.sort_values(["missed", "shortfall"], kind="stable").index[0]))


def wall(table: pd.DataFrame) -> str:
    """Return the targets that no point meets, with the least by which they are missed."""
    texts = table["misses"].dropna().tolist()
    shared = set.intersection(*({part.rpartition(" ")[0] for part in text.split(", ")}
                                for text in texts)) if texts else set()  # fmt: skip
    return " and ".join(sorted(shared - {""}))


def weighed(choices: Choices, changes: Mapping[str, Any]) -> Row:
    """Return status, probability and 80 % ranges of one point, over draws of its device."""
    changed = choices.changed(**changes)
    try:
        result = run(changed)
        sampled = sampled_metrics(result, DRAWS) if result.fits else None
    except USER_ERRORS:
        return {}
    verdict = judged(changed, result, sampled)
    found = intervals(sampled) if sampled else {}
    spans = {
        title: (found[name]["p10"] / scale, found[name]["p90"] / scale)
        for title, (name, scale) in RANGED.items()
        if name in found
    }
    return {
        "status": word(result, verdict),
        "probability": verdict.probability,
        "spans": spans,
        "reason": verdict.sentence,
    }


def _row(choices: Choices, changes: dict[str, Any]) -> Row:
    try:
        result = simulate(Scenario.from_mapping(choices.mapping()), soc=device(choices))
    except USER_ERRORS as error:
        empty: Row = dict.fromkeys(judged_by())
        empty |= {"missed": 9, "shortfall": None, "misses": "cannot be simulated"}
        return empty | {"status": "INVALID", "reason": labelled(str(error)), "changes": changes}
    return row_of(choices, result) | {"changes": changes}
