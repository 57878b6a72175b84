"""The bandwidth that a row of the corpus is held against: of its device file, or as quoted.

``peaks.csv`` has chips that nobody simulates, each with a range, its kind, the page and the words
that were seen there; a chip with a file is not in it, nor one of which no page was found.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd

from hw_models.soc import list_socs, load_soc
from sim.evidence.corpus_tables import FOLDER, HELD_BY, NOT_HELD
from sim.validation.roofline import highest_bytes_per_s


@cache
def peak(device: str) -> float:
    """Return the peak bandwidth at the upper end of what is published [B/s]; NaN where nothing is.

    Of its file, else of ``peaks.csv``.
    """
    if device in list_socs():
        return highest_bytes_per_s(load_soc(device))
    return peaks().get(device, float("nan"))


def peaks(folder: Path = FOLDER) -> dict[str, float]:
    """Return the peak bandwidth of chips without a device file, the upper end [B/s]."""
    table = pd.read_csv(folder / "peaks.csv")
    return dict(zip(table["device"], table["high_bytes_per_s"], strict=True))


def without_peak(derived: pd.DataFrame, devices: pd.Series) -> pd.DataFrame:
    """Return derived columns in which rows of chips without a bandwidth are held by nothing."""
    missing = derived["peak_bytes_per_s"].isna()
    names = devices.reset_index(drop=True)
    said = ("the bandwidth of " + names).mask(names == "", "which chip ran")
    return derived.assign(
        **{
            HELD_BY: derived[HELD_BY].mask(missing, ""),
            NOT_HELD: derived[NOT_HELD].mask(missing, said),
        }
    )
