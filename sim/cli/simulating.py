"""The `simulate` command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from sim.cli.options import (
    TENTH,
    AsJson,
    Minutes,
    Overrides,
    ScenarioFile,
    Seed,
    Targets,
    print_json,
    say_written,
    tell_idle,
)
from sim.cli.patience import tell, tell_step

MISSED = 1
"""Exit code where a target is missed."""


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
    if not targets and not uncertainty:
        tell_idle({"--minutes": minutes != TENTH}, "no --target is given")
    result = run(
        load_scenario(scenario, overrides or ()), engine=engine, seed=seed, on_progress=tell
    )
    draws = uncertainty or DRAWS * bool(targets)
    tell_step(f"{draws} draws of the device" if draws else "summing up")
    sampled = sampled_metrics(result, draws, seed, minutes, tell) if draws else None
    tell_step("summing up")
    ranges = intervals(sampled) if sampled else None
    judged = judge(result, targets, sampled, minutes) if targets else None
    found: list[dict[str, Any]] = []
    if judged and judged.status.is_missed:
        from sim.explore.remedies import plain, remedies_of

        tell_step("trying changes that would pass")
        found = plain(remedies_of(result, targets, minutes))
    if out is not None:
        write_run(result, out, ranges)
        if as_json:
            say_written(out)
    if as_json:
        told = {"verdict": judged.plain(), "remedies": found} if judged else {}
        print_json(summary_document(result, ranges) | told)
    else:
        from sim.showing import show_result

        show_result(result, ranges, judged, out, remedies=found)
    raise typer.Exit(MISSED if judged and judged.status.is_missed else 0)
