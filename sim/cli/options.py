"""What commands have in common: options of the same meaning, and printing JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from sim.cli.completing import assignments, stack_ids
from sim.cli.offering import (
    columns,
    device_ids,
    format_ids,
    importer_names,
    metrics,
    model_ids,
    scenario_ids,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
ModelName = Annotated[
    str,
    typer.Option(
        "--model",
        help="Model id, or path of a Hugging Face config.json.",
        autocompletion=model_ids,
    ),
]
MeasuredFiles = Annotated[
    list[Path] | None, typer.Argument(help="Measured files, any format we import.")
]
DeviceFile = Annotated[
    str | None,
    typer.Option(
        "--device",
        help="Device id or file; the one the rows name if none.",
        autocompletion=device_ids,
    ),
]
RunModel = Annotated[
    str,
    typer.Option(
        "--model",
        help="Model of the rows that name none: id or config.json.",
        autocompletion=model_ids,
    ),
]
RunStack = Annotated[
    str,
    typer.Option("--stack", help="Stack of the rows that name none.", autocompletion=stack_ids),
]
RunWeights = Annotated[
    str,
    typer.Option(
        "--weights",
        help="Weights of the rows that name none, such as q4_0.",
        autocompletion=format_ids,
    ),
]
RunPrompt = Annotated[
    int | None,
    typer.Option(
        "--prompt-tokens", min=0, help="Prompt of the rows that name none; 1: a graph decodes."
    ),
]
RunFormat = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="Format of the files; found from the text if none.",
        autocompletion=importer_names,
    ),
]
RunColumns = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="THEIRS=OURS",
        help="Rename a CSV column; repeat for more.",
        autocompletion=columns,
    ),
]
ScenarioFile = Annotated[
    Path | None,
    typer.Argument(
        help="Scenario id or YAML file; the default scenario if none.",
        autocompletion=scenario_ids,
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Override a dotted path; the value is YAML.",
        autocompletion=assignments,
    ),
]
Targets = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        help="METRIC<LIMIT or METRIC>LIMIT; repeat for more.",
        autocompletion=metrics,
    ),
]
TENTH = 10
"""Minute that targets must hold for unless another is named."""
Minutes = Annotated[
    int,
    typer.Option(min=1, help="Minute of decoding without a pause that targets must hold for."),
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of every random stream.")]


def tell_idle(options: Mapping[str, bool], reason: str) -> None:
    """Say on standard error which options that were given change nothing, and why."""
    given = [option for option, is_given in options.items() if is_given]
    if given:
        from workloads.errors import without_effect

        typer.echo(f"andesim: {without_effect(given, reason)}", err=True)


def say_written(out: Path) -> None:
    """Say on standard error where a file or folder was written."""
    typer.echo(f"Written to {out}.", err=True)


def print_json(document: Any) -> None:
    """Print one JSON document on standard output; a value JSON cannot hold is an error."""
    sys.stdout.write(json.dumps(document, indent=2, allow_nan=False) + "\n")
