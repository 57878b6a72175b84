"""Where the time of a phase goes: the terms that people ask about, from the records' definitions.

A step's seconds are busy seconds of the compute stage (arithmetic, launch and host overhead) plus
waits for DRAM; the waits are shared out by the bytes that caused them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sim.results import Result

BYTE_CLASSES = (
    ("weights", "weight_bytes"),
    ("KV cache", "kv_read_bytes"),
    ("KV write", "kv_write_bytes"),
    ("activations", "activation_read_bytes"),
    ("activation write", "activation_write_bytes"),
)


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a phase: its seconds, share of the phase, and the bytes it moves [s, B]."""

    name: str
    seconds: float
    share: float
    moved_bytes: float


def phase_terms(result: Result, phase: str) -> list[Term]:
    """Return the terms of a phase, largest first; their seconds add up to the phase."""
    records = result.records
    chosen = records["phase"] == phase
    if not chosen.any():
        return []
    moved = {name: result.program.total(column, phase) for name, column in BYTE_CLASSES}
    total_bytes = sum(moved.values()) or 1.0
    wait_s = float(records["wait_s"][chosen].sum())
    seconds = {f"DRAM: {name}": wait_s * nbytes / total_bytes for name, nbytes in moved.items()}
    host = chosen & np.isin(records["kind"], ("host", "graph_call"))
    seconds["compute"] = float(records["compute_s"][chosen].sum())
    seconds["operator launch"] = float(records["launch_s"][chosen & ~host].sum())
    seconds["host and graph calls"] = float(records["launch_s"][host].sum())
    whole = sum(seconds.values())
    terms = [
        Term(name, value, value / whole, moved.get(name.removeprefix("DRAM: "), 0.0))
        for name, value in seconds.items()
        if value > 0.0
    ]
    return sorted(terms, key=lambda term: -term.seconds)
