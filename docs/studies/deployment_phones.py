"""The deployment cards of other phones, and what a Dimensity 9500 must measure to be ahead.

    andesim study deployment_phones --draws 40 -o docs/studies/deployment_phones.md

Tasks, targets, ladder and rule are those of `deployment_cards`, on the stack that the maker of a
phone or its runtime offers. Phones are compared on one rung, `COMPARED_RUNG`, since two rungs are
two answers; whether a phone or its stack can run a rung at all is not modelled.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from jinja2 import Environment, StrictUndefined
from numpy.typing import NDArray

from sim.cli.studying import load_script
from sim.judgements import Status
from sim.simulation import simulate
from sim.trust import aspects
from workloads.scenario import load_scenario

cards = load_script(Path(__file__).with_name("deployment_cards.py"))

HOME: Final = (cards.DEVICE, cards.STACK)
PHONES: Final = (
    ("snapdragon_8_elite", "genie"),
    ("snapdragon_8_elite_gen_5", "genie"),
    ("apple_a19_pro", "coreai_npu"),
    ("apple_a19_pro", "mlx_gpu"),
    ("tensor_g5", "litert_gpu"),
)
"""Phones of the comparison with the stack that their maker or its runtime offers."""
TEMPLATE = Path(__file__).with_suffix(".md.j2")

FIRST, RATE, LATE = "time_to_first_token_s", "tokens_per_s", "sustained_tokens_per_s"


class Phone(NamedTuple):
    """A device with its stack and the cards of every task and model."""

    device: str
    stack: str
    found: tuple[cards.Card, ...]

    @property
    def name(self) -> str:
        """Device and stack in a few words."""
        return f"{self.device}, {self.stack}"

    def card(self, task: str, model: str) -> cards.Card:
        """Return one card."""
        [card] = [c for c in self.found if (c.task, c.model) == (task, model)]
        return card

    @property
    def rungs(self) -> int:
        """How many rungs of the ladder the stack runs."""
        where = (self.device, self.stack)
        return sum(cards.refusal(rung, where) is None for rung in cards.LADDER)

    @property
    def passing(self) -> int:
        """How many cards have a rung that passes."""
        return sum(card.chosen.verdict.status is Status.PASS for card in self.found)


class Bound(NamedTuple):
    """The best that another phone may reach on the compared rung, and which phone that is."""

    value: float
    where: str


def phone(
    where: tuple[str, str],
    draws: int,
    seed: int,
    models: Sequence[str] = cards.MODELS,
    tasks: Sequence[str] = tuple(cards.TASKS),
) -> Phone:
    """Return every card of a phone."""
    return Phone(*where, tuple(cards.cards(draws, seed, models, tasks, where)))


def compared(card: cards.Card) -> cards.Judged:
    """Return the run of a card that phones are compared on."""
    [found] = [judged for judged in card.ladder if judged.rung is cards.COMPARED_RUNG]
    return found


def to_beat(phones: Iterable[Phone], task: str, model: str) -> tuple[Bound, Bound]:
    """Return the earliest first token [s] and the highest rate [tokens/s] of others' bands."""
    runs = [(other.name, compared(other.card(task, model))) for other in phones]
    first = [Bound(run.band(FIRST)[0], where) for where, run in runs]
    rate = [Bound(run.band(RATE)[2], where) for where, run in runs]
    return min(first), max(rate)


def written(draws: int, seed: int) -> dict[str, str]:
    """Return the texts of the study by file name, its page first."""
    home, *phones = (phone(where, draws, seed) for where in (HOME, *PHONES))
    return {"deployment_phones.md": page(home, phones, draws, seed)}


def page(home: Phone, phones: Sequence[Phone], draws: int, seed: int) -> str:
    """Return the page as Markdown: what passes where, what to measure, each phone's cards."""
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        draws=draws,
        seed=seed,
        models=cards.MODELS,
        rungs=len(cards.LADDER),
        compared=cards.COMPARED_RUNG.name,
        passing=[
            (one.device, one.stack, one.passing, len(one.found), one.rungs)
            for one in (home, *phones)
        ],
        evidence=[_evidence(one) for one in (home, *phones)],
        refused=[row for other in phones if (row := _refused(other))],
        warned=[_warned(where) for where in (HOME, *PHONES)],
        summary=[_summary(task, (home, *phones)) for task in cards.TASKS],
        ahead=[_ahead(home, phones, task, m) for task in cards.TASKS for m in cards.MODELS],
        phones=[(other.device, other.stack, _rows(other)) for other in phones],
    )


def _evidence(other: Phone) -> tuple[str, ...]:
    """Return what is known of a phone: the status of each aspect of a question with an image."""
    result = compared(other.card("screenshot question", cards.MODELS[-1])).result
    status = {aspect.name: str(aspect.status) for aspect in aspects(result)}
    wanted = ("first token", "decode", "vision encode", "energy", "sustained")
    return (other.device, other.stack, *(status[name] for name in wanted))


def _refused(other: Phone) -> tuple[str, str, list[str], str] | None:
    """Return the rungs that a stack cannot run, with the reason of the first; None without any."""
    where = (other.device, other.stack)
    found = {rung.name: said for rung in cards.LADDER if (said := cards.refusal(rung, where))}
    return (*where, [*found], next(iter(found.values()))) if found else None


def _warned(where: tuple[str, str]) -> tuple[str, str, list[str]]:
    """Return what an answer warns of on the harshest rung that a stack runs."""
    rung = [rung for rung in cards.LADDER if cards.refusal(rung, where) is None][-1]
    asked = cards.asked(cards.MODELS[-1], cards.TASKS["screenshot question"], rung, (), *where)
    return (*where, list(simulate(load_scenario(None, asked)).warnings))


def _summary(task: str, phones: Sequence[Phone]) -> tuple[str, list[tuple[str, ...]]]:
    return task, [
        (
            f"{other.device}, {other.stack}",
            *(cards.cell(other.card(task, model)) for model in cards.MODELS),
        )
        for other in phones
    ]


def ahead(run: cards.Judged, other: cards.Judged) -> tuple[float, float, float]:
    """Return the shares of pairs of draws in which a run is sooner, faster, faster in minute ten.

    The draws of two phones are paired each with each: taken as independent.
    """
    return (
        _share(other.columns[FIRST], run.columns[FIRST]),
        _share(run.columns[RATE], other.columns[RATE]),
        _share(run.columns[LATE], other.columns[LATE]),
    )


def _share(larger: NDArray[np.float64], smaller: NDArray[np.float64]) -> float:
    """Return in what share of all pairs the first value is the larger."""
    return float(np.mean(larger[:, None] > smaller[None, :]))


def _ahead(home: Phone, phones: Sequence[Phone], task: str, model: str) -> tuple[str, ...]:
    """Return a row: what the home phone is believed to do, what is enough, its chances."""
    run = compared(home.card(task, model))
    first, rate = to_beat(phones, task, model)
    shares = [ahead(run, compared(other.card(task, model))) for other in phones]
    return (
        task,
        model,
        cards.told(run.band(FIRST), 2),
        f"{first.value:.2f} ({first.where})",
        cards.told(run.band(RATE), 1),
        f"{rate.value:.1f} ({rate.where})",
        *(" / ".join(f"{share:.0%}" for share in each) for each in shares),
    )


def _rows(other: Phone) -> list[tuple[str, ...]]:
    return [
        (card.task, card.model, judged.rung.name, *cards.numbers(judged))
        for card in other.found
        for judged in (card.chosen, *card.runners_up)
    ]
