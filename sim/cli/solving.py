"""`andesim solve`: how far one setting can go, and what stands in the way beyond it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sim.cli.completing import solvable
from sim.cli.options import (
    TENTH,
    AsJson,
    Minutes,
    Overrides,
    ScenarioFile,
    Seed,
    Targets,
    print_json,
    tell_idle,
)
from sim.cli.tables import Column, make_console, print_table
from sim.errors import SimError
from workloads.files import parse_yaml

if TYPE_CHECKING:
    from rich.console import Console

    from sim.explore.limits import Judge
    from sim.explore.solve import Goal, Limit, Look
    from sim.explore.targets import Target
    from workloads.scenario import Scenario

MISSED = 1
MOST_EXCEPTIONS = 5
MOST_LISTED = 15
MOST_SETTINGS = 3
"""A table of more would have hundreds of rows, each of them a search."""

Ask = tuple[str, "Goal", tuple[float, float] | None]
"""A setting, the goal, and the ends of what is of interest."""


CACHE_PATHS = ("context", "deployment.kv_cache.capacity_tokens")
ALLOCATED = (
    "That is the cache that is allocated. The rates are those of the session's own turns, which "
    "fill what they need of it; --largest prompt fills it."
)


def solve(
    scenario: ScenarioFile = None,
    largest: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH[=[LOW, HIGH]]",
            help="Setting to raise; several: a frontier.",
            autocompletion=solvable,
        ),
    ] = None,
    smallest: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH[=[LOW, HIGH]]",
            help="Setting to lower.",
            autocompletion=solvable,
        ),
    ] = None,
    target: Targets = None,
    overrides: Overrides = None,
    uncertainty: Annotated[
        int, typer.Option(min=0, help="Draws of the device; targets must then hold in 90 %.")
    ] = 0,
    minutes: Minutes = 10,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Find how far a setting can go, and what is in the way.

    PATH is a dotted path of the scenario, or one of: prompt, output, context, images, image_side,
    bits, keep, depth, adapters, budget, ambient, clock, threads. Without a target, memory is the
    limit. A setting that takes names (model, device, stack, a format) is listed best first. Exit
    code 1 if no value meets the targets.
    """
    from sim.assumed import device_of
    from sim.explore.limits import judge_of
    from sim.explore.names import names_of
    from sim.explore.targets import Target
    from workloads.scenario import load_scenario

    base = load_scenario(scenario, overrides or ())
    targets = [Target.parse(text) for text in target or ()]
    asked = [_ask(text, "largest") for text in largest or ()]
    asked += [_ask(text, "smallest") for text in smallest or ()]
    if not 1 <= len(asked) <= MOST_SETTINGS:
        raise SimError(
            f"--largest and --smallest must name one to {MOST_SETTINGS} settings. "
            f"Got {len(asked)}. Example: --largest prompt"
        )
    if not targets and not uncertainty:
        tell_idle({"--minutes": minutes != TENTH}, "no --target is given")
    judge = judge_of(targets, uncertainty, minutes, seed)
    names = names_of(asked[0][0], lambda: device_of(base)) if len(asked) == 1 else []
    if names:
        found = _listed(base, asked[0][0], names, targets, judge, seed)
    elif len(asked) == 1:
        found = _limit(base, asked[0], judge, seed)
    else:
        found = _frontier(base, asked, judge, seed)
    print_json(found) if as_json else _show(found, [one.metric for one in targets])
    if not _is_found(found):
        raise typer.Exit(MISSED)


def _ask(text: str, goal: Goal) -> Ask:
    path, equals, ends = (part.strip() for part in text.partition("="))
    if not equals:
        return path, goal, None
    match parse_yaml(ends, f"--{goal} {path}"):
        case [int() | float() as low, int() | float() as high]:
            return path, goal, (float(low), float(high))
    raise SimError(f"--{goal} must be PATH or PATH=[low, high]. Got {text!r}.")


