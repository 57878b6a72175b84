"""Scenarios from mappings, files and overrides: what is read, what is refused, and how."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sim import Scenario, load_scenario
from workloads.errors import WorkloadError
from workloads.scenario import DEFAULT, with_override

MINIMAL: dict[str, Any] = {
    "device": "dimensity_9500",
    "model": "andesvl-4b",
    "session": {"turns": [{}]},
}


def test_only_device_model_and_session_are_required():
    asked = Scenario.from_mapping(MINIMAL)
    assert (asked.stack, asked.deployment.activations) == (None, None)
    assert asked.session.turns[0].output_tokens == 128
    for key in MINIMAL:
        lacking = {name: value for name, value in MINIMAL.items() if name != key}
        with pytest.raises(WorkloadError, match=f"{key} must be given"):
            Scenario.from_mapping(lacking)


def test_no_file_is_the_default_scenario():
    asked = load_scenario()
    assert asked == Scenario.from_mapping(DEFAULT)
    assert (asked.device, asked.model) == ("dimensity_9500", "andesvl-4b")
    (turn,) = asked.session.turns
    assert (turn.images_px, turn.prompt_tokens, turn.output_tokens) == (((1080, 2400),), 64, 128)


def test_overrides_never_touch_the_default():
    before = load_scenario()
    load_scenario(None, ["session.turns.0.prompt_tokens=9"])
    assert load_scenario() == before


def test_the_scenario_of_the_design_is_read(tmp_path):
    path = tmp_path / "scenario.yaml"
    path.write_text(
        """\
device: dimensity_9500
stack: neuropilot
model: andesvl-4b
deployment:
  weights: {body: w4_g128, lm_head: w8, embedding: w8, vision: w8}
  activations: int16
  kv_cache: {dtype: int16, capacity_tokens: 4096}
  prefill_chunk_tokens: 128
environment: {ambient_c: 25, background: idle, app_budget_bytes: 10 GB, start: warm}
session:
  turns:
    - {images_px: [[1080, 2400]], prompt_tokens: 64, output_tokens: 128, at_s: 0.0}
"""
    )
    asked = load_scenario(path)
    assert asked.environment.app_budget_bytes == 10**10
    assert asked.deployment.kv_cache.capacity_tokens == 4096
    assert str(asked.deployment.weights).startswith("body=w4_g128;lm_head=w8")


def test_weights_are_a_mapping_a_text_or_one_format():
    def weights(given: object) -> str:
        return str(
            Scenario.from_mapping({**MINIMAL, "deployment": {"weights": given}}).deployment.weights
        )

    assert weights({"body": "w4", "lm_head": "w8"}) == weights("body=w4;lm_head=w8")
    assert weights("w4") == "body=w4"


def test_a_scenario_is_frozen_and_survives_being_written(tmp_path):
    asked = load_scenario(None, ["deployment.weights=body=w4;lm_head=w8", "environment.start=cold"])
    with pytest.raises(ValueError, match="frozen"):
        asked.device = "other"
    path = tmp_path / "written.yaml"
    path.write_text(yaml.safe_dump(asked.model_dump(mode="json", exclude_defaults=True)))
    assert load_scenario(path) == asked


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_must_be_finite(value):
    with pytest.raises(WorkloadError, match=r"environment\.ambient_c must be a finite number"):
        Scenario.from_mapping({**MINIMAL, "environment": {"ambient_c": value}})


@pytest.mark.parametrize("value", [3, "text", None, [1], {1: 2}, {("a",): 1}])
def test_what_is_no_mapping_of_names_is_refused(value):
    with pytest.raises(WorkloadError):
        Scenario.from_mapping(value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = ("device", "stack", "model", "deployment", "environment", "session", "deployment.weights")


def answer_or_complaint(read: Callable[[], Scenario]) -> Scenario | str:
    """What reading gives: a scenario, or the message of the one exception allowed."""
    try:
        return read()
    except WorkloadError as error:
        return str(error)


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(KEYS), json_values)
def test_any_value_anywhere_is_a_scenario_or_one_clear_error(path, value):
    mapping = with_override(MINIMAL, path, value)
    told = answer_or_complaint(lambda: Scenario.from_mapping(mapping))
    assert isinstance(told, Scenario) or told.startswith("scenario:\n  ")


@settings(deadline=None)
@given(st.text(alphabet="abc.019-=[]{}: \t\n'\"&*!#", max_size=30))
def test_any_override_is_refused_with_a_sentence_that_names_it(text):
    """No key of a scenario can be spelled in this alphabet."""
    told = answer_or_complaint(lambda: load_scenario(None, [text]))
    assert isinstance(told, str)
    assert told.startswith(("--set ", "scenario:\n  "))


names = st.text(alphabet="abcdefgh_", min_size=1, max_size=5)


@settings(deadline=None)
@given(st.lists(names, min_size=1, max_size=4), st.integers())
def test_an_override_sets_one_path_and_nothing_else(parts, value):
    before = {"zz": {"kept": 1}}
    after = with_override(before, ".".join(parts), value)
    assert before == {"zz": {"kept": 1}}
    node: Any = after
    for part in parts:
        node = node[part]
    assert node == value
    assert after["zz"] == {"kept": 1}


def test_overrides_apply_in_order_and_reach_into_lists():
    mapping = with_override({"turns": [{"a": 1}, {"a": 2}]}, "turns.1.a", 3)
    assert with_override(mapping, "turns.1", {"b": 4}) == {"turns": [{"a": 1}, {"b": 4}]}


@pytest.mark.parametrize(
    "override",
    [
        "session.turns.0.prompt_tokens=0100",
        "session.turns.0.prompt_tokens=12:30:45",
        "session.turns.0.prompt_tokens=16.0",
        "session.turns.0.fresh=yes",
        "environment.ambient_c='25'",
        "environment.ambient_c=true",
        "environment.app_budget_bytes=true",
        "environment.app_budget_bytes=010 GB",
        "deployment.kv_cache.eviction={policy: okv, keep: '0.5'}",
        "deployment.speculation={method: ngram, acceptance: {survival: [true]}}",
    ],
)
def test_a_number_is_a_plain_decimal_number(override):
    with pytest.raises(WorkloadError, match=r"must be (a (whole )?number|true or false)"):
        load_scenario(None, [override])
