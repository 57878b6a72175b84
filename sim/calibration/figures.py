"""The noise of one published figure, for fits and intervals.

What the corpus repeats says it (`sim.evidence.noise_of`). A figure stands for a runtime on a chip,
so its noise is the largest by which repeats differ: in one release, between releases, between
boards. A metric that too few rows repeat has `UNKNOWN`.

Not modelled: noise by unit and publisher.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Final

from sim.evidence import noise_of
from sim.evidence.questions import DECODE, INFERENCE

TABLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        DECODE: "language",
        "prefill_tokens_per_s": "language",
        "time_to_first_token_s": "language",
        "vision_encode_s": "vision_language",
        INFERENCE: "network",
    }
)
"""Where the repeats of a metric stand."""
RELATIONS: Final = ("same release", "other release", "other board")
UNKNOWN: Final = 0.1
"""Deviation of log(figure) where the corpus does not say it (assumed)."""


@cache
def noise(metric: str) -> float:
    """Return the deviation of the logarithm of one figure of a metric.

    >>> 0.02 < noise("tokens_per_s") < 0.2
    True
    >>> noise("vision_encode_s") == UNKNOWN  # too few rows repeat
    True
    """
    table = TABLES.get(metric)
    known = [noise_of(table, metric, name) for name in RELATIONS] if table else []
    return max((found.spread for found in known if found), default=UNKNOWN)