def _limit(base: Scenario, ask: Ask, judge: Judge, seed: int) -> dict[str, Any]:
    from sim.explore.cache_sizes import next_size
    from sim.explore.limits import limit_of
    from sim.explore.scales import scale_of

    path, goal, ends = ask
    limit = limit_of(base, scale_of(path, base), goal, judge, ends, seed)
    return {"path": path, "goal": goal, **_plain(limit), "cache_size": next_size(base, limit)}


def _frontier(base: Scenario, asked: Sequence[Ask], judge: Judge, seed: int) -> dict[str, Any]:
    from sim.explore.limits import frontier_of
    from sim.explore.scales import scale_of

    paths, goals = [path for path, _, _ in asked], [goal for _, goal, _ in asked]
    rows = frontier_of(base, list(zip(paths, goals, strict=True)), judge, seed)
    return {
        "unit": [scale_of(path, base).unit for path in paths],
        "path": paths,
        "goal": goals,
        "frontier": [
            {**dict(zip(paths, values, strict=False)), **_plain(limit)} for values, limit in rows
        ],
        "warnings": list(_warned(limit for _, limit in rows)),
    }


def _listed(
    base: Scenario,
    path: str,
    names: Sequence[str],
    targets: Sequence[Target],
    judge: Judge,
    seed: int,
) -> dict[str, Any]:
    from sim.explore.limits import best_first

    looks = best_first(base, path, names, targets, judge, seed)
    name, best = looks[0]
    return {
        "path": path,
        "value": name if best.meets else None,
        "binding": best.binding,
        "metrics": dict(best.metrics),
        "listed": [{"value": name, **_seen(look)} for name, look in looks],
        "warnings": list(best.warnings),
    }


def _plain(limit: Limit) -> dict[str, Any]:
    """Return a limit as plain data."""
    number = int if limit.scale.whole else float
    return {
        "value": number(limit.best.value) if limit.best else None,
        "binding": limit.binding,
        "metrics": dict(limit.best.metrics) if limit.best else {},
        "beyond": number(limit.beyond.value) if limit.beyond else None,
        "beyond_metrics": dict(limit.beyond.metrics) if limit.beyond else {},
        "exceptions": [number(value) for value in limit.exceptions],
        "looks": limit.looks,
        "unit": limit.scale.unit,
        "binds": limit.binds,
        "same_from": None if limit.same_from is None else number(limit.same_from),
        "warnings": list(limit.best.warnings) if limit.best else [],
    }


def _warned(limits: Iterable[Limit]) -> dict[str, None]:
    """Return what the runs at several limits warn of, each once."""
    return dict.fromkeys(text for one in limits if one.best for text in one.best.warnings)


def _seen(look: Look) -> dict[str, Any]:
    return {
        "meets": look.meets,
        "binding": look.binding,
        "metrics": dict(look.metrics),
        "warnings": list(look.warnings),
    }


def _is_found(document: dict[str, Any]) -> bool:
    if "frontier" in document:
        return any(row["value"] is not None for row in document["frontier"])
    return document["value"] is not None


def _show(document: dict[str, Any], metrics: Sequence[str]) -> None:
    """Print the answer for people, and what the runs behind it warn of."""
    from sim.showing import show_warnings

    _answer(document, metrics)
    show_warnings(make_console(), document["warnings"])


