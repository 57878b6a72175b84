"""What moves at a cold start and where an adapter is switched in: flash.

A cold start is told as records, so that tables read it like any step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.loading import read_s
from sim.results import Result

if TYPE_CHECKING:
    import pandas as pd

DMA, HOST, DRAM, FLASH = "DMA", "host CPU", "DRAM", "flash"
LOAD = "load"
"""The phase before the first turn: the deployed file is read from flash, graphs are set up."""
SWITCH = "adapter_switch"


def load_frame(result: Result) -> pd.DataFrame:
    """Return the cold start as records: flash is read, then the host sets the graphs up."""
    import pandas as pd

    start = result.cold_start()
    host = {"phase": LOAD, "unit": "cpu", "bound": "launch", "layer": 0, "tiles": 1}
    read = {"name": "read the model", "ready_s": 0.0, "end_s": start.read_s}
    read |= {"flash_s": start.read_s, "flash_bytes": result.program.opened_bytes}
    opened_s = start.read_s + start.graph_init_s
    graphs = {"name": "set up graphs", "ready_s": start.read_s, "end_s": opened_s}
    ready = {"name": "make weights ready", "ready_s": opened_s, "end_s": start.total_s}
    parts = (read, graphs, ready) if start.prepare_s else (read, graphs)
    rows = [host | {"kind": part["name"]} | part for part in parts]
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
