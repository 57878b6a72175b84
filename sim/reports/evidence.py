"""How well a device and stack are validated: the judged rows that ship, as a report tells them.

Validated: a first-token or prefill figure and a decode rate, which no fit has seen, were judged on
this device and stack. Partly: only one of them was, or with the network left out of a fit, or on a
neighbour (the device under another stack, the stack on another device). Unvalidated: neither.
Scores are of rows that no fit has seen.

Not judged: whether the networks of the rows resemble the scenario's model; `sim.trust` says that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sim.evidence.nearest import (
    ELSEWHERE,
    HERE,
    OTHER_DEVICES,
    OTHER_STACKS,
    JudgedRow,
    Status,
    judged_rows,
    place_of,
)
from sim.evidence.nearest import status_of as judged_status
from sim.trust import ASPECTS, DECODE, FIRST_TOKEN, WITH_IMAGE
from sim.validation.judging import scores

CALLED: Final = {
    "validated": "validated",
    "partly": "partly validated",
    "unvalidated": "not validated",
}
"""What a page calls a status."""
MEANING: Final = {
    "validated": "First token and decode were measured on this device and stack.",
    "partly": "Only some of it was measured, or only a neighbouring stack or device.",
    "unvalidated": "No measured run of this device or stack judges the simulator.",
}


def evidence(device: str, stack: str, has_image: bool = False) -> dict[str, Any]:
    """Return the validation status of a device and stack with the scores behind it."""
    found = by_place(device, stack)
    near = {where: found[where] for where in (HERE, OTHER_STACKS, OTHER_DEVICES) if where in found}
    status = status_of(device, stack, has_image)
    return {
        "status": status,
        "sentence": MEANING[status],
        "scores": [
            {"where": where, "metric": metric, **scores(rows)._asdict()}
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


def status_of(device: str, stack: str, has_image: bool = False) -> Status:
    """Return the validation status of a device and stack: of first token, decode and encoding."""
    asked = (FIRST_TOKEN, DECODE, *((WITH_IMAGE,) if has_image else ()))
    found = {judged_status(ASPECTS[name], device, stack) for name in asked}
    return found.pop() if len(found) == 1 else "partly"


def _by_metric(rows: Iterable[JudgedRow]) -> Mapping[str, list[JudgedRow]]:
    found: dict[str, list[JudgedRow]] = {}
    for row in rows:
        found.setdefault(row.metric, []).append(row)
    return dict(sorted(found.items()))
