"""`andesim compare`: why two scenarios differ, for people or as JSON."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sim.cli.options import AsJson, Seed, print_json

if TYPE_CHECKING:
    from sim.explore.comparison import Comparison

SHOWN = 10
EXPLAINED = "time_to_first_token_s", "time_per_output_token_s", "energy_j", "peak_dram_bytes"


def compare(
    before: Annotated[Path, typer.Argument(help="First scenario YAML.")],
    after: Annotated[Path, typer.Argument(help="Second scenario YAML.")],
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Explain the difference of two scenarios term by term."""
    from sim.explore import comparison
    from workloads.scenario import load_scenario

    found = comparison.compare(load_scenario(before), load_scenario(after), seed)
    print_json(document(found)) if as_json else _show(found)


def document(found: Comparison) -> dict[str, Any]:
    """Return a comparison as plain data, ready for JSON."""
    return {
        "schema": "andesim.comparison/1",
        "sentence": found.sentence(),
        "changes": [asdict(change) for change in found.changes],
        "parameters": [asdict(change) for change in found.parameters],
        "metrics": [asdict(change) for change in found.metrics],
        "steps": [{"path": step.path, "metrics": dict(step.metrics)} for step in found.steps],
        "terms": [asdict(pair) | {"difference_s": pair.difference_s} for pair in found.terms],
    }


def _show(found: Comparison) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    if not (found.changes or found.parameters or found.metrics):
        console.print("Nothing differs: the scenarios are the same, and so are the runs.")
        return
    said = found.sentence() or "The runs have no metric in common."
    console.print(f"[bold]{escape(said)}[/bold]\n")
    walk = Table(box=None, title="One entry at a time", title_justify="left")
    walk.add_column("entry", no_wrap=True)
    for name in EXPLAINED:
        walk.add_column(name, justify="right", overflow="fold")
    walk.add_row("(first)", *_cells(found.before.summary().as_dict()))
    for step in found.steps:
        walk.add_row(escape(step.path), *_cells(step.metrics))
    console.print(walk)
    terms = Table(box=None, title="\nWhere the seconds go", title_justify="left")
    for name in ("phase", "term", "first s", "second s", "difference s", "first MB", "second MB"):
        terms.add_column(name, justify="left" if name in ("phase", "term") else "right")
    for pair in found.terms[:SHOWN]:
        seconds = (pair.before_s, pair.after_s, pair.difference_s)
        moved = (pair.before_bytes, pair.after_bytes)
        terms.add_row(
            pair.phase,
            pair.name,
            *(f"{value:.4f}" for value in seconds),
            *(f"{value / 1e6:.0f}" for value in moved),
        )
    console.print(terms)


def _cells(metrics: Any) -> list[str]:
    values = (metrics[name] for name in EXPLAINED)
    return ["-" if value is None else f"{value:.4g}" for value in values]
