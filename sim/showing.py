"""A run as text for people: the answer first, then why, then how sure.

The command line and ``print(result)`` show the same.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import IO, Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hw_models.files import device_ids, is_path
from sim.breakdown import Term, phase_terms
from sim.engine.times import hidden_s
from sim.judgements import Verdict
from sim.lane_rows import lane_rows_sentence
from sim.law_costs import LawCost, law_costs
from sim.results import Intervals, Result
from sim.showing_question import show_question
from sim.showing_session import show_session
from sim.summary import Summary
from sim.trust import aspects
from sim.verdict_words import GIB, KILO, SMALLEST_J, headline, joules
from sim.wording import PASSES, label, shown, told
from workloads.background import get_background
from workloads.trace import NETWORK

BAR_WIDTH = 32
HEADLINES = (
    "inference_s",
    "time_to_first_token_s",
    "tokens_per_s",
    "sustained_tokens_per_s",
    "peak_dram_bytes",
    "energy_j",
    "max_skin_c",
    "load_s",
)
"""Metrics whose intervals are printed."""
SMALLEST_SHARE = 0.005
"""Terms of decode below this share are left out."""
SMALLEST_MOVE = 0.0005
"""Classes of DRAM that changed by less than this are said to have stayed [GiB]."""

FULL_CLOCK = 0.995
"""A mean clock above this share is told as one that was kept."""


def text_of(result: Result) -> str:
    """Return what `show_result` prints where nothing is bold, such as into a pipe."""
    text = StringIO()
    show_result(result, file=text)
    return text.getvalue().rstrip("\n")


def show_result(
    result: Result,
    intervals: Intervals | None = None,
    judged: Verdict | None = None,
    out: Path | None = None,
    file: IO[str] | None = None,
    remedies: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Print a run for people, its verdict first, on standard output if no file is given.

    ``remedies`` are those of `sim.explore.remedies` as plain data.
    """
    console = Console(highlight=False, soft_wrap=True, file=file)
    summary = result.summary()
    show_question(console, result, summary)
    if judged is not None:
        console.print(f"[bold]{judged.status}[/bold]: {escape(judged.sentence)}")
        for remedy in remedies:
            console.print(f"{PASSES.capitalize()}: {escape(told(remedy))}")
    console.print(f"[bold]{headline(result)}[/bold]\n")
    if len(result.turns) > 1:
        show_session(console, result)
    of_network = result.scenario.network is not None
    phase = NETWORK if of_network else "decode"
    terms = phase_terms(result, phase) if summary.fits else []
    if summary.fits and not of_network:
        _first_token(console, result, summary)
    if terms:
        title = "What bounds an inference" if of_network else "\nWhat bounds decode, per step"
        _bounds(console, result, phase, title, terms)
    if summary.fits and (costs := law_costs(result, {phase: terms})):
        console.print(_costliest(costs))
        if said := lane_rows_sentence(result):
            console.print(said)
    _dram(console, result)
    if summary.energy_j:
        _energy(console, result, summary)
    if intervals is not None:
        _intervals(console, result, intervals)
    _evidence(console, result)
    _notes(console, result)
    if out is not None:
        console.print(f"\nWritten to {out}: summary.json, scenario.yaml, tasks.parquet, trace.json")


def _first_token(console: Console, result: Result, summary: Summary) -> None:
    of_turns = ", mean over turns" if len(result.turns) > 1 else ""
    title = f"Time to first token{of_turns}"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("phase")
    table.add_column("seconds", justify="right")
    table.add_column("")
    total_s, before_s = summary.time_to_first_token_s or 0.0, 0.0
    for name, seconds in (
        ("vision encode", summary.vision_encode_s),
        ("prefill", summary.prefill_s),
    ):
        if not seconds:
            continue
        table.add_row(name, f"{seconds:.3f}", _bar(before_s, seconds, total_s))
        before_s += seconds
    table.add_row("first token", f"{total_s:.3f}", "")
    console.print(table)
    if hidden := hidden_s(result.groups):
        per_turn = hidden / len({times.group.turn for times in result.groups})
        console.print(f"Prefill ran {per_turn:.3f} s more, beside the encoding of later images.")


