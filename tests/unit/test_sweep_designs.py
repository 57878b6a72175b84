"""Sweep specifications: which points, in which order, and what is refused."""

import itertools
import math
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sim.errors import SimError
from sim.explore.designs import Range, SweepSpec, load_sweep
from workloads.errors import WorkloadError

PROMPT = "session.turns.0.prompt_tokens"


def write(folder: Path, **spec: object) -> Path:
    file = folder / "sweep.yaml"
    file.write_text(yaml.safe_dump(spec), encoding="utf-8")
    return file


@given(st.integers(1, 1000), st.integers(0, 5000), st.integers(1, 60))
def test_a_range_keeps_its_ends_its_order_and_whole_numbers(low, more, count):
    for kind in ("linear", "log"):
        values = Range(**{kind: (low, low + more)}, count=count).values()
        assert list(values) == sorted(set(values))
        assert all(isinstance(value, int) and low <= value <= low + more for value in values)
        if count > 1:
            assert {values[0], values[-1]} == {low, low + more}


def test_a_log_range_has_equal_ratios():
    values = Range(log=(0.5, 8.0), count=5).values()
    assert [round(b / a, 9) for a, b in itertools.pairwise(values)] == [2.0] * 4


def test_a_grid_holds_every_combination_with_token_counts_fastest():
    spec = SweepSpec(axes={PROMPT: [1, 2], "model": ["a", "b"], "stack": ["x", "y"]})
    rows = spec.rows(0, spec.points)
    assert len(set(rows)) == spec.points == 8
    assert rows[:3] == [(1, "a", "x"), (2, "a", "x"), (1, "a", "y")]


@given(st.integers(0, 11), st.integers(0, 11))
def test_any_stretch_of_rows_is_that_stretch_of_all_rows(start, length):
    spec = SweepSpec(axes={PROMPT: [1, 2, 3], "model": ["a", "b", "c", "d"]})
    assert spec.rows(start, start + length) == spec.rows(0, 12)[start : start + length]


@pytest.mark.parametrize("design", ["lhs", "sobol"])
def test_space_filling_designs_cover_each_axis_evenly(design):
    axes = {PROMPT: {"linear": [0.0, 1.0]}, "stack": ["x", "y"]}
    spec = SweepSpec(axes=axes, design=design, samples=64, seed=3)
    rows = spec.rows(0, 64)
    assert spec.rows(10, 12) == rows[10:12]
    assert sorted(math.floor(16 * place) for place, _ in rows) == sorted([*range(16)] * 4)
    assert sum(name == "x" for _, name in rows) == 32
    assert rows != SweepSpec(axes=axes, design=design, samples=64, seed=4).rows(0, 64)


def test_the_base_may_be_a_shipped_scenario(tmp_path):
    spec = load_sweep(write(tmp_path, base="gui_agent_ten_minutes", axes={"session.until_s": [9]}))
    assert set(spec.base["session"]["clients"]) == {"agent", "keyboard"}
    with pytest.raises(WorkloadError, match="Did you mean 'gui_agent_ten_minutes'"):
        load_sweep(write(tmp_path, base="gui_agent_ten_minute", axes={"session.until_s": [9]}))


def test_the_base_may_be_a_file_beside_the_specification(tmp_path):
    base = {"device": "ideal_85gbps_50tflops", "model": "qwen3-0.6b", "session": {"turns": [{}]}}
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(base), encoding="utf-8")
    spec = load_sweep(write(tmp_path, base="base.yaml", axes={PROMPT: [8]}))
    assert spec.mapping((8,))["session"]["turns"][0] == {"prompt_tokens": 8}
    assert spec.base == base


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"axes": {"deployment.wieghts.body": ["w4"]}}, "Did you mean 'weights'"),
        ({"axes": {"session.turns.7.prompt_tokens": [1]}}, "index must be 0 to 0"),
        ({"axes": {PROMPT: []}}, "0.prompt_tokens.list must be longer: at least one entry"),
        ({"axes": {PROMPT: 7}}, "0.prompt_tokens.list must be a list. Got 7"),
        ({"axes": {}}, "axes must be longer: at least one entry"),
        ({"axes": {PROMPT: {"log": [1, 10], "count": 0}}}, "range.count must be greater than"),
        ({"axes": {PROMPT: {"log": [0, 10]}}}, "above 0 if log"),
        ({"axes": {PROMPT: {"linear": [10, 1]}}}, "low up to high"),
        ({"axes": {PROMPT: {"linear": [1, 2], "log": [1, 2]}}}, "either"),
        ({"axes": {PROMPT: [1]}, "desing": "grid"}, "Did you mean 'design'"),
        (
            {"axes": {PROMPT: {"linear": [0.0, 1.0], "count": 100_000}, "stack": ["x"] * 101}},
            "at most",
        ),
    ],
)
def test_a_wrong_specification_is_refused_with_its_reason(tmp_path, spec, said):
    with pytest.raises(SimError, match=said):
        load_sweep(write(tmp_path, **spec))


def test_a_bad_value_is_no_fault_of_the_specification(tmp_path):
    assert load_sweep(write(tmp_path, axes={"deployment.weights.body": ["w4", "zz"]})).points == 2
