"""The part of a report that compares: a baseline A, the run B, and why they differ.

Which entries differ, what each does on the way from A to B, and operator by operator where the
seconds went: the same figures as `andesim compare` and the dashboard's timeline.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from sim.explore.comparison import Comparison
from sim.explore.operator_pairs import operator_pairs
from sim.reports.conditions import conditions
from sim.reports.page import Cell, Paragraph, Section, Table
from sim.results import Result
from sim.simulation import simulate
from sim.wording import label, shown
from workloads.scenario import Scenario
from workloads.trace import NETWORK

METRICS: Final = (
    "time_to_first_token_s",
    "tokens_per_s",
    "sustained_tokens_per_s",
    "inference_s",
    "peak_dram_bytes",
    "energy_j",
    "mean_power_w",
)
SHOWN: Final = 12
"""Operators of a phase that are told, those that differ most."""
PHASES: Final = ("vision", "prefill", "decode", NETWORK)

Document = Mapping[str, Any]


def baseline(scenario: Scenario | None, result: Result) -> dict[str, Any] | None:
    """Return how a run differs from that of a baseline, as plain data; ``None`` without one."""
    if scenario is None:
        return None
    before = simulate(scenario, seed=result.seed)
    found = Comparison(before, result)
    return {
        "model": before.program.model,
        "device": before.soc.name,
        "stack": before.stack,
        "conditions": conditions(scenario),
        "fits": before.fits,
        "sentence": found.sentence(),
        "changes": [asdict(change) for change in found.changes],
        "steps": [{"path": step.path, **_metrics(step.metrics)} for step in found.steps],
        "metrics": _metrics(before.metrics()),
        "operators": {phase: _operators(before, result, phase) for phase in PHASES},
    }


def _metrics(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in METRICS}


def _operators(before: Result, after: Result, phase: str) -> list[dict[str, Any]]:
    pairs = operator_pairs(before, after, phase)
    return [asdict(pair) | {"difference_s": pair.difference_s} for pair in pairs]


def baseline_section(document: Document) -> Section:
    """Return the section of a report that compares; without blocks where nothing is compared."""
    found = document["baseline"]
    if found is None:
        return Section("Against the baseline", ())
    about = ", ".join(found["conditions"])
    head = f"A, the baseline: {found['model']} on {found['device']}, stack {found['stack']}; "
    said = found["sentence"] or "The runs have no metric in common."
    blocks: list[Paragraph | Table] = [
        Paragraph((f"{head}{about}. B is this report's run. From A to B: {said}.",)),
        _metrics_table(found, document["run"]["metrics"]),
    ]
    if found["changes"]:
        rows = tuple(
            (change["path"], str(change["before"]), str(change["after"]))
            for change in found["changes"]
        )
        blocks.append(Table(("what differs", "A", "B"), rows))
    if len(found["steps"]) > 1:
        blocks.append(_steps_table(found))
    blocks += [
        block
        for phase, operators in found["operators"].items()
        if operators
        for block in _operator_blocks(phase, operators)
    ]
    return Section("Against the baseline", tuple(blocks))


def _metrics_table(found: Document, after: Mapping[str, Any]) -> Table:
    rows = []
    for name in METRICS:
        before, now = found["metrics"][name], after[name]
        if before is not None or now is not None:
            change = f"{now / before - 1.0:+.1%}" if before and now is not None else "-"
            rows.append((label(name), shown(name, before), shown(name, now), change))
    return Table(("", "A", "B", "change"), tuple(rows))


def _steps_table(found: Document) -> Table:
    """Return one entry after the other changed to B's, and what each gives."""
    names = [name for name in METRICS if found["metrics"][name] is not None]
    lines = [("as A", found["metrics"]), *((step["path"], step) for step in found["steps"])]
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (path, *(shown(name, values[name]) for name in names)) for path, values in lines
    )
    return Table(("one entry after the other", *map(label, names)), rows)


def _operator_blocks(phase: str, operators: list[Document]) -> tuple[Paragraph, Table]:
    per = "output token" if phase == "decode" else "call" if phase == NETWORK else "turn"
    totals = [sum(one[side] for one in operators) for side in ("before_s", "after_s")]
    more = f" The {SHOWN} that differ most:" if len(operators) > SHOWN else ""
    text = Paragraph(
        (
            f"{phase.capitalize()} per {per}, operator by operator: ",
            shown("seconds_s", totals[0]),
            " in A, ",
            shown("seconds_s", totals[1]),
            f" in B.{more}",
        )
    )
    rows = tuple(
        (
            one["name"],
            *(shown("seconds_s", one[side]) for side in ("before_s", "after_s", "difference_s")),
            *(shown("moved_bytes", one[side]) for side in ("before_bytes", "after_bytes")),
        )
        for one in operators[:SHOWN]
    )
    header = ("operator", "A", "B", "B - A", "DRAM in A", "DRAM in B")
    return text, Table(header, rows)
