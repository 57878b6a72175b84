"""What repeats in the corpus say about the noise of one figure.

Two rows ask one question if device, stack, network, format and sizes agree. The difference of
their logarithms is the noise of two figures, so that one figure's spread is::

    spread = median |log(a / b)| / (0.6745 sqrt(2))

taken once a question, from the median of its pairs. The interval is a bootstrap over questions.
Only calibration rows are used: what feeds a fit may not come from rows that judge it. Where fewer
than five questions repeat, the spread is unknown and stays so.

Three kinds of pairs are no repeats and are left out: rows whose notes name different settings
(flash attention on and off, a kernel before and after), rows that time prompts of different lengths
(`corpus_runs.prompt_tokens`), and a figure that a later release carries over to the last digit.

Not modelled: that thermal state and load differ from noise in being the same for a whole session.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from sim.evidence.corpus_runs import TIMED, is_question, measured, prompt_tokens
from sim.evidence.corpus_tables import FOLDER, corpus
from sim.evidence.noise import Noise

QUESTION: Final = (
    *("device", "unit", "stack", "model", "weights", "activations", "threads", "prompt_tokens"),
    *("output_tokens", "context_tokens", "depth_tokens", "component", "input_label", "image_px"),
)
"""Columns that must agree, of those that a table has."""
METRICS: Final = {
    "language": (*TIMED, "peak_dram_bytes"),
    "vision_language": ("vision_encode_s", "tokens_per_s", "prefill_tokens_per_s"),
    "network": ("inference_s",),
    "energy": ("energy_j_per_token", "power_w"),
}
UNITS: Final = ("any", "cpu", "gpu", "npu")
"""Compute units that the spread is given for."""
RELATIONS: Final = ("same release", "other board", "other release", "other person")
"""Same publisher, device and release; another board or phone of the chip; and so on."""
LABELS: Final = ("model_label", "format_label", "backend_label", "kv_dtype")
"""What one publisher must call alike, beyond the question."""
PUBLISHERS: Final = ("ai-hub-models", "litert-community")
"""Publishers who stand under several addresses, by a word of each of them."""
SETTINGS: Final = re.compile(
    r"flash attention \d|\bBEFORE\b|\bAFTER\b|reference;|with [\w ]+ repack|phase [^;]*"
    r'|prompt class "\w+"|first revision'
)
"""Settings that a row has no column for, as notes name them."""
GAUSSIAN: Final = 0.6745
"""Median of |x| of a normal distribution of unit spread."""
BOOTSTRAPS: Final = 500
SEED: Final = 17
FEWEST: Final = 5
"""Questions below which no spread is given."""


def noise() -> pd.DataFrame:
    """Return the noise of every metric of every table, a row a unit and relation."""
    return pd.DataFrame(
        [
            _summary(kind, metric, unit, relation, differences)
            for kind, metrics in METRICS.items()
            for metric in metrics
            for (unit, relation), differences in _differences(kind, metric).items()
        ],
        columns=Noise._fields,
    )


def _differences(kind: str, metric: str) -> dict[tuple[str, str], list[float]]:
    """Return, by unit and relation, the median difference among the pairs of each question."""
    found: dict[tuple[str, str], list[float]] = {
        (unit, relation): [] for unit in UNITS for relation in RELATIONS
    }
    rows = _asked(kind, metric)
    key = [name for name in QUESTION if name in rows]
    rows = rows[rows.duplicated(key, keep=False)]
    for _, group in rows.groupby(key, dropna=False, sort=False):
        for relation, differences in differences_of(
            group.to_dict(orient="records"), metric
        ).items():
            for unit in {"any", str(group["unit"].iloc[0])} & set(UNITS):
                found[unit, relation].append(float(np.median(differences)))
    return found


def _asked(kind: str, metric: str) -> pd.DataFrame:
    """Return the calibration rows that answer a metric, with what relates them to each other."""
    table = corpus(kind, role="calibration")
    rows = table[table[metric].notna()]
    if kind == "language" and metric in TIMED:
        records = rows.to_dict(orient="records")
        prompts = pd.Series([prompt_tokens(row, metric) for row in records], rows.index)
        values = pd.Series([measured(row, metric) for row in records], rows.index)
        rows = rows.assign(**{"prompt_tokens": prompts, metric: values})
        rows = rows[[is_question(row, metric) for row in records]]
    labels = [name for name in LABELS if name in rows]
    return rows.assign(
        publisher=rows["source_url"].map(publisher),
        setting=rows["notes"].map(SETTINGS.findall).map(str) + rows[labels].agg(" | ".join, axis=1),
        board=rows["device_label"],
        when=rows["release"].where(rows["release"] != "", rows["published"]),
    )


def publisher(url: str) -> str:
    """Return who publishes: the first two parts of the path behind the host, or a known name."""
    known = [name for name in PUBLISHERS if name in url]
    return known[0] if known else "/".join(url.split("/")[2:5])


def differences_of(rows: list[dict[Any, Any]], metric: str) -> dict[str, list[float]]:
    """Return the differences among rows of one question, by relation."""
    found: dict[str, list[float]] = {}
    for first, second in combinations(rows, 2):
        relation = _relation(first, second)
        carried_over = relation == "other release" and first[metric] == second[metric]
        if relation and not carried_over:
            difference = abs(math.log(first[metric] / second[metric]))
            found.setdefault(relation, []).append(difference)
    return found


def _relation(first: Mapping[Any, Any], second: Mapping[Any, Any]) -> str:
    """Return how two rows of one question are related; "" if more than that differs."""
    if first["publisher"] != second["publisher"]:
        return "other person"
    if first["setting"] != second["setting"]:
        return ""
    same_board = first["board"] == second["board"]
    if first["when"] != second["when"]:
        return "other release" if same_board else ""
    return "same release" if same_board else "other board"


def _summary(kind: str, metric: str, unit: str, relation: str, differences: list[float]) -> Noise:
    if len(differences) < FEWEST:
        return Noise(kind, metric, unit, relation, len(differences), *(float("nan"),) * 5)
    known = np.array(differences)
    draws = np.random.default_rng(SEED).choice(known, (BOOTSTRAPS, len(known)))
    scale = GAUSSIAN * np.sqrt(2.0)
    low, high = np.quantile(np.median(draws, axis=1) / scale, [0.1, 0.9])
    median = float(np.median(known))
    figures = (median, float(np.quantile(known, 0.9)), median / scale, low, high)
    shown = (float(f"{x:.3g}") for x in figures)
    return Noise(kind, metric, unit, relation, len(differences), *shown)


def main(folder: Path = FOLDER) -> None:
    """Write ``noise.csv`` beside the tables."""
    noise().to_csv(folder / "noise.csv", index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
