"""`evidence coverage`: judged rows by device and stack, and what to measure next."""

from __future__ import annotations

from typing import Any

from sim.cli.tables import Column, make_console, print_table
from sim.evidence.nearest import HERE, JudgedRow, judged_rows, place_of
from sim.explore.next_measurement import best_sentence, worth_measuring
from sim.results import Result
from sim.trust import trust_document
from sim.validation.judging import scores
from sim.wording import label

SHOWN = 8
"""Measurements that are listed."""


def coverage_document(result: Result, draws: int, seed: int) -> dict[str, Any]:
    """Return judged rows by device, stack and metric, and what measuring would tell."""
    groups: dict[tuple[str, str, str], list[JudgedRow]] = {}
    for row in judged_rows():
        groups.setdefault((row.device, row.stack, row.metric), []).append(row)
    found = worth_measuring(result, draws, seed)
    return {
        "schema": "andesim.coverage/1",
        "question": {
            "model": result.program.model,
            "device": result.soc.id,
            "stack": result.stack,
            "evidence": trust_document(result),
        },
        "cells": [
            {
                "device": device,
                "stack": stack,
                "metric": metric,
                "validation_rows": sum(row.role == "validation" for row in rows),
                "calibration_rows": sum(row.role == "calibration" for row in rows),
                "models": len({row.model for row in rows}),
                "mape": scores(rows).mape,
                "inside_interval": scores(rows).inside_interval,
            }
            for (device, stack, metric), rows in sorted(groups.items())
        ],
        "here": sum(place_of(r, result.soc.id, result.stack) == HERE for r in judged_rows()),
        "next": [
            {"measure": item.what, "metric": item.metric, "removes": dict(item.shares)}
            for item in found
        ],
        "sentence": best_sentence(found),
    }


def show_coverage(found: dict[str, Any]) -> None:
    """Print the cells as a table, then what to measure next."""
    console = make_console()
    columns = (
        *(Column("device", is_text=True), Column("stack", is_text=True), Column("metric", True)),
        *map(Column, ("blind", "fitted", "models", "error", "inside")),
    )
    rows = [
        (
            *(cell["device"], cell["stack"], label(cell["metric"])),
            *map(str, (cell["validation_rows"], cell["calibration_rows"], cell["models"])),
            f"{cell['mape']:.0%}",
            "-" if cell["inside_interval"] is None else f"{cell['inside_interval']:.0%}",
        )
        for cell in found["cells"]
    ]
    title = "Judged rows: blind ones, and ones whose network was left out of the fit"
    print_table(console, title, columns, rows)
    asked = found["question"]
    console.print(
        f"\n{asked['model']} on {asked['device']}, stack {asked['stack']}: {found['here']} judged "
        "rows of this device and stack."
    )
    names = list(found["next"][0]["removes"]) if found["next"] else []
    worth = [
        (item["measure"], item["metric"], *(f"{item['removes'][name]:.0%}" for name in names))
        for item in found["next"][:SHOWN]
    ]
    heads = (Column("measure", True), Column("metric", True), *(Column(label(n)) for n in names))
    print_table(console, "\nOne measurement, and the variance it removes from", heads, worth)
    console.print(found["sentence"])
