"""What moves in one step besides the operators' own lanes: DRAM at work, and flash.

Flash is read at a cold start, before the first turn, and where an adapter is switched in. A cold
start is told as records, so that the timeline draws it like any step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.loading import read_s
from sim.results import Result

if TYPE_CHECKING:
    import pandas as pd

DRAM, FLASH = "DRAM", "flash"
LOAD = "load"
"""The phase before the first turn: the deployed file is read from flash, graphs are set up."""
SWITCH = "adapter_switch"
PAUSE_S = 1e-6
"""DRAM that rests for less than this is drawn as working on [s]."""


def load_frame(result: Result) -> pd.DataFrame:
    """Return the cold start as records: flash is read, then the host sets the graphs up."""
    import pandas as pd

    start = result.cold_start()
    host = {"phase": LOAD, "unit": "cpu", "bound": "launch", "layer": 0, "tiles": 1}
    read = {"name": "read the model", "ready_s": 0.0, "end_s": start.read_s}
    read |= {"flash_s": start.read_s, "flash_bytes": result.program.file_bytes}
    graphs = {"name": "set up graphs", "ready_s": start.read_s, "end_s": start.total_s}
    rows = [host | {"kind": part["name"]} | part for part in (read, graphs)]
    columns = [*result.records.columns, "dram_bytes", "flash_bytes", "flash_s"]
    texts = {"phase": LOAD, "name": "", "kind": "", "unit": "", "bound": ""}
    frame = pd.DataFrame(rows, columns=columns)
    numbers = {name: 0.0 for name in columns if name not in texts}
    return frame.fillna(texts | numbers)


def with_flash(frame: pd.DataFrame, result: Result) -> pd.DataFrame:
    """Return records of the first turn with the bytes and seconds of flash of each [B, s]."""
    groups = [times.group for times in result.groups if times.group.turn == 0]
    size = float(max((group.setup.flash_bytes for group in groups), default=0.0))
    switched = (frame["kind"] == SWITCH).astype(float)
    seconds = read_s(result.soc, size) if size else 0.0
    return frame.assign(flash_bytes=switched * size, flash_s=switched * seconds)


def flash_bars(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a bar per record that reads flash."""
    found = frame[["name", "layer"]].assign(
        lane=FLASH,
        start_s=frame["ready_s"],
        seconds=frame["flash_s"],
        moved_bytes=frame["flash_bytes"],
        bound=FLASH,
    )
    return found[found["seconds"] > 0.0]


def dram_bars(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a bar per stretch in which DRAM works without a rest, named by its mean rate."""
    columns = ["fetch_start_s", "fetch_end_s", "dram_bytes"]
    moving = frame.loc[frame["dram_bytes"] > 0.0, columns].sort_values("fetch_start_s")
    busy_until_s = moving["fetch_end_s"].cummax().shift(fill_value=-np.inf)
    stretch = (moving["fetch_start_s"] > busy_until_s + PAUSE_S).cumsum()
    found = moving.groupby(stretch).agg(
        start_s=("fetch_start_s", "min"),
        end_s=("fetch_end_s", "max"),
        moved_bytes=("dram_bytes", "sum"),
    )
    seconds = found["end_s"] - found["start_s"]
    rates = (found["moved_bytes"] / seconds / 1e9).map("{:.1f} GB/s on average".format)
    return found.assign(lane=DRAM, layer="several", bound="dram", seconds=seconds, name=rates).drop(
        columns="end_s"
    )
