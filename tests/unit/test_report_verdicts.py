"""Verdicts follow from the nominal value and its interval; numbers keep their size as text."""

from __future__ import annotations

import doctest
import importlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim import load_scenario, simulate
from sim.explore.targets import Target, bounded
from sim.reports.verdicts import Verdict, judge, judgements, overall, sentence
from sim.reports.wording import label, shown, span

SMALL = ("model=smollm2-135m", "session={turns: [{prompt_tokens: 8, output_tokens: 3}]}")
RATE = Target.parse("tokens_per_s>20")
VALUES = st.floats(0.1, 100.0)


@pytest.mark.parametrize("name", ["question", "verdicts", "wording", "sections"])
def test_docstring_examples(name):
    found = doctest.testmod(importlib.import_module(f"sim.reports.{name}"))
    assert found.attempted > 0
    assert found.failed == 0


def judged(value, low, high, target=RATE):
    metric = target.metric
    intervals = {} if low is None else {metric: {"p10": low, "p50": value, "p90": high}}
    return judge(target, {metric: value}, intervals)


@given(VALUES, VALUES, VALUES)
def test_a_verdict_counts_which_of_nominal_and_ends_keep_the_target(value, one, other):
    low, high = sorted((one, other))
    kept = sum(seen > 20.0 for seen in (value, low, high))
    names = {0: Verdict.FAIL, 3: Verdict.PASS}
    assert judged(value, low, high).verdict is names.get(kept, Verdict.MARGINAL)


@given(VALUES)
def test_without_an_interval_the_nominal_run_decides(value):
    item = judged(value, None, None)
    assert item.verdict is (Verdict.PASS if value > 20.0 else Verdict.FAIL)
    assert item.slack == pytest.approx((value - 20.0) / 20.0)


def test_a_value_the_run_never_reached_fails():
    item = judged(None, None, None)
    assert (item.verdict, item.slack, item.met) == (Verdict.FAIL, None, False)


def test_the_worst_target_decides():
    good, torn, bad = judged(30.0, 25.0, 35.0), judged(30.0, 15.0, 35.0), judged(9.0, 8.0, 10.0)
    assert overall([good, torn]) is Verdict.MARGINAL
    assert overall([bad, good, torn]) is Verdict.FAIL


@pytest.fixture(scope="module")
def result():
    return simulate(load_scenario(None, SMALL))


@pytest.mark.parametrize(
    ("low", "high", "phrase"),
    [
        (0.5, 0.9, "both ends of its interval miss it too"),
        (0.5, 1e6, "crosses it"),
    ],
)
def test_the_sentence_names_target_value_and_why(result, low, high, phrase):
    rate = result.summary().tokens_per_s
    target = Target("tokens_per_s", ">", 2.0 * rate)
    intervals = {"tokens_per_s": {"p10": low * rate, "p50": rate, "p90": high * rate}}
    said = sentence(result, judgements(result, (target,), intervals))
    assert phrase in said
    assert shown("tokens_per_s", rate).text in said


def test_without_targets_the_app_budget_is_judged(result):
    (item,) = judgements(result, (), {})
    assert item.is_budget
    assert item.target.limit == result.ledger.budget_bytes
    assert sentence(result, [item]).startswith("No target was asked for")


def test_out_of_memory_is_said_first():
    tight = simulate(load_scenario(None, (*SMALL, "environment.app_budget_bytes=1 MB")))
    found = judgements(tight, (RATE,), {})
    assert overall(found) is Verdict.FAIL
    assert sentence(tight, found).startswith("Out of memory")


SCALES = {
    "GiB": 2**30, "MiB": 2**20, "KiB": 2**10, "GB": 1e9, "MB": 1e6, "kB": 1e3,
    "ms": 1e-3, "µs": 1e-6, "TFLOP": 1e12, "%": 1e-2,
}  # fmt: skip


@given(st.sampled_from(list(bounded())), st.floats(1e-4, 1e11))
def test_a_shown_number_is_within_a_per_cent_of_its_value(metric, value):
    text = shown(metric, value).text
    number, _, unit = text.partition(" ")
    largest = 0.5 if unit == "%" else 1e-2
    assert float(number) * SCALES.get(unit, 1.0) == pytest.approx(value, rel=largest, abs=6e-4)


@given(st.sampled_from(list(bounded())), st.floats(1e-4, 1e11), st.floats(1.0, 1e3))
def test_a_range_names_its_unit_at_the_end(metric, low, ratio):
    ends = re.split(" to ", span(metric, low, low * ratio))
    assert len(ends) == 2
    assert ends[1] == shown(metric, low * ratio).text


def test_every_metric_has_a_name_without_its_unit():
    names = [label(metric) for metric in bounded()]
    assert len(set(names)) == len(names)
    assert not any("_" in name or name.endswith((" s", " bytes", " j")) for name in names)
