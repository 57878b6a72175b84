"""Turns of a short session are told one by one, and a mean over them is called one."""

import numpy as np
import pytest

from sim import load_scenario, simulate
from sim.explore.targets import Target
from sim.reports.sections import _turns
from sim.showing import text_of
from sim.verdicts import judge

TURN = "{prompt_tokens: 16, output_tokens: 4%s}"


def run(*turns):
    return simulate(load_scenario(None, [f"session={{turns: [{', '.join(turns)}]}}"]))


@pytest.fixture(scope="module")
def two():
    return run(TURN % ", images_px: [[448, 448]]", TURN % "")


def test_each_turn_has_its_own_wait_first_token_and_rate(two):
    first, second = two.session_summary().turns
    assert (first.turn, first.images, second.turn, second.images) == (1, 1, 2, 0)
    assert first.wait_s == pytest.approx(0.0)
    assert second.wait_s == pytest.approx(two.turns[0].end_s)
    mean_s = np.mean([first.first_token_s, second.first_token_s])
    assert mean_s == pytest.approx(two.summary().time_to_first_token_s, rel=1e-9)
    assert first.first_token_s > second.first_token_s
    assert second.tokens_per_s == pytest.approx(two.summary().tokens_per_s, rel=0.1)


def test_a_mean_over_turns_is_named_with_the_slowest(two):
    slowest = (
        f"mean of 2 turns; the slowest takes {two.session_summary().turns[0].first_token_s:.3g}"
    )
    told = text_of(two)
    assert slowest in told
    assert "Turn by turn" in told
    assert "waits for those before it" in told
    for limit, is_met in ((0.001, False), (100.0, True)):
        judged = judge(two, [Target("time_to_first_token_s", "<", limit)])
        assert slowest in judged.sentence
        assert ("misses" in judged.sentence) != is_met
    first, second = (turn.first_token_s for turn in two.session_summary().turns)
    between = Target("time_to_first_token_s", "<", (first + (first + second) / 2.0) / 2.0)
    assert "which misses it" in judge(two, [between]).sentence
    assert "which misses it" not in judge(two, [Target(between.metric, "<", 100.0)]).sentence
    assert "mean of" not in judge(two, [Target("tokens_per_s", ">", 1.0)]).sentence


def test_a_report_has_a_row_per_turn(two):
    [table] = _turns({"run": {"session": two.session_summary().as_dict()}})
    assert [row[1] for row in table.rows] == ["1", "0"]


def test_a_single_turn_has_no_mean_and_no_rows():
    one = run(TURN % "")
    assert one.session_summary().turns == ()
    assert "mean" not in text_of(one).partition("Time to first token")[0]
