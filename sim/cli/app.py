"""The commands of `andesim` and how their errors end.

Exit codes: 0 done, 1 a target or tolerance missed, 2 bad input. Commands import what they need when
they run, so that ``--help`` is quick and nothing but capture and measurement ever loads torch.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from hw_models.errors import HardwareError
from sim.cli.dashboarding import dashboard
from sim.cli.studying import study
from sim.cli.sweeping import sweep
from sim.errors import SimError
from sim.packaging import check_one_folder
from sim.results import Intervals, Result
from workloads.errors import WorkloadError

BAD_INPUT = 2

app = typer.Typer(
    name="andesim",
    help="Simulate multimodal language models on phones: time, memory, energy, heat.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

ScenarioFile = Annotated[
    Path | None, typer.Argument(help="Scenario YAML; the default scenario if none.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Override a dotted path; the value is YAML."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


@app.command()
def simulate(
    scenario: ScenarioFile = None,
    overrides: Overrides = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every random stream.")] = 0,
    engine: Annotated[
        Literal["auto", "event", "maxplus"], typer.Option(help="Which engine runs.")
    ] = "auto",
    uncertainty: Annotated[
        int, typer.Option(min=0, help="Draws of the uncertain parameters, for intervals.")
    ] = 0,
    as_json: AsJson = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for summary, tasks, scenario and Perfetto trace.")
    ] = None,
) -> None:
    """Simulate a scenario and say how long it takes, what it costs, and what bounds it."""
    from sim import load_scenario
    from sim import simulate as run
    from sim.documents import summary_document
    from sim.output import write_run

    result = run(load_scenario(scenario, overrides or ()), engine=engine, seed=seed)
    intervals = _intervals(result, uncertainty, seed)
    if out is not None:
        write_run(result, out, intervals)
    if as_json:
        print_json(summary_document(result, intervals))
        return
    from sim.cli.show import show_result

    show_result(result, intervals, out)


def _intervals(result: Result, samples: int, seed: int) -> Intervals | None:
    if not samples:
        return None
    from sim.analysis.uncertainty import uncertainty

    return uncertainty(result, samples, seed)


@app.command()
def trace(
    model: Annotated[str, typer.Option(help="Model id, or path of a Hugging Face config.json.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Trace file to write.")],
    phase: Annotated[
        list[str] | None, typer.Option(help="vision, prefill or decode; all if not given.")
    ] = None,
) -> None:
    """Capture the operator trace of a model from its PyTorch module."""
    from sim.cli.capturing import capture_to

    typer.echo(capture_to(model, phase, out), err=True)


@app.command()
def devices(
    name: Annotated[str | None, typer.Argument(help="Device id; all if none.")] = None,
    as_json: AsJson = False,
) -> None:
    """List devices with every parameter's value, kind, source and range."""
    from sim.cli.catalogues import device_rows, show_devices

    rows = device_rows(name)
    print_json(rows) if as_json else show_devices(rows, detailed=name is not None)


@app.command()
def models(
    name: Annotated[str | None, typer.Argument(help="Model id; all if none.")] = None,
    as_json: AsJson = False,
) -> None:
    """List models with parameters and KV-cache bytes per token."""
    from sim.cli.catalogues import model_rows, show_rows

    rows = model_rows(name)
    print_json(rows) if as_json else show_rows("Models", rows)


@app.command()
def formats(
    name: Annotated[str | None, typer.Argument(help="Format id; all if none.")] = None,
    as_json: AsJson = False,
) -> None:
    """List weight formats with their traffic, resident and file bits per weight."""
    from sim.cli.catalogues import format_rows, show_rows

    rows = format_rows(name)
    print_json(rows) if as_json else show_rows("Weight formats", rows)


@app.command()
def measure(
    model: Annotated[str, typer.Option(help="Model id, or path of a Hugging Face config.json.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Measurement JSON to write.")],
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="Where the module runs.")] = "cpu",
    dtype: Annotated[Literal["bf16", "fp32"], typer.Option(help="Of weights and activations.")] = (
        "bf16"
    ),
    quick: Annotated[bool, typer.Option("--quick", help="Fewer cases: minutes.")] = False,
    prompt_tokens: Annotated[
        list[int] | None, typer.Option(help="Prefill sizes; chosen for you if none.")
    ] = None,
    context_tokens: Annotated[
        list[int] | None, typer.Option(help="Decode contexts; chosen for you if none.")
    ] = None,
    images: Annotated[str, typer.Option(help="Image sizes such as 448x448;672x448.")] = "",
) -> None:
    """Run the real PyTorch module here and record times, spread and memory."""
    from sim.cli.measuring import measure_to

    typer.echo(
        measure_to(
            model,
            out,
            device=device,
            dtype=dtype,
            quick=quick,
            prompt_tokens=prompt_tokens or (),
            context_tokens=context_tokens or (),
            images=images,
        ),
        err=True,
    )


for command in (dashboard, study, sweep):
    app.command()(command)


def print_json(document: Any) -> None:
    """Print one JSON document on standard output; a value JSON cannot hold is an error."""
    sys.stdout.write(json.dumps(document, indent=2, allow_nan=False) + "\n")


def main() -> None:
    """Run the command line; rule breaks become one message and exit code 2."""
    try:
        check_one_folder()
        app()
    except (WorkloadError, HardwareError, SimError) as error:
        print(f"andesim: {error}", file=sys.stderr)
        sys.exit(BAD_INPUT)
    except BrokenPipeError:  # the reader of our output has gone: nothing left to say
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
