"""Random numbers: a stream of its own for every purpose, so that no draw disturbs another.

The same seed and purpose give the same numbers, whatever else a run draws. Two variants of a
scenario, or two devices with the same parameter, thus share them (common random numbers).
"""

from __future__ import annotations

import hashlib

import numpy as np

OF_A_RUN = ("acceptance", "arrivals", "lengths", "background")
"""Purposes with a number of their own; any other is told apart by its hash."""


def random_stream(seed: int, purpose: str) -> np.random.Generator:
    """Return the random stream of one purpose.

    >>> random_stream(0, "arrivals").random() == random_stream(0, "lengths").random()
    False
    """
    if purpose in OF_A_RUN:
        key = OF_A_RUN.index(purpose)
    else:
        key = int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:4], "big")
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(key,)))
