"""The commands of `andesim` and how their errors end.

Exit codes: 0 done, 1 a target or tolerance missed, 2 bad input, 130 a sweep stopped by Ctrl-C,
143 the dashboard stopped by a signal.
Commands import what they need when they run, so that ``--help`` is quick and nothing but capture
and measurement ever loads torch.
"""

from __future__ import annotations

import errno
import os
import sys
import warnings
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer

from hw_models.errors import HardwareError
from sim.cli.comparing import compare
from sim.cli.corpus import evidence
from sim.cli.dashboarding import dashboard
from sim.cli.ending import keep_all, leave
from sim.cli.evidence import calibrate, import_runs, measure, validate
from sim.cli.listing import devices, formats, models, scenarios, trace
from sim.cli.options import (
    AsJson,
    Minutes,
    Overrides,
    ScenarioFile,
    Seed,
    Targets,
    print_json,
    say_written,
)
from sim.cli.patience import begin, tell_turns
from sim.cli.plain import PLAIN, clipped
from sim.cli.reporting import report
from sim.cli.sizing import size
from sim.cli.solving import solve
from sim.cli.studying import study
from sim.cli.sweeping import sweep
from sim.errors import SimError
from sim.packaging import check_one_folder
from workloads.errors import WorkloadError

MISSED, BAD_INPUT = 1, 2

app = typer.Typer(
    name="andesim",
    help="Simulate multimodal language models on phones: time, memory, energy, heat.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from sim.packaging import versions

        typer.echo(f"andesim {versions()['andesim']}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Simulate multimodal language models on phones: time, memory, energy, heat."""


@app.command()
def simulate(
    scenario: ScenarioFile = None,
    overrides: Overrides = None,
    seed: Seed = 0,
    engine: Annotated[
        Literal["auto", "event", "maxplus"], typer.Option(help="Which engine runs.")
    ] = "auto",
    uncertainty: Annotated[
        int, typer.Option(min=0, help="Draws of the uncertain parameters, for intervals.")
    ] = 0,
    target: Targets = None,
    minutes: Minutes = 10,
    as_json: AsJson = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for summary, tasks, scenario and Perfetto trace.")
    ] = None,
) -> None:
    """Simulate a scenario: time, memory, energy, and what bounds it.

    With targets: exit code 1 where they are missed at first (FAIL) or once the phone is warm
    (THROTTLES), judged on 100 draws if --uncertainty names no other number.
    """
    from sim import load_scenario
    from sim.documents import summary_document, write_run
    from sim.explore.targets import Target
    from sim.explore.uncertainty import intervals, sampled_metrics
    from sim.simulation import simulate as run
    from sim.verdicts import DRAWS, judge

    targets = [Target.parse(text) for text in target or ()]
    result = run(
        load_scenario(scenario, overrides or ()), engine=engine, seed=seed, on_turn=tell_turns
    )
    draws = uncertainty or DRAWS * bool(targets)
    sampled = sampled_metrics(result, draws, seed, minutes) if draws else None
    ranges = intervals(sampled) if sampled else None
    judged = judge(result, targets, sampled, minutes) if targets else None
    if out is not None:
        write_run(result, out, ranges)
        if as_json:
            say_written(out)
    if as_json:
        told = {"verdict": judged.plain()} if judged else {}
        print_json(summary_document(result, ranges) | told)
    else:
        from sim.showing import show_result

        show_result(result, ranges, judged, out)
    raise typer.Exit(MISSED if judged and judged.status.is_missed else 0)


for command in (
    trace,
    measure,
    calibrate,
    validate,
    sweep,
    size,
    solve,
    compare,
    report,
    study,
    dashboard,
    devices,
    models,
    formats,
    scenarios,
):
    app.command()(command)
app.command("import")(import_runs)
app.add_typer(evidence, name="evidence")


_OTHER_NAMES = (
    "names of files must be text of this locale. Got other characters. "
    "Remedy: set PYTHONUTF8=1, or a locale such as C.UTF-8."
)


def _show_warning(message: Warning | str, *_: Any) -> None:
    """Show a warning as a line of its own, without the place in our code that gave it."""
    print(f"andesim: {message}", file=sys.stderr)


def main() -> NoReturn:
    """Run the command line; rule breaks become one message and exit code 2."""
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    keep_all()
    leave(_outcome())


def _outcome() -> object:
    """Run the command that is asked for and return the exit code, with all output written."""
    try:
        check_one_folder()
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(errors=PLAIN)  # type: ignore[union-attr]
        begin()
        code = _code_of_command()
        sys.stdout.flush()
        return code
    except (WorkloadError, HardwareError, SimError) as error:
        print(f"andesim: {clipped(str(error))}", file=sys.stderr)
    except UnicodeEncodeError:
        print(f"andesim: {_OTHER_NAMES}", file=sys.stderr)
    except BrokenPipeError:  # the reader of our output has gone: nothing left to say
        _forget_output()
        return 0
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename is not None:
            raise
        _forget_output()
        print("andesim: standard output must take what is printed. It is full.", file=sys.stderr)
    return BAD_INPUT


def _code_of_command() -> object:
    try:
        app(prog_name="andesim")
    except SystemExit as ended:
        return ended.code
    return 0


def _forget_output() -> None:
    """Let what is still unwritten go nowhere, so that Python does not fail on it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
