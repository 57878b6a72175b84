"""How well a device and stack are validated: exhibits that no fit has seen, judged anew.

Validated: a first-token or prefill figure and a decode rate were measured on this device and stack.
Partly: only one of them was, or only a neighbour was measured (the device under another stack, the
stack on another device). Unvalidated: neither.

Not judged: whether the networks of the exhibits resemble the scenario's model.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from sim.calibration.shipping import read_residuals
from sim.evidence.exhibits import load_exhibits, runs_in_role
from sim.validation.judging import Judged, Validation, validate

HERE: Final = "this device and stack"
OTHER_STACKS: Final = "this device, other stacks"
OTHER_DEVICES: Final = "this stack, other devices"
ELSEWHERE: Final = "other devices and stacks"
Measured = tuple[str, str, str]
"""Device, stack and metric of a measured row."""
FIRST: Final = {"time_to_first_token_s", "prefill_tokens_per_s"}
DECODE: Final = "tokens_per_s"
MEANING: Final = {
    "validated": "First token and decode were measured on this device and stack.",
    "partly": "Only some of it was measured, or only a neighbouring stack or device.",
    "unvalidated": "No measured run of this device or stack judges the simulator.",
}


def evidence(device: str, stack: str) -> dict[str, Any]:
    """Return the validation status of a device and stack with the scores behind it."""
    runs = [
        run
        for run in runs_in_role(load_exhibits(), "validation")
        if device == run.device or stack == run.stack
    ]
    found = validate(runs, None, read_residuals())
    near: dict[str, list[Judged]] = {HERE: [], OTHER_STACKS: [], OTHER_DEVICES: []}
    for row in found.rows:
        near[_place(row, device, stack)].append(row)
    status = _status({row.metric for row in near[HERE]}, bool(found.rows))
    return {
        "status": status,
        "sentence": MEANING[status],
        "scores": [
            {"where": where, "metric": metric, **scores._asdict()}
            for where, rows in near.items()
            for metric, scores in Validation(tuple(rows), ()).by_metric().items()
        ],
        "rows": [
            {
                "id": row.run.id,
                "where": where,
                "model": row.run.model,
                "metric": row.metric,
                "measured": row.measured,
                "simulated": row.simulated,
                "error": row.error,
            }
            for where, rows in near.items()
            for row in rows
        ],
        "skipped": [skipped._asdict() for skipped in found.skipped],
    }


def measured_pairs() -> list[Measured]:
    """Return device, stack and metric of every validation row that ships and that can be judged."""
    return [
        (run.device, run.stack, metric)
        for run in runs_in_role(load_exhibits(), "validation")
        if not run.refusal and run.device and run.stack
        for metric in run.metrics
    ]


def status_of(device: str, stack: str, rows: Iterable[Measured]) -> str:
    """Return the validation status of a device and stack, without judging the rows."""
    near = [row for row in rows if device == row[0] or stack == row[1]]
    return _status({row[2] for row in near if row[:2] == (device, stack)}, bool(near))


def place_of(row: Judged, device: str, stack: str) -> str:
    """Return how near a row is to a device and stack."""
    return _place(row, device, stack) if stack == row.stack or device == row.device else ELSEWHERE


def _place(row: Judged, device: str, stack: str) -> str:
    if row.device != device:
        return OTHER_DEVICES
    return HERE if row.stack == stack else OTHER_STACKS


def _status(here: set[str], is_near: bool) -> str:
    """Return the status of the metrics judged here, and whether a neighbour was judged."""
    if DECODE in here and here & FIRST:
        return "validated"
    return "partly" if is_near else "unvalidated"