def _bar(before: float, part: float, whole: float) -> str:
    """Return a part of the whole as a bar in its place; at least one character."""
    start = round(BAR_WIDTH * before / whole)
    return " " * start + "█" * max(1, round(BAR_WIDTH * part / whole))


def _bounds(
    console: Console, result: Result, phase: str, title: str, terms: Sequence[Term]
) -> None:
    """Print what a step of a phase goes to; with drafts what a token does, too."""
    groups = [times.group for times in result.groups if times.group.phase == phase]
    steps = sum(group.steps for group in groups)
    tokens = float(sum(group.committed_tokens.sum() for group in groups))
    drafts = phase == "decode" and tokens > steps * (1.0 + SMALLEST_SHARE)
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in ("term", "ms", *(("ms per token",) if drafts else ()), "share", "MB"):
        table.add_column(name, justify="left" if name == "term" else "right")
    for term in (term for term in terms if term.share >= SMALLEST_SHARE):
        table.add_row(
            term.name,
            f"{term.seconds / steps * 1e3:.2f}",
            *((f"{term.seconds / tokens * 1e3:.2f}",) if drafts else ()),
            f"{term.share:.0%}",
            f"{term.moved_bytes / steps / 1e6:.0f}" if term.moved_bytes else "",
        )
    console.print(table)
    if drafts:
        console.print(f"A step commits {tokens / steps:.2f} tokens in the mean.")


def _costliest(costs: Sequence[LawCost]) -> str:
    """Return the law that costs most of a run, and the next where there is one."""
    most, *others = costs
    said = f"The law that costs most: {most.law}, {most.share:.0%} of all phases"
    return f"{said}; then {others[0].law}, {others[0].share:.0%}." if others else f"{said}."


