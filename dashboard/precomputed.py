"""The answer that ships: the intervals of the default question, which take a second to draw.

A first visitor would wait for them while the page is built. They are used where run and metrics are
still those they were drawn for, else drawn anew. After a change of the default's numbers::

    python -m dashboard.precomputed
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from sim.explore.uncertainty import uncertainty
from sim.metrics import moved_metrics
from sim.output import write_text
from sim.results import Result

SHIPPED = Path(__file__).with_name("precomputed.json")
SAMPLES = 100
"""Draws of the device behind an interval: enough for two digits of its ends."""

Intervals = dict[str, dict[str, float]]


def intervals(result: Result) -> Intervals:
    """Return the 80 % interval of each metric of a run; none of one that memory ended."""
    if not result.fits:
        return {}
    return shipped(result) or uncertainty(result, SAMPLES)


def shipped(result: Result) -> Intervals | None:
    """Return the intervals that ship, if they are of this run."""
    found = _read()
    if found.get("fingerprint") != result.fingerprint:
        return None
    if moved_metrics(found["metrics"], result.summary().as_dict()):
        return None
    intervals: Intervals = found["intervals"]
    return intervals


def document(result: Result) -> dict[str, Any]:
    """Return what ships for a run."""
    return {
        "fingerprint": result.fingerprint,
        "metrics": result.summary().as_dict(),
        "intervals": uncertainty(result, SAMPLES),
    }


@cache
def _read() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(SHIPPED.read_text(encoding="utf-8"))
    return found


if __name__ == "__main__":
    from dashboard.choices import Choices
    from sim import Scenario, simulate

    asked = simulate(Scenario.from_mapping(Choices().mapping()))
    write_text(SHIPPED, json.dumps(document(asked), indent=1) + "\n")
