"""One verdict: shares of draws, at first and once the phone is warm, the same from every door."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard import runs
from dashboard.choices import Choices
from sim import load_scenario, simulate
from sim.explore.targets import Target
from sim.explore.uncertainty import sampled_metrics
from sim.judgements import FAIL_TO, PASS_FROM, Status
from sim.reports.document import report_document
from sim.reports.question import Question
from sim.verdicts import SLOWED, judge, verdict
from sim.wording import shown

LONG = pytest.mark.long
SMALL = ("model=smollm2-135m", "session={turns: [{prompt_tokens: 8, output_tokens: 3}]}")
SHARES = st.floats(0.0, 1.0)


@pytest.fixture(scope="module")
def result():
    return simulate(load_scenario(None, SMALL))


@pytest.fixture(scope="module")
def sampled(result):
    return sampled_metrics(result, 40)


@pytest.fixture(scope="module")
def hot():
    return simulate(load_scenario(None, ["environment.ambient_c=40"]))


@given(SHARES, SHARES)
def test_a_status_follows_from_both_probabilities(burst, sustained):
    found = Status.of(burst, sustained)
    assert (found is Status.FAIL) == (burst <= FAIL_TO)
    assert (found is Status.PASS) == (burst >= PASS_FROM <= sustained)
    assert (found is Status.THROTTLES) == (burst >= PASS_FROM > sustained)
    assert found.is_missed == (found in (Status.FAIL, Status.THROTTLES))


@given(st.floats(0.05, 0.95))
def test_a_probability_is_the_share_of_draws_that_meet_the_target(result, sampled, level):
    limit = float(np.quantile(sampled["tokens_per_s"], level))
    (item,) = judge(result, [Target("tokens_per_s", ">", limit)], sampled).targets
    assert item.probability == (sampled["tokens_per_s"] > limit).mean()


def test_targets_are_met_at_once_or_not_at_all(result, sampled):
    rate, first = np.median(sampled["tokens_per_s"]), np.median(sampled["time_to_first_token_s"])
    targets = [Target("tokens_per_s", ">", rate), Target("time_to_first_token_s", "<", first)]
    found = judge(result, targets, sampled)
    both = (sampled["tokens_per_s"] > rate) & (sampled["time_to_first_token_s"] < first)
    assert found.probability == both.mean() <= min(item.probability for item in found.targets)
    assert found.shares()["all"] == found.probability


def test_without_draws_the_run_decides(result):
    rate = result.summary().tokens_per_s
    for share, expected in ((0.9, Status.PASS), (1.1, Status.FAIL)):
        found = judge(result, [Target("tokens_per_s", ">", share * rate)])
        assert (found.status, found.draws) == (expected, 1)
        assert found.targets[0].slack == pytest.approx((rate - share * rate) / (share * rate))
        assert found.targets[0].interval is None


def test_a_value_the_run_never_reached_is_missed(result):
    once = simulate(load_scenario(None, (*SMALL, "session.turns.0.output_tokens=1")))
    found = judge(once, [Target("tokens_per_s", ">", 1.0)])
    assert found.status is Status.FAIL
    assert "no such value" in found.sentence


def test_a_hot_phone_passes_at_first_and_throttles(hot):
    metrics = hot.summary()
    found = judge(hot, [Target("tokens_per_s", ">", 15.0)])
    assert found.status is Status.THROTTLES
    assert found.targets[0].value_sustained == metrics.sustained_tokens_per_s < 15.0
    assert shown("tokens_per_s", metrics.sustained_tokens_per_s).text in found.sentence
    assert judge(hot, [Target("tokens_per_s", ">", 15.0)], minutes=1).status is Status.PASS


def test_a_warm_phone_takes_as_much_longer_as_it_decodes_slower(hot):
    metrics = hot.summary()
    slower = metrics.tokens_per_s / metrics.sustained_tokens_per_s
    targets = [Target(name, "<", 100.0) for name in (*SLOWED, "load_s", "peak_dram_bytes")]
    for item in judge(hot, targets).targets:
        factor = slower if item.target.metric in SLOWED else 1.0
        assert item.value_sustained == pytest.approx(item.value * factor)


def test_later_minutes_are_never_faster(hot):
    rates = [
        judge(hot, [Target("tokens_per_s", ">", 1.0)], minutes=minute).targets[0].value_sustained
        for minute in (1, 2, 5, 10)
    ]
    assert rates == sorted(rates, reverse=True)


def test_without_targets_the_app_budget_is_judged(result):
    found = judge(result, [])
    assert (found.targets, found.status, found.budget.is_budget) == ((), Status.PASS, True)
    assert found.budget.target.limit == result.ledger.budget_bytes
    assert found.sentence.startswith("No target was asked for")


def test_out_of_memory_is_said_first():
    tight = simulate(load_scenario(None, (*SMALL, "environment.app_budget_bytes=1 MB")))
    found = judge(tight, [Target("energy_j", "<", 1e9)])
    assert found.status is Status.FAIL
    assert found.sentence.startswith("Out of memory")


@pytest.mark.parametrize(
    "rate", [pytest.param(8.0, marks=LONG), 15.0, pytest.param(22.0, marks=LONG)]
)
def test_command_line_report_and_dashboard_agree(rate, andesim):
    choices = Choices(least_tokens_per_s=rate, most_first_token_s=4.0)
    targets = runs.targets(choices)
    asked = [word for target in targets for word in ("--target", str(target))]
    outcome = andesim("simulate", *asked, "--json")
    told = json.loads(outcome.out)["verdict"]
    scenario = load_scenario(None)
    document = report_document(Question(scenario=scenario, targets=targets, draws=100))
    shipped = runs.judged(choices, runs.run(choices), runs.draws(choices))
    assert told == verdict(simulate(scenario), targets).plain()
    assert told["status"] == document["verdict"]["word"] == shipped.status
    assert told["probability"] == document["verdict"]["probability"] == shipped.probability
    assert outcome.code == int(told["status"] in ("FAIL", "THROTTLES"))
