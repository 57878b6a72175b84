"""The documents other programs read: keys, types, and that nothing else is on standard output."""

from __future__ import annotations

import json

import pytest

METRICS = [
    "vision_encode_s",
    "prefill_s",
    "time_to_first_token_s",
    "decode_s",
    "tokens_per_s",
    "time_per_output_token_s",
    "output_tokens",
    "decode_steps",
    "tokens_per_step",
    "peak_dram_bytes",
    "dram_read_bytes",
    "dram_write_bytes",
    "flash_read_bytes",
    "load_s",
    "energy_j",
    "energy_per_token_j",
    "mean_power_w",
    "max_skin_c",
    "sustained_tokens_per_s",
    "visual_tokens",
    "kv_tokens_final",
    "weight_bytes_per_step",
    "flops",
    "useful_flops",
    "mfu",
    "mbu",
    "fits",
]
SMALL = (
    "--set",
    "model=smollm2-135m",
    "--set",
    "session={turns: [{prompt_tokens: 8, output_tokens: 3}]}",
)


def simulated(andesim, *arguments):
    outcome = andesim("simulate", "--json", *arguments)
    assert outcome.code == 0, outcome.err
    assert outcome.err == ""
    return json.loads(outcome.out)


def test_the_default_scenario_has_every_key_of_the_contract(andesim):
    document = simulated(andesim)
    assert document["schema"] == "andesim.summary/1"
    assert (document["model"], document["device"]) == ("andesvl-4b", "dimensity_9500")
    assert document["stack"] == "neuropilot"
    assert {"seed", "engine", "metrics", "dram_bytes", "warnings"} <= set(document)
    assert set(METRICS) <= set(document["metrics"])
    assert document["metrics"]["fits"] is True


def test_metrics_are_numbers_and_the_parts_add_up(andesim):
    document = simulated(andesim)
    metrics = document["metrics"]
    assert all(isinstance(metrics[name], int | float) for name in METRICS)
    assert metrics["time_to_first_token_s"] == pytest.approx(
        metrics["vision_encode_s"] + metrics["prefill_s"]
    )
    assert metrics["tokens_per_s"] * metrics["time_per_output_token_s"] == pytest.approx(1.0)
    assert metrics["tokens_per_s"] == pytest.approx(127 / metrics["decode_s"])
    assert sum(document["dram_bytes"].values()) == metrics["peak_dram_bytes"]
    assert sum(document["energy_j"].values()) == pytest.approx(metrics["energy_j"])


def test_set_reaches_any_dotted_path_with_yaml_values(andesim):
    before = simulated(andesim, *SMALL)
    after = simulated(
        andesim,
        *SMALL,
        "--set",
        "session.turns.0.output_tokens=5",
        "--set",
        "deployment.weights={body: w8, lm_head: w8}",
        "--set",
        "device=ideal_85gbps_50tflops",
    )
    assert (before["metrics"]["output_tokens"], after["metrics"]["output_tokens"]) == (3, 5)
    assert after["device"] == "ideal_85gbps_50tflops"
    assert after["metrics"]["weight_bytes_per_step"] > before["metrics"]["weight_bytes_per_step"]


def test_the_last_of_two_overrides_of_one_path_wins(andesim):
    twice = ("--set", "environment.ambient_c=10", "--set", "environment.ambient_c=30")
    assert simulated(andesim, *SMALL, *twice)["metrics"]["max_skin_c"] >= 30.0


def test_seed_and_engine_are_what_was_asked(andesim):
    document = simulated(andesim, *SMALL, "--seed", 41, "--engine", "event")
    assert (document["seed"], document["engine"]) == (41, "event")
    fast = simulated(andesim, *SMALL, "--engine", "maxplus")["metrics"]
    known = {name: value for name, value in fast.items() if value is not None}
    assert {name: document["metrics"][name] for name in known} == pytest.approx(known, rel=1e-8)
    assert {name for name, value in document["metrics"].items() if value is None} == set(
        fast
    ) - set(known)


def test_a_run_out_of_memory_is_a_verdict_in_json(andesim):
    document = simulated(andesim, "--set", "environment.app_budget_bytes=1 GB")
    metrics = document["metrics"]
    assert metrics["fits"] is False
    assert metrics["tokens_per_s"] is None
    assert metrics["peak_dram_bytes"] > 1e9


def test_devices_say_where_each_number_comes_from(andesim):
    outcome = andesim("devices", "--json")
    devices = {row["id"]: row for row in json.loads(outcome.out)}
    assert {"ideal_85gbps_50tflops", "dimensity_9500", "snapdragon_8_elite"} <= set(devices)
    for row in devices.values():
        assert set(row) == {"id", "name", "stacks", "parameters"}
        for path, item in row["parameters"].items():
            assert {"value", "unit", "kind", "source", "low", "high"} <= set(item), path
            assert item["source"], path


def test_models_and_formats_have_the_columns_of_the_contract(andesim):
    models = {row["id"]: row for row in json.loads(andesim("models", "--json").out)}
    assert models["andesvl-4b"]["layers"] == 36
    assert models["andesvl-4b"]["kv_bytes_per_token_16bit"] == 147_456
    assert models["andesvl-4b"]["parameters"] == pytest.approx(4.360e9, rel=5e-4)
    for row in models.values():
        assert {"id", "parameters", "kv_bytes_per_token_16bit", "layers", "source"} <= set(row)
    formats = json.loads(andesim("formats", "--json").out)
    for row in formats:
        assert {"id", "traffic_bits", "resident_bits", "file_bits", "source"} <= set(row)
    assert {"w4", "w4_g128", "q4_0", "bitnet"} <= {row["id"] for row in formats}


@pytest.mark.parametrize(
    ("catalogue", "name"),
    [("devices", "dimensity_9500"), ("models", "andesvl-4b"), ("formats", "w4_g64")],
)
def test_one_entry_by_name(andesim, catalogue, name):
    (row,) = json.loads(andesim(catalogue, name, "--json").out)
    assert row["id"] == name
    assert name in andesim(catalogue, name).out


@pytest.mark.parametrize("catalogue", ["devices", "models", "formats"])
def test_tables_for_people_list_every_entry(andesim, catalogue, monkeypatch):
    monkeypatch.setenv("COLUMNS", "240")
    outcome = andesim(catalogue)
    listed = [row["id"] for row in json.loads(andesim(catalogue, "--json").out)]
    assert outcome.code == 0
    assert all(name in outcome.out for name in listed)


def test_people_read_the_verdict_the_bound_and_the_doubt(andesim, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    text = andesim("simulate").out
    for words in (
        "First token after",
        "tokens/s",
        "What bounds decode",
        "DRAM at the peak",
        "Least certain assumption",
    ):
        assert words in text
    starved = andesim("simulate", "--set", "environment.app_budget_bytes=1 GB").out
    assert "Out of memory" in starved
    assert "First token after" not in starved
