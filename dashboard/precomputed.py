"""The answer that ships: draws of the default question, which take a second to make.

A first visitor would wait for them while the page is built. They are used where run and metrics are
still those they were made for, else made anew. After a change of the default's numbers::

    python -m dashboard.precomputed
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from sim.explore.uncertainty import sampled_metrics
from sim.explore.variants import MetricColumns
from sim.metrics import moved_metrics
from sim.output import write_text
from sim.results import Result
from sim.verdicts import DRAWS

SHIPPED: Final = Path(__file__).with_name("precomputed.json")
METRICS: Final = (
    "time_to_first_token_s",
    "tokens_per_s",
    "sustained_tokens_per_s",
    "peak_dram_bytes",
    "energy_j",
    "load_s",
    "fits",
)
"""What cards and verdict read of a draw."""
DIGITS: Final = 12
"""Significant digits that ship."""


def draws(result: Result) -> MetricColumns:
    """Return the metrics that pages show on draws, shape (draws,); none where memory ran out."""
    if not result.fits:
        return {}
    return shipped(result) or _drawn(result)


def shipped(result: Result) -> MetricColumns | None:
    """Return the draws that ship, if they are of this run."""
    found = _read()
    if found.get("fingerprint") != result.fingerprint:
        return None
    if moved_metrics(found["metrics"], result.summary().as_dict()):
        return None
    return {name: np.array(column) for name, column in found["draws"].items()}


def document(result: Result) -> dict[str, Any]:
    """Return what ships for a run."""
    columns = {
        name: [float(f"{value:.{DIGITS}g}") for value in column.tolist()]
        for name, column in _drawn(result).items()
    }
    return {
        "fingerprint": result.fingerprint,
        "metrics": result.summary().as_dict(),
        "draws": columns,
    }


def _drawn(result: Result) -> MetricColumns:
    sampled = sampled_metrics(result, DRAWS)
    return {name: sampled[name] for name in METRICS}


@cache
def _read() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(SHIPPED.read_text(encoding="utf-8"))
    return found


if __name__ == "__main__":
    from dashboard.choices import Choices
    from sim import Scenario, simulate

    asked = simulate(Scenario.from_mapping(Choices().mapping()))
    write_text(SHIPPED, json.dumps(document(asked)) + "\n")
