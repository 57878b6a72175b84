"""`andesim size`: which deployments meet the targets, or which target stands in the way."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sim.cli.completing import lists
from sim.cli.options import AsJson, Minutes, Overrides, ScenarioFile, Seed, Targets, print_json
from sim.cli.tables import Column, make_console, print_table
from sim.errors import SimError
from workloads.files import parse_yaml

if TYPE_CHECKING:
    from sim.explore.candidates import Candidate, Sizing
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
        typer.Option(
            metavar="PATH=[VALUES]",
            help="What may change, preferred values first.",
            autocompletion=lists,
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
    """Find what meets the targets with the least concession.

    Exit code 1 if nothing does. Without --free the formats of weights and cache and what the cache
    forgets may change, each downwards from what the scenario has. How far one setting can go:
    andesim solve.
    """
    from sim.explore.targets import parse_targets
    from sim.simulation import simulate
    from sim.verdicts import verdict
    from workloads.scenario import load_scenario

    base = load_scenario(scenario, overrides or ())
    targets = parse_targets(target or ())
    answer = _sized(base, targets, free or [], seed, minutes)
    document = _document(answer, minutes)
    if answer.meeting:
        chosen = answer.meeting[0].scenario(_mapping(base))
        result = simulate(chosen, seed=seed)
        document["least_certain"] = _least_certain(result)
        document["warnings"] = list(result.warnings)
        if uncertainty:
            found = verdict(result, targets, uncertainty, minutes, seed)
            document |= {"probability": found.shares(), "verdict": found.plain()}
    elif not free:
        from sim.explore.remedies import plain, remedies

        document["remedies"] = plain(remedies(base, targets, minutes, seed))
    print_json(document) if as_json else _show(document)
    if not answer.meeting:
        raise typer.Exit(MISSED)


def _sized(
    base: Scenario, targets: Sequence[Target], free: Sequence[str], seed: int, minutes: int
) -> Sizing:
    from sim.explore import knobs, sizing

    mapping = _mapping(base)
    turned = dict(map(_knob, free)) or knobs.default_knobs(base)
    knobs.check_knobs(mapping, turned)
    return sizing.size(mapping, turned, targets, seed, minutes)


def _document(answer: Sizing, minutes: int) -> dict[str, Any]:
    return {
        "schema": "andesim.sizing/1",
        "targets": [str(target) for target in answer.targets],
        "minutes": minutes,
        "meeting": [_plain(one) for one in answer.meeting],
        "pareto": [_plain(one) for one in answer.front],
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
        "given_up": candidate.given_up,
        "meets": candidate.meets,
        "slacks": [slack if math.isfinite(slack) else None for slack in candidate.slacks],
        "metrics": dict(candidate.metrics),
        "later": dict(candidate.later),
    }


def _knob(text: str) -> tuple[str, tuple[Any, ...]]:
    """Read ``path=[values]``."""
    path, equals, values = text.partition("=")
    found = parse_yaml(values, f"--free {path}") if equals else None
    if not isinstance(found, list):
        raise SimError(f"--free must be dotted.path=[value, ...]. Got {text!r}.")
    return path.strip(), tuple(found)


def _show(document: dict[str, Any]) -> None:
    """Print the answer for people: the choice first, then what else there is."""
    from rich.console import Console
    from rich.markup import escape

    from sim.showing import show_warnings
    from sim.wording import PASSES, told

    console = Console(highlight=False, soft_wrap=True)
    rows = document["meeting"] or document["closest"]
    if document["meeting"]:
        settings = (f"{path} = {_spoken(value)}" for path, value in rows[0]["settings"].items())
        console.print(f"[bold]Meets every target:[/bold] {escape(', '.join(settings))}")
        given = (f"{path} = {_spoken(value)}" for path, value in rows[0]["given_up"].items())
        console.print(f"Given up: {escape(', '.join(given)) or 'nothing'}")
    else:
        console.print(f"[bold]Nothing meets every target.[/bold] {_blocked(document)}")
    if rows:
        _table(document, rows[:SHOWN])
    for remedy in document.get("remedies", ()):
        console.print(f"Asked otherwise it {PASSES}: {escape(told(remedy))}")
    show_warnings(console, document.get("warnings", ()))
    if document.get("least_certain"):
        console.print(f"Least certain assumption: {document['least_certain']}")
    for target, share in document.get("probability", {}).items():
        console.print(f"Probability of {target}: {share:.0%}")
    if found := document.get("verdict"):
        console.print(
            f"Probability of all in minute {found['minutes']} of decoding without a pause: "
            f"{found['probability_sustained']:.0%} ({found['status']})"
        )


def _table(document: dict[str, Any], rows: Sequence[dict[str, Any]]) -> None:
    """Print settings and what targets bound: at first, and later where that differs."""
    from sim.explore.sizing import changing
    from sim.wording import label, shown

    metrics = list(dict.fromkeys(re.split("[<>]", target)[0] for target in document["targets"]))
    columns = [Column(name.rpartition(".")[2], is_text=True) for name in rows[0]["settings"]]
    looks = [("metrics", metric, label(metric)) for metric in metrics]
    looks += [
        ("later", name, f"{label(name)} in minute {document['minutes']}") for name in changing(rows)
    ]
    cells = [
        [
            *map(_spoken, row["settings"].values()),
            *(shown(metric, row[when][metric]).text for when, metric, _ in looks),
        ]
        for row in rows
    ]
    print_table(make_console(), "", [*columns, *(Column(head) for *_, head in looks)], cells)


def _spoken(value: Any) -> str:
    """Return a setting as a person would say it: a policy by its values, those within included."""
    return " ".join(map(_spoken, value.values())) if isinstance(value, dict) else str(value)


def _blocked(document: dict[str, Any]) -> str:
    if not document["evaluated"]:
        return "No setting is a valid scenario."
    blocking = ", ".join(document["blocking"]) or "the app budget"
    return f"In the way: {blocking}. The closest misses:"
