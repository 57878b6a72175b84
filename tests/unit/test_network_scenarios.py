"""A `network` scenario: one graph, called, on any unit, through every way of asking."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import sim
from hw_models.soc import load_soc
from sim.cli.commands import app_for
from sim.evidence.measured import MeasuredRun
from sim.explore.targets import parse_targets
from sim.validation.judging import validate
from sim.verdicts import verdict
from workloads.errors import WorkloadError
from workloads.scenario import Scenario, load_scenario

MOBILE = {"device": "dimensity_9500", "model": "mobilenet-v2", "network": {"calls": 1}}


def asked(**changed: Any) -> dict[str, Any]:
    return {**MOBILE, **changed}


@pytest.fixture(scope="module")
def mobile() -> Any:
    return sim.simulate(MOBILE)


def test_a_call_has_its_time_and_no_token(mobile: Any) -> None:
    found = mobile.metrics()
    assert 1e-4 < found["inference_s"] < 1e-2
    assert found["flops"] == pytest.approx(2 * 300_774_272, rel=1e-3)
    language = ("time_to_first_token_s", "tokens_per_s", "prefill_s", "vision_encode_s")
    assert [found[name] for name in language] == [None] * 4
    assert found["energy_per_inference_j"] == pytest.approx(found["energy_j"])
    assert found["fits"] is True


def test_calls_follow_each_other_and_take_the_same_time(mobile: Any) -> None:
    many = sim.simulate(asked(network={"calls": 7}))
    assert many["inference_s"] == pytest.approx(mobile["inference_s"])
    assert many.makespan_s == pytest.approx(7 * mobile.makespan_s)


def test_both_engines_agree_on_a_network(mobile: Any) -> None:
    event = sim.simulate(MOBILE, engine="event")
    assert event["inference_s"] == pytest.approx(mobile["inference_s"], rel=1e-9)


def test_narrower_weights_read_fewer_bytes() -> None:
    found = {
        name: sim.simulate(
            asked(deployment={"weights": {"body": weights}, "activations": activations})
        )
        for name, weights, activations in (
            ("w8a8", "w8", "int8"),
            ("w8a16", "w8", "int16"),
            ("float", "w16", "fp16"),
        )
    }
    read = {name: run["dram_read_bytes"] for name, run in found.items()}
    assert read["w8a8"] < read["float"]
    assert found["w8a8"]["inference_s"] <= found["w8a16"]["inference_s"] * (1 + 1e-9)
    assert found["w8a16"]["peak_dram_bytes"] < found["float"]["peak_dram_bytes"]


@pytest.mark.parametrize("unit", ["npu", "gpu", "cpu"])
def test_any_unit_runs_a_network(unit: str) -> None:
    run = sim.simulate(
        asked(deployment={"placement": {"body": unit}, "activations": "fp16", "weights": "w16"})
    )
    assert {task.unit for task, _ in run.program.groups[0].tasks()} == {unit}


def test_what_a_unit_cannot_run_is_handed_over_and_told(tmp_path: Path, mobile: Any) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "extends: dimensity_9500\nid: mine\n"
        "stacks: {neuropilot: {unsupported: [hardswish, adaptive_avg_pool2d]}}\n"
    )
    large = asked(model="mobilenet-v3-l")
    alone, handed = sim.simulate(large), sim.simulate({**large, "device": str(file)})
    [told] = [line for line in handed.warnings if "does not run" in line]
    assert "adaptive_avg_pool2d (" in told
    assert "hardswish (" in told
    assert handed["inference_s"] > alone["inference_s"]
    assert handed["dram_read_bytes"] > alone["dram_read_bytes"]
    units = {task.unit for task, _ in handed.program.groups[0].tasks()}
    assert units == {"npu", "cpu"}


def test_draws_targets_and_a_sweep_know_the_time_of_a_call(mobile: Any) -> None:
    draws = mobile.draws(8)
    assert (draws["inference_s"] > 0).all()
    assert draws["inference_s"].nunique() > 1
    found = verdict(mobile, parse_targets(["inference_s<1"]), draws=8)
    assert found.status == "PASS"
    table = sim.sweep(MOBILE, {"deployment.weights.body": ["w4", "w16"], "network.calls": [1, 2]})
    assert len(table) == 4
    assert table["error"].isna().all()
    assert np.isfinite(table["inference_s"].astype(float)).all()


def test_a_network_scenario_reads_back_as_it_was_written() -> None:
    scenario = Scenario.from_mapping(MOBILE)
    for given in ({}, {"exclude_defaults": True}):
        assert Scenario.from_mapping(scenario.model_dump(mode="json", **given)) == scenario


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"session": {"turns": [{}]}}, "either session or network, not both"),
        ({"network": {"call": 1}}, "calls"),
        ({"network": {"calls": 0}}, "calls"),
        ({"model": "resnet51"}, "resnet50"),
        ({"model": "andesvl-1b"}, "replace network by session"),
        ({"deployment": {"speculation": {"method": "ngram"}}}, "deployment"),
        ({"deployment": {"prefill_chunk_tokens": 64}}, "only language models have it"),
    ],
)
def test_faults_are_sentences(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        sim.simulate(asked(**changed))


def test_a_network_in_a_session_says_what_to_write() -> None:
    with pytest.raises(ValueError, match=r"network: \{calls: 1\}"):
        sim.simulate(set={"model": "resnet50"})
    with pytest.raises(WorkloadError, match="network"):
        load_scenario(None, ["network.call=1"])


def test_the_command_line_answers_in_words_and_in_json() -> None:
    setting = ["--set", "model=mobilenet-v2", "--set", "network.calls=1"]
    words = CliRunner().invoke(app_for(), ["simulate", *setting])
    assert words.exit_code == 0
    assert "Inference" in words.output
    said = CliRunner().invoke(app_for(), ["simulate", *setting, "--json"])
    assert json.loads(said.stdout)["metrics"]["inference_s"] > 0


def test_a_measured_row_of_a_network_is_judged() -> None:
    ran = {"stack": "neuropilot", "device": "dimensity_9500", "weights": "w8"}
    rows = [
        MeasuredRun(id="a", model="resnet50", inference_s=2e-3, **ran),
        MeasuredRun(id="b", model="qwen3-0.6b", inference_s=2e-3, **ran),
    ]
    found = validate(rows, load_soc("dimensity_9500"))
    [judged] = found.rows
    assert (judged.run.id, judged.metric) == ("a", "inference_s")
    assert judged.interval is not None
    assert judged.interval[0] < judged.simulated
    assert "--prompt-tokens, 1 for a decode step" in found.skipped[0].reason
