"""Work in a process of its own, and work that nobody wants any more."""

from __future__ import annotations

import os
from threading import Event

import numpy as np
import pytest

from dashboard import elsewhere as module
from dashboard import own
from dashboard.choices import Choices
from dashboard.elsewhere import elsewhere
from dashboard.remedies import remedies
from dashboard.runs import _draws, run, targets
from dashboard.workers import Superseded, Worker
from hw_models.errors import HardwareError
from hw_models.soc import load_soc
from sim.explore import remedies as those
from workloads.explain import sentences


def test_work_is_done_in_one_other_process():
    first, second = elsewhere(os.getpid), elsewhere(os.getpid)
    assert first == second != os.getpid()


def test_what_it_raises_is_raised_here():
    with pytest.raises(HardwareError, match=r"dram\.speed must be"):
        elsewhere(run, Choices(what_if="dram.speed=1"))


def test_what_cannot_be_sent_back_and_a_process_that_ended_are_worked_out_here():
    before = elsewhere(os.getpid)
    module._PROCESSES[0].kill()
    module._PROCESSES[0].wait()
    assert elsewhere(os.getpid) not in (before, os.getpid())
    with pytest.raises(AttributeError):
        elsewhere(sentences, None)
    assert elsewhere(os.path.basename, "a/b") == "b"


def test_draws_made_elsewhere_are_those_made_here():
    asked = Choices(prompt_tokens=67, output_tokens=8).question()
    here, there = _draws(asked), elsewhere(_draws, asked.placed())
    assert here.keys() == there.keys()
    for name, column in here.items():
        np.testing.assert_allclose(there[name], column, rtol=1e-12)


def test_a_file_that_was_brought_is_found_elsewhere():
    text = load_soc("dimensity_9500").to_yaml()
    item = own.bring(text.encode(), "mine")
    asked = Choices(device=item.id, prompt_tokens=68, output_tokens=8).question()
    assert elsewhere(_draws, asked.placed()).keys() == _draws(asked).keys()


def test_work_that_nobody_wants_any_more_is_left():
    tried: list[str] = []
    begun, moved = Event(), Event()

    def compute(question: str) -> str:
        tried.append(question)
        begun.set()
        moved.wait(5.0)
        if not work.is_wanted(question):
            raise Superseded
        return question.upper()

    work = Worker(compute)
    assert work.ask("old", "me") is None
    assert begun.wait(5.0)
    assert work.ask("new", "me") is None
    moved.set()
    for _ in range(1000):
        if answer := work.ask("new", "me"):
            break
        Event().wait(0.005)
    assert (answer, tried) == ("NEW", ["old", "new"])
    assert work.ask("old", "another") is None


def test_remedies_are_those_of_the_command_line():

    choices = Choices(most_first_token_s=0.7)
    result = run(choices)

    theirs = those.remedies_of(result, targets(choices))
    assert [one.text for one in remedies(choices)] == [one.text for one in theirs]
    assert [one.answer for one in remedies(choices)] == [one.answer for one in theirs]
