"""`andesim compare`: why two scenarios differ, for people or as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sim.cli.offering import scenario_ids
from sim.cli.options import AsJson, Seed, print_json
from sim.cli.tables import Column, make_console, print_table

if TYPE_CHECKING:
    from sim.explore.comparison import Comparison, TermPair

SHOWN = 10
EXPLAINED = "time_to_first_token_s", "time_per_output_token_s", "energy_j", "peak_dram_bytes"
OF_A_NETWORK = "inference_s", "energy_per_inference_j", "peak_dram_bytes"


def compare(
    before: Annotated[
        Path, typer.Argument(help="First scenario YAML.", autocompletion=scenario_ids)
    ],
    after: Annotated[
        Path, typer.Argument(help="Second scenario YAML.", autocompletion=scenario_ids)
    ],
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
    from rich.markup import escape

    from sim.wording import label, shown

    console = make_console()
    if not (found.changes or found.parameters or found.metrics):
        console.print("Nothing differs: the scenarios are the same, and so are the runs.")
        return
    said = found.sentence() or "The runs have no metric in common."
    console.print(f"[bold]{escape(said)}[/bold]\n", soft_wrap=True)
    runs: list[tuple[str, Mapping[str, Any]]] = [("as the first", found.before.summary().as_dict())]
    runs += [(step.path.replace(" + ", "\n+ "), step.metrics) for step in found.steps]
    is_network = found.before.scenario.network is not None
    explained = OF_A_NETWORK if is_network else EXPLAINED
    print_table(
        console,
        "One entry after the other changed to the second's",
        [Column("entry", is_text=True), *(Column(label(name)) for name in explained)],
        [[name, *(shown(key, metrics[key]).text for key in explained)] for name, metrics in runs],
    )
    console.print()
    print_table(
        console, "Where the seconds go", TERM_COLUMNS, list(map(_term, found.terms[:SHOWN]))
    )


TERM_COLUMNS = (
    Column("phase", is_text=True),
    Column("term", is_text=True),
    *map(Column, ("first s", "second s", "difference s", "first MB", "second MB")),
)


def _term(pair: TermPair) -> list[str]:
    """Return the cells of one term in both runs."""
    seconds = (pair.before_s, pair.after_s, pair.difference_s)
    moved = (pair.before_bytes, pair.after_bytes)
    return [
        pair.phase,
        pair.name,
        *(f"{value:z.4f}" for value in seconds),
        *(f"{value / 1e6:.0f}" for value in moved),
    ]