def _answer(document: dict[str, Any], metrics: Sequence[str]) -> None:
    from rich.markup import escape

    console = make_console()
    reached = document.get("metrics") or {}
    usual: tuple[str, ...] = ("time_to_first_token_s", "tokens_per_s")
    if reached.get("inference_s") is not None:
        usual = ("inference_s",)
    shown = list(dict.fromkeys([*metrics, *usual]))
    if "frontier" in document:
        rows = [{**row, "meets": row["value"] is not None} for row in document["frontier"]]
        _table(console, document["path"], rows, shown, document["unit"])
        return
    if "listed" in document:
        ran = [row for row in document["listed"] if row["metrics"]]
        _table(console, [document["path"]], ran[:MOST_LISTED], shown)
        if ran[MOST_LISTED:]:
            console.print(f"{len(ran) - MOST_LISTED} more behind them: --json lists all.")
        if doubtful := [row for row in ran if row["warnings"]]:
            why = escape(_short(doubtful[0]["warnings"][0]))
            count = "One is" if len(doubtful) == 1 else f"{len(doubtful)} are"
            console.print(f"{count} warned of, {doubtful[0]['value']} first: {why}")
        others = [row for row in document["listed"] if not row["metrics"]]
        if others:
            why = escape(_short(others[0]["binding"]))
            console.print(
                f"{len(others)} more cannot be asked so, {others[0]['value']} first: {why}"
            )
        return
    path, value = document["path"], document["value"]
    if value is None:
        console.print(f"[bold]No value of {escape(path)} meets every target.[/bold]")
        told = {"value": document["beyond"], "metrics": document["beyond_metrics"]}
        row = {**told, "binding": document["binding"]}
        _table(console, [path], [row], shown, [document["unit"]])
        return
    unit, way = document["unit"], "up" if document["goal"] == "largest" else "down"
    said = _spoken(value, unit)
    if document["binds"]:
        console.print(f"[bold]{escape(path)}: {document['goal']} {said}[/bold]")
        why = escape(_short(document["binding"]))
        console.print(f"At {_spoken(document['beyond'], unit)} in the way: {why}")
        if document["cache_size"]:
            console.print(document["cache_size"])
    else:
        tried = "" if document["beyond"] is not None else ", the last tried"
        console.print(f"[bold]{escape(path)}: no limit binds {way} to {said}{tried}[/bold]")
        if document["beyond"] is not None:
            console.print(f"There what can be asked ends: {escape(_short(document['binding']))}")
        if document["same_from"] is not None:
            why = ": larger images are scaled down" if path == "image_side" else ""
            first = _spoken(document["same_from"], unit)
            console.print(f"Between {first} and there no number changes{why}.")
    _table(console, [path], [{**document, "binding": ""}], shown, [unit])
    if path in CACHE_PATHS:
        console.print(ALLOCATED)
    if broken := document["exceptions"]:
        first = ", ".join(_spoken(one, unit) for one in broken[:MOST_EXCEPTIONS])
        more = f" and {len(broken) - MOST_EXCEPTIONS} more" * (len(broken) > MOST_EXCEPTIONS)
        console.print(f"The limit is not clean: {first}{more} stand on the other side of it.")


def _table(
    console: Console,
    paths: Sequence[str],
    rows: Sequence[dict[str, Any]],
    metrics: Sequence[str],
    units: Sequence[str] = ("",),
) -> None:
    """Print rows of settings and metrics; the last setting is the one that is looked for."""
    from sim.wording import label, shown

    first, *others = (path.rpartition(".")[2] for path in paths)
    columns = [Column(first, is_text=True, is_told=bool(others)), *map(Column, others)]
    columns += [Column(label(metric)) for metric in metrics]
    columns.append(Column("beyond it" if others else "in the way", is_text=True))
    cells = []
    for row in rows:
        found = row["metrics"]
        values = [*(row[path] for path in paths[:-1]), row["value"]]
        names = map(_spoken, values, units)
        numbers = [shown(metric, found[metric]).text if found else "" for metric in metrics]
        cells.append([*names, *numbers, _short(row["binding"])])
    print_table(console, "", columns, cells)


def _spoken(value: Any, unit: str = "") -> str:
    """Return a value of a setting with its unit; bytes in binary ones."""
    if value is None:
        return "none"
    if unit == "B":
        from sim.wording import shown

        return f"{shown('held_bytes', value).text} ({value:.0f} B)"
    return f"{f'{value:.4g}' if isinstance(value, float) else value} {unit}".rstrip()


def _short(binding: str) -> str:
    """Return the first fault of a rule break in one line."""
    return re.sub(r"\s+", " ", binding)
