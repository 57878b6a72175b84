"""What several formats do to a record before it becomes a run.

A record holds what a text said of one run, in the fields of `sim.evidence.importers.engine`.
"""

from __future__ import annotations

from typing import Final

from sim.evidence.importers.engine import Record

_UNIT_NAMES: Final = {
    "cpu": "_cpu",
    **dict.fromkeys(("gpu", "opencl", "vulkan", "metal"), "_gpu"),
    **dict.fromkeys(("npu", "qnn", "htp"), "_npu"),
}
_DECODE: Final = ("tokens_per_s", "decode_s")


def stacks(runtime: str) -> dict[str, str]:
    """Return the stacks of a runtime by the names of its backends."""
    return {name: f"{runtime}{unit}" for name, unit in _UNIT_NAMES.items()}


def one_sequence(record: Record) -> Record:
    """Return a record, refused where several sequences ran at once (``batch``)."""
    if record.get("batch") not in (None, "1", 1):
        record["refusal"] = f"{record['batch']} sequences ran at once, which no phone is asked."
    return record


def without_drafts(record: Record, why: str) -> None:
    """Take the decode rate from a record whose steps commit several tokens, and say so."""
    for name in [name for name in record if name.partition("__")[0] in _DECODE]:
        del record[name]
    said = f"{why}: the decode rate is of drafted tokens and is not judged."
    record["warnings"] = (*record.get("warnings", ()), said)
