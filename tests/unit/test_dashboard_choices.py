"""Choices, links, presets: one object, and every text form of it reads back to the same."""

from __future__ import annotations

import json
import shlex
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import dashboard
from dashboard.choices import BY_BITS, Choices, limits
from dashboard.labels import labelled
from dashboard.links import command_line, query, read_query, scenario_yaml
from dashboard.options import options
from dashboard.presets import CUSTOM, PRESETS, preset, preset_of
from dashboard.runs import run
from dashboard.what_ifs import what_if_text, what_if_values
from sim import load_scenario
from sim.documents import summary_document
from sim.errors import SimError
from workloads.errors import WorkloadError
from workloads.scenario import DEFAULT, Scenario

NUMBERS = (int, float)


def entries(text: str) -> dict[str, str]:
    return dict(parse_qsl(text, keep_blank_values=True))


def any_number(name: str) -> st.SearchStrategy:
    lowest, highest = limits(name)
    if isinstance(Choices.model_fields[name].default, int):
        return st.integers(lowest, highest)
    return st.floats(lowest, highest, allow_nan=False)


def any_choices() -> st.SearchStrategy[Choices]:
    words = {
        name: st.sampled_from(allowed)
        for name, allowed in options("dimensity_9500").items()
        if name != "device"
    }
    fields = Choices.model_fields.items()
    numbers = {name: any_number(name) for name, field in fields if type(field.default) in NUMBERS}
    return st.builds(Choices, **words, **numbers, what_if=st.sampled_from(["", "dram.rate=8e9"]))


def test_the_default_choices_are_the_default_scenario():
    assert Scenario.from_mapping(Choices().mapping()) == Scenario.from_mapping(DEFAULT)


@given(choices=any_choices(), baseline=any_choices())
@settings(max_examples=40, deadline=None)
def test_a_link_reads_back_to_the_same_choices_and_baseline(choices, baseline):
    reading = read_query(entries(query(choices, baseline)))
    assert reading == (choices, baseline, (), ())


@given(choices=any_choices())
@settings(max_examples=40, deadline=None)
def test_choices_command_line_and_yaml_name_one_scenario(choices, tmp_path_factory):
    _, _, *words = shlex.split(command_line(choices))
    by_command = load_scenario(None, words[1::2])
    path = tmp_path_factory.mktemp("scenario") / "scenario.yaml"
    path.write_text(scenario_yaml(choices), encoding="utf-8")
    assert by_command == load_scenario(path) == Scenario.from_mapping(choices.mapping())
    assert set(words[::2]) <= {"--set"}


def test_the_scenario_file_has_no_anchors():
    assert "&" not in scenario_yaml(Choices(images=3))
    assert yaml.safe_load(scenario_yaml(Choices(images=3))) == Choices(images=3).mapping()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("body_bits", "99", "body_bits must be less than or equal to 16"),
        ("body_bits", "many", "body_bits must be a number"),
        ("prompt_tokens", "1.5", "prompt_tokens must be a whole number"),
        ("keep", "nan", "keep must be a finite number"),
        ("model", "andesvl-5b", "Did you mean 'andesvl-4b'?"),
        ("stack", "genie", "stack must be a known option"),
        ("eviction", "<script>", "eviction must be a known option"),
        ("what_if", "dram.rate", "what_if must be written path=value. Got 'dram.rate'."),
        ("what_if", "dram=1; dram.rate=2", "what_if must be written path=value."),
        (
            "prompt_token",
            "5",
            "'prompt_token' is not a known choice. Did you mean 'prompt_tokens'?",
        ),
    ],
)
def test_what_is_wrong_in_a_link_is_named_and_the_rest_is_kept(name, text, said):
    reading = read_query({name: text, "output_tokens": "77"})
    assert reading.choices == Choices(output_tokens=77)
    assert len(reading.faults) == 1
    assert said in reading.faults[0]


def test_the_stack_of_a_link_is_judged_by_the_device_of_the_link():
    reading = read_query({"device": "snapdragon_8_elite", "stack": "genie"})
    assert reading.choices == Choices(device="snapdragon_8_elite", stack="genie")
    assert reading.faults == ()


def test_a_bad_baseline_is_named_too():
    reading = read_query({"baseline": "body=w99"})
    assert reading.baseline == Choices()
    assert reading.faults[0].startswith("baseline: body must be a known option")


@pytest.mark.parametrize("name", PRESETS)
def test_numbers_of_a_preset_equal_the_command_line(name, andesim):
    choices = preset(name)
    outcome = andesim(*shlex.split(command_line(choices))[1:], "--json")
    assert outcome.code == 0
    shown = json.loads(json.dumps(summary_document(run(choices))))
    assert json.loads(outcome.out) == shown


def test_a_preset_is_recognised_until_a_choice_differs():
    assert [preset_of(preset(name)) for name in PRESETS] == list(PRESETS)
    assert preset_of(preset("fastest").changed(prompt_tokens=65)) == CUSTOM


def test_bits_per_weight_become_a_format():
    mapping = Choices(body=BY_BITS, body_bits=2.5).mapping()
    assert mapping["deployment"]["weights"] == {"body": "bpw2.5"}


def test_every_class_may_be_given_in_bits():
    choices = Choices(lm_head=BY_BITS, lm_head_bits=3.5, vision=BY_BITS, vision_bits=6.0)
    assert choices.mapping()["deployment"]["weights"] == {"lm_head": "bpw3.5", "vision": "bpw6"}
    assert run(choices).ledger.peak.total_bytes < run(Choices()).ledger.peak.total_bytes


def test_targets_share_the_run():
    assert run(Choices(most_first_token_s=1.0)) is run(Choices(least_tokens_per_s=3.0))


def test_what_if_values_read_back():
    values = {"dram.channels": 2.0, "dram.rate": "9.6 GT/s", "stacks.a.whole_windows": True}
    assert what_if_values(what_if_text(values)) == values
    with pytest.raises(SimError, match="path=value"):
        what_if_values("dram.rate")


def test_what_if_values_reach_the_run():
    slower = run(Choices(what_if="dram.rate=5 GT/s")).summary()
    assert slower.tokens_per_s < run(Choices()).summary().tokens_per_s


def test_no_module_of_the_dashboard_hides_another_package():
    """`streamlit run` puts the folder of app.py first on the path."""
    folder = Path(dashboard.__file__).parent
    ours = {path.stem for path in folder.iterdir()} - {"__init__", "__main__", "__pycache__", "py"}
    assert not ours & (set(sys.stdlib_module_names) | set(packages_distributions()))


def test_a_message_names_the_control_beside_the_field():
    with pytest.raises(WorkloadError) as told:
        Scenario.from_mapping({"environment": {"ambient_c": float("nan")}})
    assert "Ambient [°C] (environment.ambient_c) must be" in labelled(str(told.value))
    assert labelled("dram.rank must be 1.") == "dram.rank must be 1.", "a device's, not a control"
