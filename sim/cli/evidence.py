"""The commands that meet reality: measure, calibrate, validate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from sim.cli.options import (
    AsJson,
    DeviceFile,
    MeasuredFiles,
    ModelName,
    RunColumns,
    RunFormat,
    RunModel,
    RunPrompt,
    RunStack,
    RunWeights,
    print_json,
    say_written,
)
from sim.errors import SimError


def measure(
    model: ModelName,
    out: Annotated[Path, typer.Option("-o", "--out", help="Measurement JSON to write.")],
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="Where the module runs.")] = "cpu",
    dtype: Annotated[
        Literal["bf16", "fp32"], typer.Option(help="Of weights and activations.")
    ] = "bf16",
    quick: Annotated[bool, typer.Option("--quick", help="Fewer cases: minutes.")] = False,
    prompt_tokens: Annotated[
        list[int] | None, typer.Option(help="Prefill sizes; chosen for you if none.")
    ] = None,
    context_tokens: Annotated[
        list[int] | None, typer.Option(help="Decode contexts; chosen for you if none.")
    ] = None,
    images: Annotated[str, typer.Option(help="Image sizes such as 448x448;672x448.")] = "",
) -> None:
    """Run the PyTorch module here; record times and memory."""
    from sim.cli.measuring import measure_to

    said = measure_to(
        model,
        out,
        device=device,
        dtype=dtype,
        quick=quick,
        prompt_tokens=prompt_tokens or (),
        context_tokens=context_tokens or (),
        images=images,
    )
    typer.echo(said, err=True)


def calibrate(
    measured: MeasuredFiles = None,
    device: DeviceFile = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Device YAML to write.")] = None,
    shipped: Annotated[
        bool, typer.Option("--exhibits", help="Fit the shipped devices to the shipped exhibits.")
    ] = False,
    model: RunModel = "",
    stack: RunStack = "",
    weights: RunWeights = "",
    prompt_tokens: RunPrompt = None,
    format: RunFormat = None,
    column: RunColumns = None,
) -> None:
    """Fit a stack or this machine to measured runs."""
    from sim.calibration.files import calibrate_shipped, calibrate_to
    from sim.cli.measuring import calibrate_host_to
    from sim.evidence.given import Given

    if shipped:
        typer.echo(calibrate_shipped(), err=True)
        return
    if not measured or out is None:
        raise SimError("calibrate must be given measured files and -o DEVICE.yaml, or --exhibits.")
    if out.suffix not in (".yaml", ".yml"):
        raise SimError(f"-o must end in .yaml, by which a device file is known. Got '{out}'.")
    if _are_measurements(measured):
        others = _named(model, stack, weights, prompt_tokens, format, column)
        _refuse({"device": device} | others)
        typer.echo(calibrate_host_to(measured, out), err=True)
    else:
        given = Given(model, stack, weights, format, column or (), device or "", prompt_tokens)
        typer.echo(calibrate_to(measured, device, out, given), err=True)


def validate(
    measured: MeasuredFiles = None,
    device: DeviceFile = None,
    as_json: AsJson = False,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the report.")] = None,
    model: RunModel = "",
    stack: RunStack = "",
    weights: RunWeights = "",
    prompt_tokens: RunPrompt = None,
    format: RunFormat = None,
    column: RunColumns = None,
) -> None:
    """Judge the simulator on measured runs; the shipped ones if none."""
    if measured and _are_measurements(measured):
        _refuse({"out": out} | _named(model, stack, weights, prompt_tokens, format, column))
        _validate_host(measured, device, as_json)
        return
    from sim.cli.validating import show, validate_files
    from sim.evidence.given import Given

    given = Given(model, stack, weights, format, column or (), device or "", prompt_tokens)
    outcome = validate_files(measured or (), device, out, given)
    if out is not None:
        say_written(out)
    print_json(outcome.document()) if as_json else show(outcome.text)
    if outcome.exit_code:
        raise typer.Exit(outcome.exit_code)


def import_runs(
    measured: Annotated[list[Path], typer.Argument(help="Measured files, any format we import.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="CSV of measured runs to write.")],
    device: DeviceFile = None,
    model: RunModel = "",
    stack: RunStack = "",
    weights: RunWeights = "",
    prompt_tokens: RunPrompt = None,
    format: RunFormat = None,
    column: RunColumns = None,
) -> None:
    """Read measured files and write them as one CSV."""
    from sim.evidence.given import Given, import_to

    if out.suffix != ".csv":
        raise SimError(f"-o must end in .csv, the format of measured runs. Got '{out}'.")
    given = Given(model, stack, weights, format, column or (), device or "", prompt_tokens)
    typer.echo(import_to(measured, out, given), err=True)


def _validate_host(measured: Sequence[Path], device: str | None, as_json: bool) -> None:
    """Judge a fitted host device on files of `andesim measure`."""
    from sim.cli.measuring import validate_host_files
    from sim.validation.tables import document

    if device is None:
        raise SimError("--device must name the device file that was fitted to this machine.")
    found, text = validate_host_files(measured, Path(device))
    print_json(document(found)) if as_json else typer.echo(text)


def _named(*values: object) -> dict[str, object]:
    """Return what files of other tools may leave open, by its option."""
    names = ("model", "stack", "weights", "prompt-tokens", "format", "column")
    return dict(zip(names, values, strict=True))


def _refuse(options: dict[str, object]) -> None:
    """Raise SimError for options that would change nothing with files of `andesim measure`."""
    given = [f"--{name}" for name, value in options.items() if value]
    if given:
        raise SimError(
            f"{', '.join(given)} must go with files of other tools. Got files of `andesim measure`."
        )


def _are_measurements(measured: Sequence[Path]) -> bool:
    """Return whether all files are of `andesim measure`; raises SimError where only some are."""
    from sim.evidence.measuring.document import is_measurement

    found = [is_measurement(path) for path in measured]
    if any(found) and not all(found):
        raise SimError("Files of `andesim measure` and of other tools must be given apart.")
    return all(found)
