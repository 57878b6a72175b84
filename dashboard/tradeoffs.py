"""A sweep over choices: every combination of some levels, which of them pass, which are best.

Levels are sets of changes of the choices, so a point can be loaded into the sidebar. Not offered
here: continuous ranges, space-filling designs and files; `andesim sweep` has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import inf, prod
from typing import TYPE_CHECKING, Any, Final

from dashboard.choices import BY_BITS, GIB, Choices
from dashboard.runs import USER_ERRORS, device, judged, word
from sim import simulate
from sim.metrics import Metric, known_metrics, ships
from sim.results import Result
from sim.verdicts import Status, headline
from workloads.scenario import Scenario

if TYPE_CHECKING:
    import pandas as pd

Levels = dict[str, dict[str, Any]]
Row = dict[str, Any]

RUN_S: Final = 0.06
"""Rough seconds of one run, for the estimate before the first sweep."""
MOST_POINTS: Final = 500

AXES: Final[dict[str, Levels]] = {
    "model": {
        name: {"model": name} for name in ("andesvl-0.6b", "andesvl-1b", "andesvl-2b", "andesvl-4b")
    },
    "body": {
        f"{bits:g} bits": {"body": BY_BITS, "body_bits": bits}
        for bits in (1.8, 2.0, 3.0, 4.0, 6.0, 8.0)
    },
    "image": {
        "none": {"images": 0},
        **{
            f"{side} px": {"images": 1, "image_width_px": side, "image_height_px": side}
            for side in (224, 448, 672, 896)
        },
    },
    "prompt": {f"{n} tokens": {"prompt_tokens": n} for n in (64, 256, 1024, 4096, 8192)},
    "KV cache": {name: {"kv_dtype": name} for name in ("int16", "int8", "int4")},
    "eviction": {
        "keep all": {"eviction": "none"},
        **{f"keep {keep:.0%}": {"eviction": "okv", "keep": keep} for keep in (0.5, 0.25)},
    },
    "speculation": {
        "off": {"speculation": "none"},
        **{f"EAGLE {d}": {"speculation": "eagle", "depth": d} for d in (2, 4, 6)},
        "n-gram 4": {"speculation": "ngram", "depth": 4},
    },
}
FIRST: Final = {"model": tuple(AXES["model"]), "body": ("1.8 bits", "3 bits", "4 bits", "8 bits")}
"""What is swept before anyone has chosen."""

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
    for names in product(*levels.values()):
        changes: dict[str, Any] = {}
        for axis, name in zip(levels, names, strict=True):
            changes |= AXES[axis][name]
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
    return metrics | {"status": word(result, verdict), "reason": reason}


def front(table: pd.DataFrame, across: str = ACROSS, up: str = UP) -> pd.DataFrame:
    """Return the passing points that no other passing point beats in both of two metrics."""
    passing = table[table["status"] == "PASS"].dropna(subset=[across, up])
    goodness = passing[[across, up]] * [judged_by()[across], judged_by()[up]]
    ordered = goodness.sort_values([across, up], ascending=False, kind="stable")
    best = ordered[up].cummax().shift(fill_value=-inf)
    return passing.loc[ordered.index[ordered[up] > best]]


def fastest(table: pd.DataFrame) -> int | None:
    """Return the index of the passing point with most tokens/s, or ``None``."""
    passing = table.loc[table["status"] == "PASS", "tokens/s"].dropna()
    return int(str(passing.idxmax())) if len(passing) else None


def _row(choices: Choices, changes: dict[str, Any]) -> Row:
    try:
        result = simulate(Scenario.from_mapping(choices.mapping()), soc=device(choices))
    except USER_ERRORS as error:
        empty = dict.fromkeys(judged_by())
        return empty | {"status": "INVALID", "reason": str(error), "changes": changes}
    return row_of(choices, result) | {"changes": changes}
