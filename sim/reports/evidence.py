"""How well a device and stack are validated: the judged rows that ship, as a report tells them.

Validated: a first-token or prefill figure and a decode rate were measured on this device and stack.
Partly: only one of them was, or only a neighbour was measured (the device under another stack, the
stack on another device). Unvalidated: neither. Only rows that no fit has seen count.

Not judged: whether the networks of the rows resemble the scenario's model; `sim.trust` says that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np

from sim.evidence.nearest import (
    ELSEWHERE,
    HERE,
    OTHER_DEVICES,
    OTHER_STACKS,
    JudgedRow,
    judged_rows,
    place_of,
)

FIRST: Final = {"time_to_first_token_s", "prefill_tokens_per_s"}
DECODE: Final = "tokens_per_s"
MEANING: Final = {
    "validated": "First token and decode were measured on this device and stack.",
    "partly": "Only some of it was measured, or only a neighbouring stack or device.",
    "unvalidated": "No measured run of this device or stack judges the simulator.",
}


def evidence(device: str, stack: str) -> dict[str, Any]:
    """Return the validation status of a device and stack with the scores behind it."""
    found = by_place(device, stack)
    near = {where: found[where] for where in (HERE, OTHER_STACKS, OTHER_DEVICES) if where in found}
    status = status_of(device, stack)
    return {
        "status": status,
        "sentence": MEANING[status],
        "scores": [
            {"where": where, "metric": metric, **scores(rows)}
            for where, held in near.items()
            for metric, rows in _by_metric(held).items()
        ],
        "rows": [
            {
                "id": row.id,
                "where": where,
                "model": row.model,
                "metric": row.metric,
                "measured": row.measured,
                "simulated": row.simulated,
                "error": row.error,
            }
            for where, rows in near.items()
            for row in rows
        ],
    }


def by_place(device: str, stack: str) -> dict[str, list[JudgedRow]]:
    """Return the rows that no fit has seen by where they were measured, without far ones."""
    found: dict[str, list[JudgedRow]] = {}
    for row in unseen():
        if (place := place_of(row, device, stack)) != ELSEWHERE:
            found.setdefault(place, []).append(row)
    return found


def unseen() -> list[JudgedRow]:
    """Return every row in role validation."""
    return [row for row in judged_rows() if row.role == "validation"]


def status_of(device: str, stack: str) -> str:
    """Return the validation status of a device and stack."""
    near = by_place(device, stack)
    here = {row.metric for row in near.get(HERE, ())}
    if DECODE in here and here & FIRST:
        return "validated"
    return "partly" if near else "unvalidated"


def scores(rows: Iterable[JudgedRow]) -> dict[str, Any]:
    """Return count, mean and 95th percentile of the errors, bias, and the share inside.

    ``inside_interval`` is ``None`` where no row has an interval.
    """
    held = list(rows)
    errors = np.array([row.error for row in held])
    ranged = [row.is_inside for row in held if row.low < row.high]
    return {
        "n": len(held),
        "mape": float(np.abs(errors).mean()),
        "bias": float(errors.mean()),
        "p95_abs_error": float(np.percentile(np.abs(errors), 95)),
        "inside_interval": sum(ranged) / len(ranged) if ranged else None,
    }


def _by_metric(rows: Iterable[JudgedRow]) -> Mapping[str, list[JudgedRow]]:
    found: dict[str, list[JudgedRow]] = {}
    for row in rows:
        found.setdefault(row.metric, []).append(row)
    return dict(sorted(found.items()))
