"""Draws of a device give what `simulate` gives on each drawn device, whatever is asked."""

import json

import numpy as np
import pytest

from hw_models.soc import load_soc
from sim import load_scenario, simulate
from sim.explore import alone, variants
from sim.explore.draws import draw
from sim.explore.variants import variant_metrics
from sim.planning import plan
from sim.simulation import follow
from tests.random_scenarios import scenario
from workloads.scenario import Scenario

DRAWS = 3
GAME_LATER = "environment.background=[{at_s: 0, profile: idle}, {at_s: 1000, profile: game}]"
TURN = {"prompt_tokens": 40, "output_tokens": 8, "fresh": True}
CLOSED = {"process": "closed", "think_s": 0.5, "count": 30}
LARGE = ["model=qwen3-8b", "deployment.weights={body: w8, lm_head: w8, embedding: w8}"]


def assert_rows_equal(asked, draws=DRAWS, seed=0):
    result = simulate(asked, seed=seed)
    values = draw(result.soc, result.stack, draws, seed)
    if not values:
        return
    together = variant_metrics(result, values)
    for index in range(draws):
        moved = {path: float(column[index]) for path, column in values.items()}
        alone = simulate(asked, seed=seed, soc=result.soc.with_values(moved))
        for metric, expected in alone.summary().as_dict().items():
            found = together[metric][index]
            value = np.nan if expected is None else float(expected)
            assert found == pytest.approx(value, rel=1e-9, nan_ok=True), (index, metric)


@pytest.mark.parametrize("number", range(24))
def test_a_row_of_draws_is_a_run_on_that_device(number):
    assert_rows_equal(Scenario.from_mapping(scenario(number)))


HOT = [
    ["environment.ambient_c=41", "session.turns.0.output_tokens=600"],
    ["device=apple_a19_pro", "session.turns.0.output_tokens=1500", "environment.ambient_c=30"],
    [
        "environment.ambient_c=40",
        "session.turns=[{images_px: [[896, 896], [448, 448]], prompt_tokens: 500,"
        " output_tokens: 300}, {at_s: 40, output_tokens: 200}, {at_s: 70, fresh: true}]",
    ],
    [
        "device=snapdragon_8_elite",
        "environment.ambient_c=38",
        "environment.charging_heat_w=4.0",
        "session.turns.0.output_tokens=2500",
    ],
]


@pytest.mark.parametrize("changes", HOT)
def test_a_row_of_draws_is_a_run_that_governors_slow(changes):
    asked = load_scenario(None, changes)
    result = simulate(asked)
    spans = [span for times in result.groups for span in times.spans]
    assert any(span.changes or span.conditions.clock < 1.0 for span in spans)
    assert_rows_equal(asked, draws=4)


BESIDE = {
    "npu": ["environment.background=video_call"],
    "cpu": ["device=snapdragon_8_elite", "stack=llamacpp_cpu", "environment.background=video_call"],
    "waits": ["assume.dram.queueing=0.3", "environment.background=video_call"],
}
"""Other apps that ask for the same all the while."""


@pytest.mark.parametrize("changes", BESIDE.values(), ids=BESIDE)
def test_a_row_of_draws_is_a_run_beside_other_apps_and_needs_none(changes, monkeypatch):
    asked = load_scenario(None, [*changes, "session.turns=[{images_px: [[448, 448]]}]"])
    with monkeypatch.context() as alone:
        alone.setattr("sim.explore.alone.follow", lambda *_, **__: pytest.fail("by itself"))
        result = simulate(asked)
        variant_metrics(result, draw(result.soc, result.stack, DRAWS, 0))
    assert_rows_equal(asked)


def test_draws_that_throttle_beside_other_apps_are_runs_of_their_own(monkeypatch):
    changes = ["environment.background=video_call", "environment.ambient_c=38"]
    asked = load_scenario(None, [*changes, "session.turns.0.output_tokens=900"])
    apart = []
    monkeypatch.setattr(
        alone, "follow", lambda *args, **named: apart.append(0) or follow(*args, **named)
    )
    assert_rows_equal(asked, draws=6)
    assert 0 < len(apart) <= 6


def test_memory_of_other_apps_counts_in_every_draw():
    asked = load_scenario(None, [*LARGE, "session.turns=[{}]", GAME_LATER])
    result = simulate(asked)
    values = draw(result.soc, result.stack, 40, 0)
    fits = variant_metrics(result, values)["fits"]
    alone = [
        simulate(
            asked, soc=result.soc.with_values({name: col[i] for name, col in values.items()})
        ).fits
        for i in range(40)
    ]
    assert 0.0 < np.mean(alone) < 1.0
    assert fits.astype(bool).tolist() == alone


def test_numbers_of_scenarios_reach_everything():
    found = [scenario(number) for number in range(24)]
    assert {item["device"] for item in found} == {load_soc(item["device"]).id for item in found}
    for section, key in [
        ("deployment", "speculation"),
        ("deployment", "lora"),
        ("environment", "app_budget_bytes"),
        ("session", "clients"),
    ]:
        assert any(key in item[section] for item in found), key
    assert any(isinstance(item["environment"].get("background"), list) for item in found)
    assert any("eviction" in item["deployment"].get("kv_cache", {}) for item in found)


def test_clients_are_planned_once_for_each_shape_and_run_as_by_themselves(monkeypatch):
    client = {"turns": [TURN], "arrivals": CLOSED}
    session = {"until_s": 20, "clients": {"me": client}}
    asked = load_scenario(
        None, ["environment.background=video_call", f"session={json.dumps(session)}"]
    )
    planned = []
    monkeypatch.setattr(variants, "plan", lambda *a, **k: planned.append(a) or plan(*a, **k))
    monkeypatch.setattr(alone, "plan", lambda *_, **__: pytest.fail("planned by itself"))
    result = simulate(asked)
    values = draw(result.soc, result.stack, 20, 0)
    chunks = values["stacks.neuropilot.prefill_chunk_tokens"]
    variant_metrics(result, values)
    assert len(planned) == len(np.unique(chunks)) < 20
    assert_rows_equal(asked, draws=4)
