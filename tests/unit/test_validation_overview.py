"""The overview of errors, joules per token and rates over minutes: figures known in advance."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sim.calibration.folds import Residual
from sim.evidence.nearest import JudgedRow, judged_rows
from sim.validation.curves import area_between, fallen_at_s
from sim.validation.energy import course, result_of, spent_at_start
from sim.validation.overview import (
    Errors,
    overview_table,
    questions,
    stacks_table,
    swayed_table,
)

ROW = JudgedRow(
    *("a1", "validation", "phone", "mnn_cpu", "cpu", "energy_j_per_token", "qwen2.5-1.5b", "w4"),
    "https://example.org/a",
    *(1e9, 512.0, 0.0, 0.2, 0.25, 0.15, 0.3),
)
SEEN = Residual("network", "q", "phone", "genie", "npu", "tokens_per_s", "m", math.log(1.1), 0.05)


def test_errors_of_a_group_are_its_median_mean_and_share_inside():
    found = Errors.of([0.1, -0.3, 0.2, 0.0], [True, False, True, True])
    assert found == Errors(4, pytest.approx(0.15), pytest.approx(0.15), pytest.approx(0.75))
    assert Errors.of([], []) is None


def test_few_rows_are_shown_and_not_held_against_an_aim():
    few = questions([SEEN] * 7, [])
    assert list(few[0].verdicts()) == []
    assert "few rows" in overview_table(few)
    enough = questions([SEEN] * 8, [])
    assert ("median 12%", True) in list(enough[0].verdicts())


def test_a_missed_aim_is_named_and_counted():
    far = SEEN._replace(log_error=math.log(1.5))
    text = overview_table(questions([far] * 8, []))
    assert "missed: median 12%" in text
    assert text.startswith("0 of 2 aims are met")


def test_a_mean_that_one_row_makes_is_told_with_the_row():
    near = [SEEN._replace(id=str(i)) for i in range(9)]
    far = SEEN._replace(id="far", log_error=math.log(101.0))
    assert "| far (phone, genie, x 101) |" in swayed_table([*near, far])
    assert "| 1009.0% | 10.0% |" in swayed_table([*near, far])
    assert "far" not in swayed_table([*near, far._replace(log_error=math.log(1.2))])
    assert "far" not in swayed_table([*near[:2], far])  # few rows


def test_validation_rows_stand_in_where_nothing_was_left_out():
    found = questions([], [ROW._replace(id=str(i)) for i in range(8)])
    assert [item.metric for item in found] == ["energy_j_per_token"]
    assert ("median 30%", True) in list(found[0].verdicts())
    assert "| validation | phone | mnn_cpu | 0.2 | 0.25 |" in stacks_table([ROW], ROW.metric)


def test_joules_per_token_ship_in_both_roles_with_intervals_that_hold_them():
    rows = [row for row in judged_rows() if row.metric == "energy_j_per_token"]
    assert {row.role for row in rows} == {"calibration", "validation"}
    assert all(row.low <= row.simulated <= row.high for row in rows)


def test_a_cool_phone_keeps_its_clock_and_a_spent_budget_lowers_it():
    asked = {"device": "apple_a19_pro", "stack": "mlx_gpu", "model": "qwen3-0.6b"}
    sizes = {"weights": "w4", "prompt_tokens": math.nan, "output_tokens": 16}
    result = result_of(asked | sizes | {"counts_as": "qwen3-0.6b"})
    assert result is not None
    ends_s, clocks, powers_w = course(result.soc, result.facts, 10.0, 0.0)
    assert ends_s[-1] == pytest.approx(10.0)
    assert clocks.min() == pytest.approx(1.0)
    spent_s, slower, _ = course(result.soc, result.facts, 600.0, 1.0)
    assert spent_s[-1] == pytest.approx(600.0)
    assert slower[-1] < 1.0 < powers_w[0]


def test_how_warm_a_phone_began_is_read_from_its_note():
    assert spent_at_start("thermal fair->serious, 600 s") == 0.5
    assert spent_at_start("") == 0.0


def test_a_row_of_a_network_or_stack_that_is_not_known_is_left_out():
    row = {"device": "apple_a19_pro", "stack": "none", "model": "x", "counts_as": "x"}
    sizes = {"weights": "w4", "prompt_tokens": math.nan, "output_tokens": 4}
    assert result_of(row | sizes) is None


def test_two_curves_enclose_an_area_and_each_falls_at_its_own_instant() -> None:
    at = np.linspace(0.0, 600.0, 61)
    measured, replayed = np.ones(61), 1.0 - at / 1200.0  # half of a half is lost on average
    assert area_between(at, measured, replayed) == pytest.approx(0.25, rel=1e-9)
    assert area_between(at, measured, measured) == 0.0
    assert fallen_at_s(at, measured) == math.inf
    assert fallen_at_s(at, replayed) == 130.0
