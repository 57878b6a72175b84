"""`andesim size`: which deployments meet the targets, or which target stands in the way."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sim.cli.options import AsJson, Minutes, Overrides, ScenarioFile, Seed, Targets, print_json
from sim.errors import SimError
from workloads.files import parse_yaml
from workloads.weight_formats import catalogue

if TYPE_CHECKING:
    from sim.explore.sizing import Candidate, Sizing
    from sim.explore.targets import Target
    from sim.results import Result
    from workloads.scenario import Scenario

MISSED = 1
SHOWN = 8
"""Settings that are printed."""


def size(
    scenario: ScenarioFile = None,
    target: Targets = None,
    free: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH=[VALUES]", help="What may change, preferred values first."),
    ] = None,
    largest: Annotated[
        str | None,
        typer.Option(
            metavar="PATH[=[LOW, HIGH]]",
            help="Find the largest whole number, or format, that meets the targets.",
        ),
    ] = None,
    overrides: Overrides = None,
    uncertainty: Annotated[
        int, typer.Option(min=0, help="Draws of the device for the probability of each target.")
    ] = 0,
    minutes: Minutes = 10,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Find what meets the targets; exit code 1 if nothing does."""
    from sim.explore.targets import parse_targets
    from sim.simulation import simulate
    from sim.verdicts import verdict
    from workloads.scenario import load_scenario

    base = load_scenario(scenario, overrides or ())
    targets = parse_targets(target or ())
    if largest is None:
        answer, document = _sized(base, targets, free or [], seed)
    else:
        answer, document = _largest(base, targets, largest, seed)
    if answer.meeting:
        chosen = answer.meeting[0].scenario(_mapping(base))
        result = simulate(chosen, seed=seed)
        document["least_certain"] = _least_certain(result)
        if uncertainty:
            found = verdict(result, targets, uncertainty, minutes, seed)
            document |= {"probability": found.shares(), "verdict": found.plain()}
    print_json(document) if as_json else _show(document)
    if not answer.meeting:
        raise typer.Exit(MISSED)


def _sized(
    base: Scenario, targets: Sequence[Target], free: Sequence[str], seed: int
) -> tuple[Sizing, dict[str, Any]]:
    """Return what the knobs reach, and the same as plain data."""
    from sim.explore import sizing

    mapping = _mapping(base)
    knobs = dict(map(_knob, free)) or sizing.default_knobs(base)
    sizing.check_knobs(mapping, knobs)
    answer = sizing.size(mapping, knobs, targets, seed)
    return answer, _document(answer) | {"pareto": [_plain(one) for one in answer.front]}


def _largest(
    base: Scenario, targets: Sequence[Target], text: str, seed: int
) -> tuple[Sizing, dict[str, Any]]:
    """Return how far one number or format can go, and the same as plain data."""
    from sim.explore import sizing

    path, values = _scale(text)
    mapping = _mapping(base)
    sizing.check_knobs(mapping, {path: [values[0], values[-1]]})
    answer = sizing.largest(mapping, path, values, targets, seed)
    best = answer.meeting[0].settings[path] if answer.meeting else None
    return answer, _document(answer) | {"largest": {path: best}}


def _document(answer: Sizing) -> dict[str, Any]:
    return {
        "schema": "andesim.sizing/1",
        "targets": [str(target) for target in answer.targets],
        "meeting": [_plain(one) for one in answer.meeting],
        "blocking": [str(target) for target in answer.blocking],
        "evaluated": len(answer.candidates),
        "failed": answer.failed,
        "exact": answer.exact,
        "closest": [] if answer.meeting else [_plain(one) for one in answer.closest[:SHOWN]],
    }


def _least_certain(result: Result) -> str | None:
    from sim.explore.sensitivity import least_certain

    swing = least_certain(result.first_reply())
    return swing.sentence() if swing else None


def _mapping(scenario: Scenario) -> dict[str, Any]:
    return scenario.model_dump(mode="json", exclude_defaults=True)


def _plain(candidate: Candidate) -> dict[str, Any]:
    """Return a candidate as plain data; a slack that is not finite becomes null."""
    return {
        "settings": dict(candidate.settings),
        "meets": candidate.meets,
        "slacks": [slack if math.isfinite(slack) else None for slack in candidate.slacks],
        "metrics": dict(candidate.metrics),
    }


def _knob(text: str) -> tuple[str, tuple[Any, ...]]:
    """Read ``path=[values]``."""
    path, equals, values = text.partition("=")
    found = parse_yaml(values, f"--free {path}") if equals else None
    if not isinstance(found, list):
        raise SimError(f"--free must be dotted.path=[value, ...]. Got {text!r}.")
    return path.strip(), tuple(found)


def _scale(text: str) -> tuple[str, Sequence[Any]]:
    """Read ``path=[low, high]`` as all whole numbers between, or a path of weight formats."""
    path, equals, ends = (part.strip() for part in text.partition("="))
    if not equals and path.startswith("deployment.weights."):
        formats = sorted(catalogue().values(), key=lambda item: item.traffic_bits)
        return path, [item.id for item in formats]
    found = parse_yaml(ends, f"--largest {path}") if equals else None
    match found:
        case [int(low), int(high)] if low <= high:
            return path, range(low, high + 1)
    raise SimError(f"--largest must be dotted.path=[low, high], whole. Got {text!r}.")


def _show(document: dict[str, Any]) -> None:
    """Print the answer for people: the choice first, then what else there is."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from sim.wording import label, shown

    console = Console(highlight=False, soft_wrap=True)
    rows = document["meeting"] or document["closest"]
    metrics = [re.split("[<>]", target)[0] for target in document["targets"]]
    if document["meeting"]:
        settings = (f"{path} = {_spoken(value)}" for path, value in rows[0]["settings"].items())
        console.print(f"[bold]Meets every target:[/bold] {escape(', '.join(settings))}")
    else:
        console.print(f"[bold]Nothing meets every target.[/bold] {_blocked(document)}")
    table = Table(box=None, pad_edge=False)
    for name in rows[0]["settings"] if rows else ():
        table.add_column(name.rpartition(".")[2], no_wrap=True)
    for metric in metrics:
        table.add_column(label(metric), justify="right")
    for row in rows[:SHOWN]:
        numbers = (shown(metric, row["metrics"][metric]).text for metric in metrics)
        table.add_row(*(escape(_spoken(value)) for value in row["settings"].values()), *numbers)
    console.print(table)
    if document.get("least_certain"):
        console.print(f"Least certain assumption: {document['least_certain']}")
    for target, share in document.get("probability", {}).items():
        console.print(f"Probability of {target}: {share:.0%}")
    if found := document.get("verdict"):
        console.print(
            f"Probability of all in minute {found['minutes']} of decoding without a pause: "
            f"{found['probability_sustained']:.0%} ({found['status']})"
        )


def _spoken(value: Any) -> str:
    """Return a setting as a person would say it: a policy by its values, those within included."""
    return " ".join(map(_spoken, value.values())) if isinstance(value, dict) else str(value)


def _blocked(document: dict[str, Any]) -> str:
    if not document["evaluated"]:
        return "No setting is a valid scenario."
    blocking = ", ".join(document["blocking"]) or "the app budget"
    return f"In the way: {blocking}. The closest misses:"
