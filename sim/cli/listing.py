"""The commands that list what ships: devices, models, formats, scenarios; and capture a trace."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sim.cli.options import AsJson, ModelName, print_json
from sim.errors import SimError


def trace(
    model: ModelName,
    out: Annotated[Path, typer.Option("-o", "--out", help="Trace file to write.")],
    phase: Annotated[
        list[str] | None, typer.Option(help="vision, prefill or decode; all if not given.")
    ] = None,
) -> None:
    """Capture the operator trace of a model from its PyTorch module."""
    from sim.cli.capturing import capture_to

    typer.echo(capture_to(model, phase, out), err=True)


def devices(
    name: Annotated[str | None, typer.Argument(help="Device id or file; all if none.")] = None,
    as_json: AsJson = False,
) -> None:
    """List devices; of one, every parameter with its source."""
    from sim.cli.catalogues import device_rows, show_devices

    rows = device_rows(name)
    print_json(rows) if as_json else show_devices(rows, detailed=name is not None)


def models(
    name: Annotated[str | None, typer.Argument(help="Model id; all if none.")] = None,
    as_json: AsJson = False,
) -> None:
    """List models with parameters and KV-cache bytes per token."""
    from sim.cli.catalogues import model_rows, show_rows

    rows = model_rows(name)
    print_json(rows) if as_json else show_rows("Models", rows)


def formats(
    name: Annotated[str | None, typer.Argument(help="Format id; all if none.")] = None,
    bits: Annotated[
        float | None, typer.Option("--bpw", help="Which mixes have this mean of bits per weight?")
    ] = None,
    model: ModelName = "andesvl-4b",
    fixed: Annotated[
        list[str] | None,
        typer.Option("--fix", metavar="CLASS=FORMAT", help="With --bpw: body or lm_head as given."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List weight formats, or the mixes that reach a mean of bits."""
    from sim.cli.catalogues import format_rows, mix_rows, show_mixes, show_rows

    if fixed and bits is None:
        raise SimError("--fix must come with --bpw: it says what a mix keeps. Got no --bpw.")
    if name is not None and bits is not None:
        raise SimError(f"--bpw must come without a format's id. Got {name!r}.")
    if bits is not None:
        mixes = mix_rows(bits, model, fixed or ())
        print_json(mixes) if as_json else show_mixes(bits, model, mixes)
        return
    rows = format_rows(name)
    print_json(rows) if as_json else show_rows("Weight formats", rows)


def scenarios(as_json: AsJson = False) -> None:
    """List the scenarios that ship, by the ids `simulate` takes."""
    from sim.cli.catalogues import scenario_rows, show_rows

    rows = scenario_rows()
    print_json(rows) if as_json else show_rows("Scenarios", rows)
