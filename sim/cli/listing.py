"""The commands that list what ships: devices, models, formats, scenarios; and capture a trace."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sim.cli.offering import device_ids, format_ids, model_ids
from sim.cli.options import AsJson, ModelName, print_json
from sim.errors import SimError


def trace(
    out: Annotated[Path, typer.Option("-o", "--out", help="Trace file to write.")],
    model: Annotated[
        str | None,
        typer.Option(help="Model id, config.json, folder or .gguf file.", autocompletion=model_ids),
    ] = None,
    module: Annotated[
        str | None,
        typer.Option(metavar="PACKAGE.MODULE:FACTORY", help="Any nn.Module instead of a model."),
    ] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", metavar="1x3x224x224", help="With --module: shape of each input."),
    ] = None,
    phase: Annotated[
        list[str] | None, typer.Option(help="vision, prefill or decode; all if not given.")
    ] = None,
    cached: Annotated[
        bool, typer.Option("--cache/--no-cache", help="Use the traces kept from earlier captures.")
    ] = True,
) -> None:
    """Capture the operator trace of a model or PyTorch module."""
    from sim.cli.capturing import capture_module_to, capture_to

    if module is not None:
        if model is not None or phase:
            raise SimError("--module must stand alone, with --input. Got --model or --phase too.")
        typer.echo(capture_module_to(module, inputs or [], out), err=True)
        return
    if inputs:
        raise SimError("--input must come with --module: a model's inputs are known.")
    typer.echo(capture_to(model or "andesvl-4b", phase, out, cached), err=True)


def devices(
    name: Annotated[
        str | None,
        typer.Argument(help="Device id or file; all if none.", autocompletion=device_ids),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List devices; of one, every parameter with its source."""
    from sim.cli.catalogues import device_rows, show_devices

    rows = device_rows(name)
    print_json(rows) if as_json else show_devices(rows, detailed=name is not None)


def models(
    name: Annotated[
        str | None,
        typer.Argument(help="Model id or path; all if none.", autocompletion=model_ids),
    ] = None,
    networks: Annotated[
        bool, typer.Option("--networks", help="Encoders and convolutional networks instead.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List models; one in detail, by id or by path."""
    from sim.cli.catalogues import model_rows, network_rows, show_model, show_rows

    if networks and name is not None:
        raise SimError(f"--networks must come without an id. Got {name!r}.")
    rows = network_rows() if networks else model_rows(name)
    if as_json:
        print_json(rows)
    elif name is None:
        show_rows("Models", rows)
    else:
        show_model(rows[0])


def formats(
    name: Annotated[
        str | None,
        typer.Argument(help="Format id or path; all if none.", autocompletion=format_ids),
    ] = None,
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
