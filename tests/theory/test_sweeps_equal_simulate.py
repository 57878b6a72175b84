"""A row of a sweep gives what `simulate` gives for its point, whatever is asked and swept."""

import re

import pytest

from sim import simulate
from sim.explore.designs import SweepSpec
from sim.explore.sweep_batch import is_batchable
from sim.explore.sweep_rows import RULE_BREAKS, evaluate
from tests.random_scenarios import plain, scenario
from workloads.scenario import Scenario

PROMPT, REPLY = "session.turns.0.prompt_tokens", "session.turns.0.output_tokens"


def assert_rows_equal(base, axes):
    spec = SweepSpec(base=base, axes=axes)
    points = spec.rows(0, spec.points)
    for values, row in zip(points, evaluate(spec, 0, spec.points), strict=True):
        if row["error"] is not None:
            with pytest.raises(RULE_BREAKS, match=re.escape(row["error"])):
                simulate(Scenario.from_mapping(spec.mapping(values)))
            continue
        alone = simulate(Scenario.from_mapping(spec.mapping(values)))
        assert row["fingerprint"] == alone.fingerprint
        for metric, expected in alone.metrics().items():
            found = None if row[metric] != row[metric] else row[metric]  # NaN is no value
            assert found == (None if expected is None else pytest.approx(expected, rel=1e-9)), (
                values,
                metric,
            )


@pytest.mark.parametrize("number", range(24))
def test_a_row_of_a_sweep_over_tokens_is_a_run(number):
    base = plain(number)
    assert is_batchable(Scenario.from_mapping(base))
    prompt = base["session"]["turns"][0]["prompt_tokens"]
    assert_rows_equal(base, {PROMPT: (prompt, prompt + 391), REPLY: (1, 2, 37)})


@pytest.mark.parametrize("number", range(8))
def test_a_row_of_a_sweep_over_anything_else_is_a_run(number):
    base = scenario(number)
    axes = {"environment.ambient_c": (20.0, 41.0)}
    if len(base["session"].get("turns", ())) == 1:
        axes[PROMPT] = (17, 250)
    assert_rows_equal(base, axes)


def test_a_row_of_a_sweep_is_a_run_that_governors_slow():
    base = {
        "device": "dimensity_9500",
        "model": "andesvl-1b",
        "session": {
            "turns": [{"images_px": [[448, 448]], "prompt_tokens": 40, "output_tokens": 9}]
        },
        "environment": {"ambient_c": 41.0, "charging_heat_w": 3.0},
    }
    axes = {PROMPT: (40, 900), REPLY: (5, 1200, 3000)}
    hottest = SweepSpec(base=base, axes=axes)
    assert is_batchable(Scenario.from_mapping(base))
    longest = simulate(Scenario.from_mapping(hottest.mapping((900, 3000))))
    assert any(span.changes for times in longest.groups for span in times.spans)
    assert_rows_equal(base, axes)
