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


def test_a_phone_is_ahead_of_itself_in_less_than_half_of_the_pairs(script, phones):
    run = script.compared(phones[0].card(TASK, MODEL))
    for share, metric in zip(
        script.ahead(run, run), (script.FIRST, script.RATE, script.LATE), strict=True
    ):
        values = run.columns[metric]
        ties = float(np.mean(values[:, None] == values[None, :]))
        assert share == pytest.approx((1.0 - ties) / 2, abs=1e-12)


def test_what_is_enough_is_no_more_than_a_bus_carries(script, phones):
    _, rate = script.to_beat(phones, TASK, MODEL)
    runs = [script.compared(phone.card(TASK, MODEL)) for phone in phones]
    most = [r.result.soc.dram.peak_bytes_per_s / r.result["weight_bytes_per_step"] for r in runs]
    assert rate.value <= max(most)


def test_a_stack_of_narrow_graphs_runs_no_draft_and_says_so(script, phones):
    device, stack, rungs, reason = script._refused(phones[2])
    assert (device, stack) == script.PHONES[2]
    assert rungs == [rung.name for rung in script.cards.LADDER if "draft" in rung.name]
    assert "verify_buckets" in reason
    assert script._refused(phones[0]) is None
