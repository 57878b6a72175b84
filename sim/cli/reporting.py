"""`andesim report`: the answer to a scenario as a page to hand upward."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from sim.cli.bars import STOPPED, Bar
from sim.cli.offering import scenario_ids
from sim.cli.options import AsJson, Minutes, Overrides, Targets, say_written
from sim.cli.patience import tell_step

MISSED = 1


def report(
    scenario: Annotated[
        Path | None,
        typer.Argument(
            metavar="SCENARIO.yaml|RESULT_DIR|MATRIX.yaml",
            help="Scenario, folder of simulate or validate --out, or phones and models to compare.",
            autocompletion=scenario_ids,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="FILE.html, .pdf, .md or .json; Markdown here if none."),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(
            help="Scenario to compare with, operator by operator.", autocompletion=scenario_ids
        ),
    ] = None,
    target: Targets = None,
    overrides: Overrides = None,
    uncertainty: Annotated[
        int, typer.Option(min=0, help="Draws of the uncertain numbers, for intervals.")
    ] = 100,
    minutes: Minutes = 10,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of every random stream; the folder's, else 0.")
    ] = None,
    interactive: Annotated[
        bool, typer.Option("--interactive", help="Plotly charts inside the HTML: 5 MB.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write a report: verdict, memory, time, assumptions, evidence.

    Exit code 1 on FAIL and THROTTLES.
    """
    from sim.explore.parts import beside
    from sim.explore.targets import Target
    from sim.judgements import Status
    from sim.reports.files import check_path, json_text, write_report
    from sim.reports.making import make_report
    from sim.reports.page import markdown

    if out is not None:
        check_path(out, interactive=interactive)
    targets = [Target.parse(text) for text in target or ()]
    bar = Bar("pairs")
    with _kept_if_stopped(bar, out):
        document, page = make_report(
            scenario,
            targets,
            uncertainty,
            seed,
            overrides or (),
            minutes,
            tell_step,
            baseline,
            bar.tell,
            out,
        )
    if out is not None:
        write_report(out, page, document, interactive=interactive)
        if bar.done:
            shutil.rmtree(beside(out), ignore_errors=True)
        say_written(out)
    if as_json or out is None:
        typer.echo(json_text(document) if as_json else markdown(page), nl=False)
    raise typer.Exit(MISSED if page.verdict and Status(page.verdict).is_missed else 0)


@contextmanager
def _kept_if_stopped(bar: Bar, out: Path | None) -> Iterator[None]:
    """End a bar; of a report that is stopped say which of its pairs are kept."""
    try:
        yield
    except KeyboardInterrupt:
        bar.end()
        kept = f"{bar.done} pairs are kept; the same command continues." if out and bar.done else ""
        print(f"Stopped: nothing is written. {kept}".rstrip(), file=sys.stderr)
        raise typer.Exit(STOPPED) from None
    finally:
        bar.end()
