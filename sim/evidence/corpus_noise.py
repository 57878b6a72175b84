"""What repeats in the corpus say about the noise of one figure.

Two rows ask one question if device, stack, network, format and sizes agree. The difference of
their logarithms is the noise of two figures, so that one figure's spread is::

    spread = median |log(a / b)| / (0.6745 sqrt(2))

taken once a question, from the median of its pairs. The interval is a bootstrap over questions.
Only calibration rows are used: what feeds a fit may not come from rows that judge it. Not modelled:
that thermal state and load differ from noise in being the same for a whole session.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd

from sim.evidence.corpus_tables import FOLDER, corpus

QUESTION: Final = (
    *("device", "unit", "model", "weights", "activations", "threads", "prompt_tokens"),
    *("output_tokens", "context_tokens", "depth_tokens"),
)
"""Columns that must agree; a network's part and input, and an image's size, besides."""
METRICS: Final = {
    "language": ("tokens_per_s", "prefill_tokens_per_s", "time_to_first_token_s"),
    "vision_language": ("vision_encode_s", "tokens_per_s", "prefill_tokens_per_s"),
    "network": ("inference_s",),
    "energy": ("energy_j_per_token", "tokens_per_s"),
}
RELATIONS: Final = ("same release", "other board", "other release", "other person")
"""Same source, device and release; another board or phone of the chip; and so on."""
LABELS: Final = ("model_label", "format_label", "backend_label", "kv_dtype")
"""What one source must call alike, beyond the question."""
GAUSSIAN: Final = 0.6745
"""Median of |x| of a normal distribution of unit spread."""
BOOTSTRAPS: Final = 500
SEED: Final = 17
FEWEST: Final = 5
"""Questions below which no spread is given."""


class Noise(NamedTuple):
    """Spread of one figure (of its logarithm) by how two rows are related; 80 % interval."""

    kind: str
    metric: str
    relation: str
    questions: int
    median_difference: float
    p90_difference: float
    spread: float
    spread_low: float
    spread_high: float


def noise() -> pd.DataFrame:
    """Return the noise of every metric of every kind, a row a relation."""
    return pd.DataFrame(
        [found for kind, metrics in METRICS.items() for found in _of_kind(kind, metrics)],
        columns=Noise._fields,
    )


def _of_kind(kind: str, metrics: tuple[str, ...]) -> Iterator[Noise]:
    table = corpus(kind, role="calibration")
    key = [name for name in (*QUESTION, "component", "input_label", "image_px") if name in table]
    for metric in metrics:
        rows = table[table[metric].notna()].assign(value=np.log(table[metric]))
        pairs: dict[str, list[float]] = {relation: [] for relation in RELATIONS}
        for _, group in rows.groupby(key, dropna=False, sort=False):
            if len(group) > 1:
                _add_pairs(group, pairs)
        for relation in RELATIONS:
            if len(pairs[relation]) >= FEWEST:
                yield _summary(kind, metric, relation, np.array(pairs[relation]))


def _add_pairs(group: pd.DataFrame, pairs: dict[str, list[float]]) -> None:
    """Add, per relation, the median difference among the pairs of one question."""
    found: dict[str, list[float]] = {}
    for first, second in combinations(group.to_dict(orient="records"), 2):
        relation = _relation(first, second)
        if relation:
            found.setdefault(relation, []).append(abs(first["value"] - second["value"]))
    for relation, differences in found.items():
        pairs[relation].append(float(np.median(differences)))


def _relation(first: Mapping[Any, Any], second: Mapping[Any, Any]) -> str:
    """Return how two rows of one question are related; "" if more than that differs."""
    same_source = first["source"] == second["source"] and _site(first) == _site(second)
    if first["stack"] != second["stack"]:
        return ""
    if not same_source:
        return "other person"
    if any(first.get(name) != second.get(name) for name in LABELS):
        return ""
    if first["release"] != second["release"]:
        return "other release" if first["device_label"] == second["device_label"] else ""
    return "same release" if first["device_label"] == second["device_label"] else "other board"


def _site(row: Mapping[Any, Any]) -> str:
    """Return who publishes: the first two parts of the path behind the host."""
    return "/".join(str(row["source_url"]).split("/")[2:5])


def _summary(kind: str, metric: str, relation: str, differences: np.ndarray) -> Noise:
    draws = np.random.default_rng(SEED).choice(differences, (BOOTSTRAPS, len(differences)))
    scale = GAUSSIAN * np.sqrt(2.0)
    low, high = np.quantile(np.median(draws, axis=1) / scale, [0.1, 0.9])
    median = float(np.median(differences))
    figures = (median, float(np.quantile(differences, 0.9)), median / scale, low, high)
    return Noise(kind, metric, relation, len(differences), *(float(f"{x:.3g}") for x in figures))


def main(folder: Path = FOLDER) -> None:
    """Write ``noise.csv`` beside the tables."""
    noise().to_csv(folder / "noise.csv", index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
