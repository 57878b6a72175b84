"""The deployment cards: their rules, and that what does not depend on draws is today's."""

from __future__ import annotations

import pytest

from sim.cli.studying import FOLDER, load_script
from sim.judgements import Status

DOCUMENT = FOLDER / "deployment_cards.md"


@pytest.fixture(scope="module")
def script():
    return load_script(FOLDER / "deployment_cards.py")


@pytest.fixture(scope="module")
def card(script):
    [card] = script.cards(8, 3, models=("andesvl-0.6b",), tasks=("screenshot question",))
    return card


def test_the_choice_is_the_mildest_rung_that_passes(script, card):
    climbed = [judged.rung for judged in card.ladder]
    assert climbed == list(script.LADDER)[: len(climbed)]
    passing = [judged for judged in card.ladder if judged.verdict.status is Status.PASS]
    assert card.chosen is (passing[0] if passing else card.chosen)
    assert card.chosen not in card.runners_up
    assert len(card.runners_up) == 2


def test_without_a_rung_that_passes_the_likeliest_is_named(script, card):
    hopeless = script.Card(card.model, card.task, tuple(card.ladder[:1]))
    assert hopeless.chosen is card.ladder[0]


def test_four_bits_are_smaller_than_eight_and_a_draft_head_takes_room(card):
    peaks = [judged.result["peak_dram_bytes"] for judged in card.ladder[:3]]
    assert peaks[2] < peaks[0] < peaks[1]


def test_a_draft_pays_from_some_acceptance_on(script):
    pays = script.break_even("andesvl-0.6b", script.LADDER[2])
    assert 0.0 < pays < 1.0


def test_adapters_of_the_shipped_page_are_todays(script):
    shipped = DOCUMENT.read_text(encoding="utf-8")
    assert " | ".join(script._adapter_row("andesvl-1b")) in shipped
