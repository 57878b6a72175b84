"""Deployment cards: the mildest way to ship each AndesVL for six tasks on a Dimensity 9500.

    andesim study deployment_cards -o docs/studies/deployment_cards.md

A ladder of deployments is walked from the mildest to the harshest, judged by what it costs in
answer quality and in work before it ships. The card of a model and a task is the first rung on
which at least 90 % of the draws of the device meet every target, at first and in minute ten. Other
phones answer the same questions with the stack that their maker offers.

The targets and the order of the ladder are choices of this page. Not modelled: the accuracy that
a rung costs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from jinja2 import Environment, StrictUndefined

from sim.explore.targets import Target
from sim.explore.uncertainty import sampled_metrics
from sim.explore.variants import MetricColumns
from sim.judgements import Status, Verdict
from sim.results import Result
from sim.simulation import simulate
from sim.verdicts import judge
from workloads.errors import WorkloadError
from workloads.files import read_yaml
from workloads.scenario import load_scenario

DEVICE, STACK = "dimensity_9500", "neuropilot"
MODELS = ("andesvl-0.6b", "andesvl-1b", "andesvl-2b", "andesvl-4b")
SCREENSHOT = "images_px: [[1080, 2400]]"
RANKS = (8, 16, 64)
GIB = 2**30
TEMPLATE = Path(__file__).with_suffix(".md.j2")

Overrides = tuple[str, ...]


class Task(NamedTuple):
    """A question that a phone is asked: its settings, and when its answer is good."""

    overrides: Overrides
    targets: tuple[str, ...]
    asked: str


class Rung(NamedTuple):
    """A deployment of the ladder, and what it gives up against the rung above."""

    name: str
    overrides: Overrides


ASKED: Final = read_yaml(Path(__file__).with_suffix(".yaml"))
SETTINGS: Final = ASKED["settings"]
TASKS: Final = {
    name: Task(tuple(task["overrides"]), tuple(task["targets"]), task["asked"])
    for name, task in ASKED["tasks"].items()
}
"""The six tasks; a first token of several turns is their mean."""
LADDER: Final = tuple(
    Rung(name, tuple(SETTINGS[setting] for setting in settings))
    for name, settings in ASKED["ladder"].items()
)
"""The deployments, from the mildest to the harshest."""
DRAFT: Final = SETTINGS["draft"]

CONDITIONS: Final[Mapping[str, Overrides]] = {
    "at 35 C": ("environment.ambient_c=35",),
    "video call": ("environment.background=video_call",),
    "game": ("environment.background=game",),
}
SAMPLING = "sampled reply"
COMPARED_RUNG = LADDER[2]
"""The rung on which adapters are counted: every climb judges it, whatever passes."""


@dataclass(frozen=True)
class Judged:
    """One rung of one task: its run, its draws and its verdict."""

    rung: Rung
    result: Result
    columns: MetricColumns
    verdict: Verdict

    def band(self, metric: str) -> tuple[float, float, float]:
        """Return the 10th, 50th and 90th percentile of a metric; NaN where it has none."""
        values = self.columns[metric]
        known = values[~np.isnan(values)]
        if not len(known):
            return (float("nan"),) * 3
        low, middle, high = np.percentile(known, (10, 50, 90)).tolist()
        return low, middle, high


@dataclass(frozen=True)
class Card:
    """What to ship for one model and one task.

    Attributes
    ----------
    ladder
        The rungs that were judged, the mildest first.
    """

    model: str
    task: str
    ladder: tuple[Judged, ...]

    @property
    def chosen(self) -> Judged:
        """The mildest rung that passes; the likeliest where none does."""
        passing = [j for j in self.ladder if j.verdict.status is Status.PASS]
        return passing[0] if passing else max(self.ladder, key=_likely)

    @property
    def runners_up(self) -> list[Judged]:
        """The two next best: passing rungs first, then the likeliest."""
        rest = [j for j in self.ladder if j is not self.chosen]
        return sorted(rest, key=lambda j: (j.verdict.status is not Status.PASS, -_likely(j)))[:2]


def _likely(judged: Judged) -> float:
    return judged.verdict.probability_sustained + 1e-3 * judged.verdict.probability


def asked(
    model: str,
    task: Task,
    rung: Rung,
    more: Overrides = (),
    device: str = DEVICE,
    stack: str = STACK,
) -> Overrides:
    """Return the settings of one question; what the task says of images gives way to the rung."""
    own = (f"device={device}", f"stack={stack}", f"model={model}")
    return (*own, *task.overrides, *rung.overrides, *more)


def judged(
    model: str,
    task: Task,
    rung: Rung,
    draws: int,
    seed: int,
    more: Overrides = (),
    where: tuple[str, str] = (DEVICE, STACK),
) -> Judged:
    """Return a rung of the ladder with its verdict over draws of the device."""
    result = simulate(load_scenario(None, asked(model, task, rung, more, *where)), seed=seed)
    columns = sampled_metrics(result, draws, seed)
    targets = [Target.parse(text) for text in task.targets]
    return Judged(rung, result, columns, judge(result, targets, columns))


@cache
def refusal(rung: Rung, where: tuple[str, str]) -> str | None:
    """Return why a stack cannot run a rung, None where it can: a draft asks for wider graphs."""
    task = TASKS["screenshot question"]
    try:
        simulate(load_scenario(None, asked(MODELS[0], task, rung, (), *where)))
    except WorkloadError as error:
        return str(error)
    return None


def climbed(
    model: str, task: Task, draws: int, seed: int, where: tuple[str, str] = (DEVICE, STACK)
) -> Iterator[Judged]:
    """Yield rungs that run, from the mildest on, until one passes and two more stand beside it."""
    rungs = [rung for rung in LADDER if refusal(rung, where) is None]
    left = len(rungs)
    for rung in rungs:
        found = judged(model, task, rung, draws, seed, (), where)
        yield found
        left = min(left, 3 if found.verdict.status is Status.PASS else left) - 1
        if not left:
            return


def cards(
    draws: int,
    seed: int,
    models: Sequence[str] = MODELS,
    tasks: Sequence[str] = tuple(TASKS),
    where: tuple[str, str] = (DEVICE, STACK),
) -> Iterator[Card]:
    """Yield the card of every model and task on a device and stack."""
    for task in tasks:
        for model in models:
            yield Card(model, task, tuple(climbed(model, TASKS[task], draws, seed, where)))


def conditions(card: Card, draws: int, seed: int) -> dict[str, Judged]:
    """Return the chosen rung of a card under each condition; if it drafts, sampled, too."""
    task, rung = TASKS[card.task], card.chosen.rung
    around = dict(CONDITIONS)
    if DRAFT in rung.overrides:
        around[SAMPLING] = (ASKED["sampled"],)
    return {
        name: judged(card.model, task, rung, draws, seed, more) for name, more in around.items()
    }


def agent(model: str, rung: Rung) -> tuple[str, ...]:
    """Return ten minutes of an agent at the central parameters: actions, times, heat."""
    session = (
        f"session={{until_s: 600, clients: {{agent: {{turns: [{{{SCREENSHOT}, prompt_tokens: 60, "
        "output_tokens: 40, fresh: true}], arrivals: {process: closed, think_s: 1.0, count: 600}}}}"
    )
    own = (f"device={DEVICE}", f"stack={STACK}", f"model={model}", session)
    result = simulate(load_scenario(None, (*own, *rung.overrides)))
    turns = result.to_turn_frame()
    first = (turns["first_token_s"] - turns["start_s"]).dropna()
    return (
        *(model, rung.name, f"{len(first)}", f"{first.iloc[0]:.2f}", f"{first.iloc[-1]:.2f}"),
        f"{result['mean_power_w']:.1f}",
        f"{result['max_skin_c']:.1f}",
    )


def adapters_resident(model: str, rank: int) -> tuple[float, int]:
    """Return the bytes of one adapter and how many may stay in the app budget [B, 1]."""
    lora = f"deployment.lora={{rank: {rank}, adapters: [a], resident: 1}}"
    turn = "session={turns: [{prompt_tokens: 64, output_tokens: 8, adapter: a}]}"
    rung = COMPARED_RUNG.overrides
    own = (f"device={DEVICE}", f"stack={STACK}", f"model={model}")
    ledger = simulate(load_scenario(None, (*own, *rung, lora, turn))).ledger
    each = ledger.peak.by_class["adapters"]
    spare = ledger.budget_bytes - ledger.peak.total_bytes
    return each, 1 + max(0, int(spare // each))


@cache
def _rate(model: str, *overrides: str) -> float:
    turn = "session={turns: [{prompt_tokens: 256, output_tokens: 65}]}"
    own = (f"device={DEVICE}", f"stack={STACK}", f"model={model}", turn)
    return float(simulate(load_scenario(None, (*own, *overrides)))["tokens_per_s"])


def break_even(model: str, rung: Rung, depth: int = 3) -> float:
    """Return the chance of each drafted token at which an EAGLE head of a depth begins to pay.

    Bisected; 1 where it never pays, 0 where it always does.
    """
    plain = _rate(model, *rung.overrides)

    def gains(alpha: float) -> bool:
        draft = (
            f"deployment.speculation={{method: eagle, depth: {depth}, draft_vocabulary: 32768, "
            f"acceptance: {{alpha: {alpha:.4f}}}}}"
        )
        return _rate(model, *rung.overrides, draft) > plain

    low, high = 0.001, 0.999
    if not gains(high):
        return 1.0
    while high - low > 0.005:
        middle = 0.5 * (low + high)
        low, high = (low, middle) if gains(middle) else (middle, high)
    return high


def written(draws: int, seed: int) -> dict[str, str]:
    """Return the texts of the study by file name, its page first."""
    found = list(cards(draws, seed))
    return {"deployment_cards.md": page(found, draws, seed)}


def page(found: Sequence[Card], draws: int, seed: int) -> str:
    """Return the cards as Markdown: a screen for a manager, then each card."""
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    under = {(card.model, card.task): conditions(card, draws, seed) for card in found}
    return template.render(
        draws=draws,
        seed=seed,
        models=sorted({card.model for card in found}, key=MODELS.index),
        ladder=[rung.name for rung in LADDER],
        tasks=[
            (name, task.asked, " and ".join(map(_bound, task.targets)))
            for name, task in TASKS.items()
        ],
        summary=_summary(found),
        passing=sum(card.chosen.verdict.status is Status.PASS for card in found),
        cards=[_card_rows(card, under[card.model, card.task]) for card in found],
        conditions=[*CONDITIONS],
        drafting=_drafting(found, under),
        agents=[agent(c.model, c.chosen.rung) for c in found if c.task == "ten-minute agent"],
        adapters=[_adapter_row(model) for model in MODELS],
        ranks=RANKS,
        speculation=_speculation_rows(),
        compared=COMPARED_RUNG.name,
    )


def _drafting(
    found: Sequence[Card], under: Mapping[tuple[str, str], Mapping[str, Judged]]
) -> tuple[int, int]:
    """Return how many cards pass with a draft head, and how many of them when sampled, too."""
    sampled = [
        under[card.model, card.task][SAMPLING]
        for card in found
        if card.chosen.verdict.status is Status.PASS and DRAFT in card.chosen.rung.overrides
    ]
    return len(sampled), sum(one.verdict.status is Status.PASS for one in sampled)


def _summary(found: Sequence[Card]) -> list[tuple[str, ...]]:
    by = {(card.task, card.model): card for card in found}
    tasks = list(dict.fromkeys(card.task for card in found))
    models = sorted({card.model for card in found}, key=MODELS.index)
    return [(task, *(cell(by[task, model]) for model in models)) for task in tasks]


def cell(card: Card) -> str:
    """Return a card in one cell: the rung, and its probability at first / in minute ten."""
    chosen = card.chosen
    status = chosen.verdict.status
    said = chosen.rung.name if status is Status.PASS else f"{status}: {chosen.rung.name}"
    return f"{said} ({chosen.verdict.probability:.0%} / {chosen.verdict.probability_sustained:.0%})"


def _card_rows(card: Card, under: Mapping[str, Judged]) -> dict[str, Any]:
    chosen = card.chosen
    return {
        "title": f"{card.model}, {card.task}",
        "sentence": chosen.verdict.sentence,
        "rows": [
            (name, *numbers(judged))
            for name, judged in (
                (f"**{chosen.rung.name}**", chosen),
                *((judged.rung.name, judged) for judged in card.runners_up),
                *((f"the first {name}", judged) for name, judged in under.items()),
            )
        ],
    }


def numbers(judged: Judged) -> tuple[str, ...]:
    """Return the cells of a row; beside another app minute ten lacks its heat and is not told."""
    verdict, around = judged.verdict, judged.result.scenario.environment
    alone = all(item.profile == "idle" for item in around.schedule)
    later = f"{verdict.probability_sustained:.0%}" if alone else "-"
    return (
        verdict.status.value,
        f"{verdict.probability:.0%} / {later}",
        told(judged.band("time_to_first_token_s"), 2),
        told(judged.band("tokens_per_s"), 1),
        told(judged.band("sustained_tokens_per_s"), 1) if alone else "-",
        told(tuple(value / GIB for value in judged.band("peak_dram_bytes")), 2),
        told(judged.band("energy_j"), 1),
        told(judged.band("load_s"), 1),
    )


def told(band: Sequence[float], digits: int) -> str:
    """Return the middle of a band with its ends, as ``1.20 (1.05 to 1.61)``."""
    if any(np.isnan(band)):
        return "-"
    low, middle, high = (f"{value:.{digits}f}" for value in band)
    return middle if low == high else f"{middle} ({low} to {high})"


def _bound(text: str) -> str:
    names = {"time_to_first_token_s": "first token", "tokens_per_s": "decode"}
    target = Target.parse(text)
    unit = "s" if target.is_ceiling else "tokens/s"
    side = "within" if target.is_ceiling else "at least"
    return f"{names[target.metric]} {side} {target.limit:g} {unit}"


def _adapter_row(model: str) -> tuple[str, ...]:
    found = [adapters_resident(model, rank) for rank in RANKS]
    return (model, *(f"{size / 1e6:.0f} MB: {count:,}" for size, count in found))


def _speculation_rows() -> list[tuple[str, ...]]:
    rungs = (LADDER[0], LADDER[2], Rung("1.8 bits", (SETTINGS["sparse"],)))
    return [(model, *(f"{break_even(model, rung):.2f}" for rung in rungs)) for model in MODELS]
