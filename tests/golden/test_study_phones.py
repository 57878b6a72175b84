"""The cards of other phones: the same ladder, what to beat, and what a stack cannot run."""

from __future__ import annotations

import numpy as np
import pytest

from sim.cli.studying import FOLDER, load_script

TASK, MODEL = "voice assistant", "andesvl-0.6b"


@pytest.fixture(scope="module")
def script():
    return load_script(FOLDER / "deployment_phones.py")


@pytest.fixture(scope="module")
def phones(script):
    return [script.phone(where, 8, 3, (MODEL,), (TASK,)) for where in script.PHONES[:3]]


def test_every_climb_judges_the_rung_that_phones_are_compared_on(script, phones):
    names = {script.compared(phone.card(TASK, MODEL)).rung.name for phone in phones}
    assert names == {script.cards.COMPARED_RUNG.name}


def test_to_beat_are_the_best_ends_of_all_bands(script, phones):
    first, rate = script.to_beat(phones, TASK, MODEL)
    for phone in phones:
        run = script.compared(phone.card(TASK, MODEL))
        assert run.band(script.FIRST)[0] >= first.value
        assert run.band(script.RATE)[2] <= rate.value


def test_two_equal_phones_are_each_ahead_in_as_many_pairs(script, phones):
    run = script.compared(phones[0].card(TASK, MODEL))
    beats_itself = script.ahead(run, run)
    sooner = run.columns[script.FIRST][:, None] > run.columns[script.FIRST][None, :]
    slower = run.columns[script.RATE][:, None] < run.columns[script.RATE][None, :]
    assert beats_itself == pytest.approx(float(np.mean(sooner & slower)))
    assert beats_itself < 0.5


def test_a_stack_of_narrow_graphs_runs_no_draft_and_says_so(script, phones):
    device, stack, rungs, reason = script._refused(phones[2])
    assert (device, stack) == script.PHONES[2]
    assert rungs == [rung.name for rung in script.cards.LADDER if "draft" in rung.name]
    assert "verify_buckets" in reason
    assert script._refused(phones[0]) is None