def _dram(console: Console, result: Result) -> None:
    peak = result.ledger.peak
    table = Table(
        title=f"\nDRAM at the peak ({peak.at_s:.3f} s, {peak.cause})",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    table.add_column("class")
    table.add_column("GiB", justify="right")
    for name, held in sorted(peak.by_class.items(), key=lambda item: -item[1]):
        if held:
            table.add_row(name, f"{held / GIB:.3f}")
    table.add_row("[bold]total[/bold]", f"[bold]{peak.total_bytes / GIB:.3f}[/bold]")
    table.add_row("app budget", f"{result.ledger.budget_bytes / GIB:.3f}")
    console.print(table)
    if len(result.turns) > 1 and (moves := _moves(result)):
        console.print(f"From the first to the last instant: {moves} GiB.")


def _moves(result: Result) -> str:
    """Return how the classes that grow, come or go ended; activations always do."""
    first, last = result.ledger.timeline[0].by_class, result.ledger.timeline[-1].by_class
    return ", ".join(
        f"{name} {first.get(name, 0.0) / GIB:.3f} to {held / GIB:.3f}"
        for name, held in last.items()
        if name != "activations" and abs(held - first.get(name, 0.0)) > SMALLEST_MOVE * GIB
    )


def _energy(console: Console, result: Result, summary: Summary) -> None:
    scale, unit = (1.0, "J") if summary.energy_j < KILO else (KILO, "kJ")
    if summary.energy_j < SMALLEST_J:
        scale, unit = 1 / KILO, "mJ"
    parts = ", ".join(
        f"{name.removesuffix('_j')} {part_j / scale:.1f}"
        for name, part_j in sorted(result.energy.parts().items(), key=lambda item: -item[1])
        if part_j
    )
    power = f", mean {summary.mean_power_w:.1f} W" if summary.mean_power_w else ""
    share = result.session_summary().battery_share
    console.print(
        f"\nEnergy {joules(summary.energy_j)}{power} ({parts} {unit}), {share:.2%} of the battery. "
        f"Body reaches {summary.max_skin_c:.1f} °C, the die {result.heat.hottest_die_c:.1f} °C."
    )
    if summary.sustained_tokens_per_s is not None:
        console.print(_tenth_minute(result, summary.sustained_tokens_per_s))
    console.print(_cold_start(result))


def _tenth_minute(result: Result, tokens_per_s: float) -> str:
    """Return what minutes of decoding leave of the rate, and what limits it if that is less."""
    rate = f"{tokens_per_s:.1f} tokens/s in the tenth minute"
    if any(get_background(item.profile) for item in result.scenario.environment.schedule):
        rate += ", the heat of other apps left out"
    clock = float(np.ravel(result.facts.sustained_fraction)[0])
    if clock > FULL_CLOCK:
        return f"Decoding without a pause it would still give {rate}."
    limits = "heat and the budget of power lower" if result.soc.thermal.budget else "heat lowers"
    return f"Decoding without a pause it falls to {rate}: {limits} the clock to {clock:.0%}."


def _cold_start(result: Result) -> str:
    """Return what a cold start takes, and whether this run begins with one."""
    cold = result.cold_start()
    said = f"{cold.read_s:.2f} s reading from flash, {cold.graph_init_s:.2f} s opening graphs"
    if cold.prepare_s:
        said += f", {cold.prepare_s:.2f} s making weights ready"
    if result.scenario.environment.start == "warm":
        return f"A cold start would come before: {said}."
    summary = result.summary()
    first_s = summary.time_to_first_token_s
    if summary.inference_s is not None:
        return (
            f"The cold start came before: {said}; the first result is there "
            f"{cold.total_s + summary.inference_s:.2f} s after the app was opened."
        )
    if first_s is None:
        return f"The cold start came before: {said}."
    return (
        f"The cold start came before: {said}; the first token appears "
        f"{cold.total_s + first_s:.2f} s after the app was opened."
    )


def _intervals(console: Console, result: Result, intervals: Intervals) -> None:
    table = Table(title="\nIntervals", title_justify="left", box=None, pad_edge=False)
    table.add_column("metric")
    for name in ("p10", "p50", "p90"):
        table.add_column(name, justify="right")
    for metric in HEADLINES:
        if metric in intervals:
            cells = [shown(metric, value).text for value in intervals[metric].values()]
            table.add_row(label(metric), *cells)
    console.print(table)
    for metric in HEADLINES:
        value, ends = result[metric], intervals.get(metric)
        if value is not None and ends and not ends["p10"] <= value <= ends["p90"]:
            console.print(
                f"The {label(metric)} above, {shown(metric, value).text}, is that of the central "
                "numbers and lies outside: the ranges of the assumptions lean to one side."
            )


def _evidence(console: Console, result: Result) -> None:
    """Print per aspect of the answer whether it is validated, and the nearest judged rows."""
    table = Table(
        title="\nNearest evidence: simulated against measured",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    for name in ("of", "status", "closest rows"):
        table.add_column(name)
    for aspect in aspects(result):
        table.add_row(aspect.name, aspect.status, escape(aspect.text()))
    console.print(table)


def show_warnings(console: Console, warnings: Sequence[str]) -> None:
    """Print what a run warns of, a line each."""
    for warning in warnings:
        console.print(f"[yellow]Warning:[/yellow] {escape(warning)}", soft_wrap=True)


def _notes(console: Console, result: Result) -> None:
    from sim.explore.sensitivity import least_certain

    show_warnings(console, result.warnings)
    found = least_certain(result.first_reply()) if result.fits else None
    if found is not None:
        console.print(f"Least certain assumption: {found.sentence()}")
    console.print(_provenance(result))
    console.print(f"Engine {result.engine}, seed {result.seed}, fingerprint {result.fingerprint}.")


def _provenance(result: Result) -> str:
    """Count the parameters of the device that this run rests on, by kind."""
    from sim.explore.sensitivity import parameters_behind

    kinds = Counter(item.kind for item in parameters_behind(result).values())
    counted = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    return f"Numbers behind it: {counted}; `{_sources_of(result)}` gives each its source."


def _sources_of(result: Result) -> str:
    """Return what lists the sources: a command that takes the device's id or file, else Python."""
    named = result.scenario.device
    if is_path(named):
        return f"andesim devices {shlex.quote(named)}"
    ships = result.soc.id in device_ids()
    return f"andesim devices {result.soc.id}" if ships else "result.sources()"
