"""The `evidence` commands: add measured rows of one's own, and see what the shipped ones cover."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from sim.cli.options import (
    AsJson,
    DeviceFile,
    Overrides,
    RunColumns,
    RunFormat,
    RunModel,
    RunStack,
    RunWeights,
    ScenarioFile,
    Seed,
    print_json,
)

evidence = typer.Typer(
    help="Add measured rows, or see what is covered.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@evidence.command()
def add(
    measured: Annotated[list[Path], typer.Argument(help="Measured files, any format we import.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder of the new row set.")],
    role: Annotated[
        Literal["calibration", "validation", "context"],
        typer.Option(help="Whether the rows fit, judge, or do neither."),
    ] = "validation",
    title: Annotated[str, typer.Option(help="What was measured, in a line.")] = "",
    source: Annotated[list[str] | None, typer.Option(help="Where the numbers come from.")] = None,
    licence: Annotated[str, typer.Option(help="Under which terms others may use them.")] = "",
    device: DeviceFile = None,
    model: RunModel = "",
    stack: RunStack = "",
    weights: RunWeights = "",
    format: RunFormat = None,
    column: RunColumns = None,
) -> None:
    """Read files, check every row against physics, and write a row set with its manifest.

    Rows that leave open what ran are named with the option that settles them, and left out. Exit
    code 2 where no row is left.
    """
    from sim.cli.adding import About, add_rows
    from sim.evidence.given import Given

    given = Given(model, stack, weights, format, column or (), device or "")
    about = About(title, role, tuple(source or ()), licence)
    typer.echo(add_rows(measured, out, about, given))


@evidence.command()
def coverage(
    scenario: ScenarioFile = None,
    overrides: Overrides = None,
    seed: Seed = 0,
    draws: Annotated[int, typer.Option(min=8, help="Draws of the device.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Show what is measured where, and what measuring would tell most about a scenario."""
    from sim import load_scenario, simulate
    from sim.cli.covering import coverage_document, show_coverage

    result = simulate(load_scenario(scenario, overrides or ()), seed=seed)
    found = coverage_document(result, draws, seed)
    print_json(found) if as_json else show_coverage(found)
