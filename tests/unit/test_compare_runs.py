"""Comparison: the terms add up to the phases, the steps lead from the first run to the second."""

import json

import pytest
import typer
import yaml
from typer.testing import CliRunner

from sim import Scenario, simulate
from sim.cli.comparing import compare as command
from sim.explore.comparison import compare

FIRST = {
    "device": "ideal_85gbps_50tflops",
    "model": "qwen3-0.6b",
    "session": {"turns": [{"prompt_tokens": 256, "output_tokens": 16}]},
}
SECOND = FIRST | {
    "deployment": {"weights": {"body": "w8"}, "kv_cache": {"dtype": "int8"}},
    "device": "dimensity_9500",
}


@pytest.fixture(scope="module")
def found():
    return compare(Scenario.from_mapping(FIRST), Scenario.from_mapping(SECOND))


def test_equal_scenarios_are_said_to_be_equal(tmp_path, andesim):
    path = tmp_path / "one.yaml"
    path.write_text("{device: dimensity_9500, model: smollm2-135m, session: {turns: [{}]}}")
    said = andesim("compare", str(path), str(path)).out
    assert said == "Nothing differs: the scenarios are the same, and so are the runs.\n"


def test_terms_add_up_to_the_phases(found):
    for phase, metric in (("prefill", "prefill_s"), ("decode", "decode_s")):
        pairs = [pair for pair in found.terms if pair.phase == phase]
        for run, side in ((found.before, "before_s"), (found.after, "after_s")):
            expected = getattr(run.summary(), metric)
            assert sum(getattr(pair, side) for pair in pairs) == pytest.approx(expected, rel=1e-9)


def test_the_steps_end_at_the_second_run(found):
    assert [step.path for step in found.steps] == [
        "device", "deployment.weights.body", "deployment.kv_cache.dtype",
    ]  # fmt: skip
    assert found.steps[-1].metrics == found.after.summary().as_dict()
    only_device = Scenario.from_mapping(FIRST | {"device": "dimensity_9500"})
    assert found.steps[0].metrics == simulate(only_device).summary().as_dict()


def test_entries_that_only_fit_together_are_one_step():
    small = FIRST | {"deployment": {"kv_cache": {"capacity_tokens": 300}}}
    large = {
        **FIRST,
        "deployment": {"kv_cache": {"capacity_tokens": 2000}},
        "session": {"turns": [{"prompt_tokens": 1500, "output_tokens": 16}]},
    }
    back = compare(Scenario.from_mapping(large), Scenario.from_mapping(small))
    assert [step.path for step in back.steps] == [
        "deployment.kv_cache.capacity_tokens + session.turns"
    ]


def test_equal_runs_have_nothing_to_explain():
    same = compare(Scenario.from_mapping(FIRST), Scenario.from_mapping(FIRST))
    assert same.changes == same.parameters == same.metrics == same.steps == []
    assert all(pair.difference_s == 0.0 for pair in same.terms)


def test_changes_name_entries_and_parameters(found):
    assert ("device", "ideal_85gbps_50tflops", "dimensity_9500") in [
        (change.path, change.before, change.after) for change in found.changes
    ]
    moved = {change.path for change in found.parameters}
    assert "dram.rate" in moved
    assert found.sentence().count("->") == 2


def test_the_command_prints_json_or_tables(tmp_path):
    files = [tmp_path / "a.yaml", tmp_path / "b.yaml"]
    for file, scenario in zip(files, (FIRST, SECOND), strict=True):
        file.write_text(yaml.safe_dump(scenario))
    app = typer.Typer()
    app.command()(command)
    told = CliRunner().invoke(app, [*map(str, files), "--json"])
    assert json.loads(told.stdout)["schema"] == "andesim.comparison/1"
    shown = CliRunner().invoke(app, list(map(str, files)))
    assert shown.exit_code == 0
    assert "deployment.weights" in shown.stdout
