"""Who waits for whom: busy and waiting seconds and operators of a step, and of a phase per token.

Everything is read from the records of the run. DMA and DRAM carry the same transfers: the first
says for which operator, the second at which rate the memory works.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dashboard.transfers import DMA, DRAM, FLASH, HOST, LOAD, load_frame, with_flash
from sim.explore.operator_pairs import operator_pairs
from sim.results import Result

if TYPE_CHECKING:
    import pandas as pd


def phases(result: Result) -> dict[str, int]:
    """Return the steps of each phase, in the order they begin; none where nothing ran."""
    found: dict[str, int] = {LOAD: 1} if result.groups else {}
    for times in result.groups:
        phase = times.group.phase
        found[phase] = found.get(phase, 0) + times.group.steps
    return found


def step_frame(result: Result, phase: str, step: int) -> pd.DataFrame:
    """Return the records of one step of the first turn; times from the step's start [s].

    Beside the columns of the records: ``dram_bytes``, ``flash_bytes`` and ``flash_s``.
    """
    import pandas as pd

    if phase == LOAD:
        return load_frame(result)
    records = result.records
    chosen = (records["phase"] == phase) & (records["step"] == step) & (records["turn"] == 0)
    frame = pd.DataFrame({name: column[chosen] for name, column in records.columns.items()})
    times = ["ready_s", "fetch_start_s", "fetch_end_s", "start_s", "end_s"]
    frame[times] -= frame["ready_s"].min() if len(frame) else 0.0
    frame["dram_bytes"] = frame["dram_read_bytes"] + frame["dram_write_bytes"]
    return with_flash(frame, result)


def busy(frame: pd.DataFrame) -> pd.DataFrame:
    """Return busy and idle milliseconds of each lane and its busy share of the step."""
    import pandas as pd

    step_s = float(frame["end_s"].max())
    host = frame["name"] == frame["kind"]
    moved_s = float(frame["dram_s"].sum())
    rows = [
        (f"{unit.upper()}: {part}", float(frame.loc[~host & (frame["unit"] == unit), column].sum()))
        for unit in frame.loc[~host, "unit"].unique().tolist()
        for part, column in (("arithmetic", "compute_s"), ("launch", "launch_s"))
    ]
    flash_s = float(frame["flash_s"].sum())
    host_s = float((frame["end_s"] - frame["ready_s"])[host].sum()) - flash_s
    rows += [(DMA, moved_s), (DRAM, moved_s), (HOST, host_s), (FLASH, flash_s)]
    table = pd.DataFrame(rows, columns=["lane", "busy_s"])
    return pd.DataFrame(
        {
            "lane": table["lane"],
            "busy [ms]": table["busy_s"] * 1e3,
            "idle [ms]": np.maximum(0.0, step_s - table["busy_s"]) * 1e3,
            "busy share": table["busy_s"] / step_s,
        }
    )


def operators(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the operators of some records, equal ones of all layers together, slowest first."""
    elapsed = frame.assign(
        elapsed_s=frame["end_s"] - frame["ready_s"],
        dram_bytes=frame["dram_read_bytes"] + frame["dram_write_bytes"],
    )
    grouped = elapsed.groupby(["name", "kind", "unit", "bound"], sort=False, as_index=False).agg(
        layers=("layer", "nunique"),
        elapsed_s=("elapsed_s", "sum"),
        wait_s=("wait_s", "sum"),
        dram_bytes=("dram_bytes", "sum"),
        flops=("flops", "sum"),
    )
    share = grouped["elapsed_s"] / grouped["elapsed_s"].sum()
    grouped["wait_s"] = grouped["wait_s"].clip(lower=0.0).round(9)  # rounding leaves -1e-17
    return grouped.assign(share=share).sort_values("elapsed_s", ascending=False, ignore_index=True)


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """Return operators with units that people read, in the order of what they ask first."""
    import pandas as pd

    return pd.DataFrame(
        {
            "operator": table["name"],
            "share of the step": table["share"],
            "time [ms]": (table["elapsed_s"] * 1e3).round(3),
            "waiting [ms]": (table["wait_s"] * 1e3).round(3),
            "bound by": table["bound"],
            "DRAM [MB]": (table["dram_bytes"] / 1e6).round(2),
            "GFLOP": (table["flops"] / 1e9).round(3),
            "layers": table["layers"],
            "kind": table["kind"],
            "unit": table["unit"],
        }
    )


def found(table: pd.DataFrame, text: str, bounds: list[str]) -> pd.DataFrame:
    """Return the operators whose name or kind holds ``text`` and that one of ``bounds`` bounds."""
    words = table["name"] + " " + table["kind"]
    chosen = words.str.contains(text, case=False, regex=False)
    return table[chosen & table["bound"].isin(bounds)] if bounds else table[chosen]


def step_s(result: Result, phase: str, step: int) -> float | None:
    """Return how long one step of the first turn takes [s], ``None`` where the run has no such."""
    if step >= phases(result).get(phase, 0):
        return None
    return float(step_frame(result, phase, step)["end_s"].max())


def perfetto(result: Result) -> bytes:
    """Return the whole run as Chrome trace JSON, for ui.perfetto.dev."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        result.to_perfetto(path)
        return path.read_bytes()


def differences(before: Result, now: Result, phase: str) -> pd.DataFrame:
    """Return A beside B, operator by operator, the largest difference first.

    Per output token in decode, else per turn; an operator that one of them lacks, such as a
    draft's, has 0 there.
    """
    import pandas as pd

    pairs = operator_pairs(before, now, phase)
    return pd.DataFrame(
        {
            "operator": [pair.name for pair in pairs],
            "A [ms]": [round(1e3 * pair.before_s, 4) for pair in pairs],
            "B [ms]": [round(1e3 * pair.after_s, 4) for pair in pairs],
            "B - A [ms]": [round(1e3 * pair.difference_s, 4) for pair in pairs],
            "A [MB]": [round(pair.before_bytes / 1e6, 2) for pair in pairs],
            "B [MB]": [round(pair.after_bytes / 1e6, 2) for pair in pairs],
        }
    )
