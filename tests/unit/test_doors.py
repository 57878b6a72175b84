"""What a package outside the repository adds by entry points, without a change to ours.

The package lies in ``tests/fixtures/outside`` beside its ``dist-info``, as an installer leaves it.
Some of its entries are broken on purpose: they must be named, and cost nothing else.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

import dashboard.options
from dashboard.options import options
from hw_models import cost_laws, soc
from hw_models import plugins as hw_plugins
from hw_models.errors import HardwareError
from hw_models.soc import load_soc
from sim import load_scenario, simulate
from sim.engine.maxplus import step_seconds
from sim.engine.pricing import Pricing
from sim.evidence.importers import registry
from sim.explore.sweep_steps import step_seconds_by_context
from sim.planning import plan
from workloads import plugins, weight_formats
from workloads.errors import WorkloadError
from workloads.eviction_policies import EVICTION_POLICIES
from workloads.scenario import Scenario

OUTSIDE = Path(__file__).parents[1] / "fixtures" / "outside"
FOUND_ONCE = (
    *(plugins._installed, hw_plugins._installed, plugins.entries, hw_plugins.entries),
    hw_plugins.packages,
    *(cost_laws.cost_law, registry.importers),
    *(weight_formats._plugged_in, weight_formats._by_id, weight_formats.catalogue),
    soc._load_known,
)
TEXT = "session.turns.0={prompt_tokens: 1024, output_tokens: 32}"
POLICY = "deployment.kv_cache.eviction={policy: %s}"
ATTENTION = "scaled_dot_product_attention"


@pytest.fixture(autouse=True)
def outside(monkeypatch):
    """The outside package, installed for one test."""
    monkeypatch.syspath_prepend(OUTSIDE)
    for found in FOUND_ONCE:
        found.cache_clear()
    yield
    for found in FOUND_ONCE:
        found.cache_clear()


def with_law(tmp_path, law, rate="10 TFLOP/s"):
    """A device whose attention takes the seconds of a law."""
    number = {"value": rate, "low": "1 GFLOP/s", "high": "40 TFLOP/s"}
    named = {"law": law}
    if rate:
        named["constants"] = {"rate": {**number, "kind": "assumed", "source": "ideal"}}
    path = tmp_path / f"{law}.yaml"
    device = {
        "extends": "ideal_85gbps_50tflops",
        "id": "with_law",
        "stacks": {"ideal": {"laws": {ATTENTION: named}}},
    }
    path.write_text(yaml.safe_dump(device))
    return path


def test_a_fingerprint_covers_the_versions_of_other_packages(monkeypatch):
    asked = load_scenario(None, ["model=smollm2-135m", TEXT])
    found = simulate(asked).fingerprint
    assert hw_plugins.packages()
    with monkeypatch.context() as alone:
        alone.setattr("sim.fingerprint.packages", tuple)
        assert simulate(asked).fingerprint != found


def test_an_eviction_policy_of_another_package_runs_and_is_written_back():
    asked = load_scenario(None, [TEXT, POLICY % "half, most: 256"])
    kept, all_tokens = simulate(asked).summary(), simulate(load_scenario(None, [TEXT])).summary()
    assert kept.kv_tokens_final == 256
    assert kept.dram_read_bytes <= all_tokens.dram_read_bytes
    written = asked.model_dump(mode="json", exclude_defaults=True)
    assert written["deployment"]["kv_cache"]["eviction"] == {"policy": "half", "most": 256}
    assert Scenario.from_mapping(written) == asked


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("half, most: 0", "deployment.kv_cache.eviction.most must be greater than or equal to 1"),
        ("half, mots: 9", "eviction.mots is not a known key. Did you mean 'most'"),
        ("halv", "eviction.policy must be one of its known values. Got 'halv'. .*'half'"),
        (
            "broken_policy",
            "'broken_policy' of outside must name an importable Eviction. Got Runt",
        ),
        (
            "not_a_policy",
            "'not_a_policy' of outside must name an importable Eviction. Got Cost",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:andesim.eviction_policies entry")
def test_faults_of_a_policy_of_another_package_are_sentences(given, sentence):
    with pytest.raises(WorkloadError, match=sentence):
        load_scenario(None, [POLICY % given])


def test_names_of_policies_are_listed_without_loading_any():
    assert {"okv", "half", "broken_policy"} <= set(EVICTION_POLICIES.names())


def test_a_draft_method_of_another_package_streams_its_table():
    method = "deployment.speculation={method: %s, acceptance: {alpha: 0.7}}"
    oracle = simulate(load_scenario(None, [TEXT, method % "oracle, table_parameters: 80000000"]))
    lookup = simulate(load_scenario(None, [TEXT, method % "ngram"]))
    assert oracle.summary().tokens_per_step == lookup.summary().tokens_per_step
    streamed = oracle.summary().dram_read_bytes - lookup.summary().dram_read_bytes
    steps = oracle.summary().decode_steps
    assert streamed == pytest.approx(steps * 80_000_000 * 4 / 8, rel=0.1)


def test_weight_formats_of_another_package_are_found_by_file_and_by_rule():
    assert weight_formats.get_format("outside_w6").traffic_bits == 6.0
    assert weight_formats.get_format("fifths9").traffic_bits == pytest.approx(1.8)
    assert simulate(load_scenario(None, ["deployment.weights.body=outside_w6"])).summary().fits


def test_a_broken_entry_is_left_out_of_lists_with_one_sentence():
    with pytest.warns(UserWarning, match="entry 'broken_formats' of outside must name") as told:
        listed = weight_formats.catalogue()
    assert {"outside_w6", "fifths7", "w4_g128"} <= set(listed)
    assert len(told) == 1


def test_an_importer_of_another_package_reads_its_files(tmp_path):
    (tmp_path / "file").write_text("outside 12.5")
    with pytest.warns(UserWarning, match="'broken_importer' of outside must name"):
        [run] = registry.import_measured(tmp_path / "file")
    assert run.tokens_per_s == 12.5


def test_devices_of_another_package_are_found_beside_a_broken_one():
    with pytest.warns(UserWarning, match="'broken_devices' of outside"):
        assert load_soc("outside_phone").name == "A phone of another package"


def test_a_stack_runs_an_operator_by_a_law_of_another_package(tmp_path):
    """Four FLOPs per query, key and channel of each head, keys padded to 64, over the rate."""
    device = load_soc(with_law(tmp_path, "padded_heads", "10 TFLOP/s"))
    scenario = load_scenario(None, ["model=qwen3-0.6b", TEXT])
    decode = next(g for g in plan(scenario, device, 0).program.groups if g.phase == "decode")
    [attention] = [task for task, _ in decode.tasks() if task.operator == ATTENTION]
    found = Pricing(device, device.stack()).task(attention, "decode")
    keys = 64 * np.ceil((1025 + np.arange(decode.steps)) / 64)
    assert found.compute_s * found.tiles == pytest.approx(4 * 16 * 128 * keys / 10e12, rel=1e-9)


def test_the_constants_of_a_law_are_parameters_of_the_device(tmp_path):
    device = load_soc(with_law(tmp_path, "padded_heads"))
    path = f"stacks.ideal.laws.{ATTENTION}.constants.rate"
    assert device.parameters()[path].value == 10e12
    assert device.with_overrides({path: "2 TFLOP/s"}).parameters()[path].value == 2e12
    (tmp_path / "again.yaml").write_text(device.to_yaml())
    assert load_soc(tmp_path / "again.yaml") == device


@pytest.mark.parametrize("law", ["padded_heads", "unknown_jumps"])
def test_sweeps_do_not_draw_a_line_across_the_jumps_of_a_law(tmp_path, law):
    device = load_soc(with_law(tmp_path, law, "50 GFLOP/s"))
    asked = [f"device={with_law(tmp_path, law, '50 GFLOP/s')}", "model=qwen3-0.6b"]
    scenario = load_scenario(
        None, [*asked, "session.turns.0={prompt_tokens: 100, output_tokens: 900}"]
    )
    pricing = Pricing(device, device.stack())
    group = next(g for g in plan(scenario, device, 0).program.groups if g.phase == "decode")
    every = step_seconds(pricing.group(group))
    assert step_seconds_by_context(pricing, group) == pytest.approx(every, rel=1e-9)
    assert np.unique(np.diff(every) > 1e-3 * every[0]).size == 2, "it jumps, and not every step"


@pytest.mark.parametrize(
    ("law", "rate", "sentence"),
    [
        ("padded_head", "1 TFLOP/s", "law must be the name of a cost law.*'padded_heads'"),
        ("padded_heads", "1 GB", "constants rate must be a quantity in FLOP/s. Got '1 GB'"),
        ("padded_heads", None, "constants rate must be a mapping with value, kind"),
        ("backwards", "1 TFLOP/s", "constants must be constants of the law. Got 'rate'"),
        ("broken_law", "1 TFLOP/s", "'broken_law' of outside must name an importable CostLaw"),
    ],
)
def test_a_law_that_a_stack_names_wrongly_is_refused(tmp_path, law, rate, sentence):
    with pytest.raises(HardwareError, match=sentence):
        load_soc(with_law(tmp_path, law, rate))


def test_a_law_that_returns_no_seconds_is_named(tmp_path):
    with pytest.raises(HardwareError, match="'backwards' must return seconds for each step"):
        simulate(load_scenario(None, [TEXT, f"device={with_law(tmp_path, 'backwards', None)}"]))


def command(*arguments):
    """A command of a process of its own, with the outside package installed."""
    return subprocess.run(
        [sys.executable, "-m", "sim", *arguments],
        env={**os.environ, "PYTHONPATH": str(OUTSIDE)},
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip


def test_a_metric_of_another_package_is_in_the_answer_beside_a_broken_one():
    told = command("simulate", "--json")
    metrics = json.loads(told.stdout)["metrics"]
    assert metrics["outside_reply_s"] == pytest.approx(
        metrics["time_to_first_token_s"] + metrics["decode_s"], rel=1e-9
    )
    [line] = told.stderr.splitlines()
    assert line.startswith("andesim: andesim.metrics entry 'broken_metric' of outside must name")


def test_the_dashboard_offers_every_policy_that_can_be_loaded():
    dashboard.options._shipped.cache_clear()  # what was known before the package came
    with pytest.warns(UserWarning, match="broken_"):
        offered = set(options("dimensity_9500")["eviction"])
    dashboard.options._shipped.cache_clear()
    assert offered == {*EVICTION_POLICIES.shipped, "half"}


def test_the_command_line_names_a_broken_entry_in_one_line():
    told = command("formats", "--json")
    assert "outside_w6" in told.stdout
    [line] = told.stderr.splitlines()
    assert line.startswith("andesim: andesim.weight_formats entry 'broken_formats' of outside must")
