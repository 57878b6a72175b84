"""What people write in Python: one run, its draws, its sweep, what it rests on."""

import subprocess
import sys

import pytest

import sim
from sim.errors import SimError
from sim.metrics import METRICS

SMALL = {"model": "smollm2-135m", "session": {"turns": [{"prompt_tokens": 64, "output_tokens": 8}]}}
PROMPT = "session.turns.0.prompt_tokens"


@pytest.fixture(scope="module")
def result():
    return sim.simulate(set=SMALL)


def test_a_scenario_may_be_given_in_every_form(result, tmp_path):
    file = tmp_path / "asked.yaml"
    file.write_text(f"device: dimensity_9500\nmodel: smollm2-135m\nsession: {SMALL['session']}\n")
    forms = [result.scenario, {"device": "dimensity_9500", **SMALL}, str(file), file]
    assert {sim.simulate(form).fingerprint for form in forms} == {result.fingerprint}


def test_a_device_may_be_given_in_every_form(result):
    soc = sim.load_soc("dimensity_9300")
    found = [sim.simulate(result.scenario, device=one) for one in (soc, "dimensity_9300")]
    found.append(sim.simulate(result.scenario, soc=soc))
    assert len({run["decode_s"] for run in found}) == 1
    assert found[0]["decode_s"] != result["decode_s"]


def test_two_devices_are_one_too_many(result):
    with pytest.raises(SimError, match="one device"):
        sim.simulate(result.scenario, device="dimensity_9300", soc="dimensity_9500")


def test_a_setting_is_an_override(result):
    longer = sim.simulate(result.scenario, set={PROMPT: 200})
    assert longer["prefill_s"] > result["prefill_s"]


def test_print_is_what_the_command_line_prints(result):
    sets = [f"--set=model={SMALL['model']}", f"--set=session={SMALL['session']}"]
    command = [sys.executable, "-m", "sim", "simulate", *sets]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert str(result).split() == done.stdout.split()


def test_print_names_what_lists_the_sources(result, tmp_path):
    file = tmp_path / "my phone.yaml"
    file.write_text("extends: dimensity_9500\nid: mine\nname: Mine\n")
    of_file = f"`andesim devices '{file}'` gives each its source"
    assert "`andesim devices dimensity_9500` gives each its source" in str(result)
    assert of_file in str(sim.simulate(set={**SMALL, "device": str(file)}))
    assert "`result.sources()` gives each" in str(sim.simulate(set=SMALL, device=file))


def test_repr_is_one_short_line(result):
    assert repr(result).startswith("<Result smollm2-135m on dimensity_9500 (neuropilot): time_to")
    assert len(repr(result)) < 200


def test_a_row_of_draws_is_a_run_on_its_device(result):
    draws = result.draws(6, seed=2)
    assert len(draws) == len(draws["tokens_per_s"]) == 6
    for index, device in enumerate(draws.devices):
        alone = sim.simulate(result.scenario, device=device)
        for name in ("tokens_per_s", "energy_j", "load_s", "max_skin_c", "peak_dram_bytes"):
            assert draws[name][index] == pytest.approx(alone[name], rel=1e-9), name
    assert draws.to_frame()["tokens_per_s"].equals(draws["tokens_per_s"])


def test_drawn_devices_are_those_of_draws(result):
    drawn = sim.draw("dimensity_9500", 3, seed=2)
    path = "dram.energy"
    assert [soc.parameters()[path].value for soc in drawn] == [
        soc.parameters()[path].value for soc in result.draws(3, seed=2).devices
    ]
    with pytest.raises(IndexError, match="0 to 2"):
        drawn[3]


def test_an_exact_device_has_draws_that_are_all_alike():
    exact = sim.simulate(set=SMALL, device="ideal_85gbps_50tflops")
    assert set(exact.draws(3)["tokens_per_s"]) == {exact["tokens_per_s"]}


def test_a_sweep_is_a_frame(result):
    table = sim.sweep(result.scenario, {PROMPT: [64, 200], "deployment.weights.body": ["w4", "x"]})
    assert len(table) == 4
    good = table[table["error"].isna()]
    assert len(good) == 2
    assert good["tokens_per_s"].notna().all()
    assert "x" in table["error"].dropna().iloc[0]


def test_a_metric_added_after_a_sweep_is_a_column_of_it(result):
    table = sim.sweep(result.scenario, {PROMPT: [64, 200], "deployment.weights.body": ["w4", "x"]})
    rows = table.sort_values(PROMPT, ascending=False).reset_index(drop=True)

    @sim.metric(unit="tokens", words="tokens in the cache, twice")
    def twice_the_cache(facts):
        return 2 * facts.kv_tokens

    try:
        found = rows["twice_the_cache"]
        with pytest.raises(KeyError):
            rows["no_metric"]
    finally:
        METRICS.pop("twice_the_cache")
    good = rows["error"].isna()
    assert found[good].tolist() == [2 * (200 + 7), 2 * (64 + 7)]  # the last token is read by none
    assert found[~good].isna().all()
    assert "twice_the_cache" in rows
    assert "twice_the_cache" not in table


def test_a_bad_axis_names_the_path(result):
    with pytest.raises(SimError, match="dotted path"):
        sim.sweep(result.scenario, {"session.turns.0.prompt_token": [1]})


def test_what_a_run_rests_on_has_sources(result):
    sources = result.sources()
    assert {"value", "unit", "kind", "source"} <= set(sources.columns)
    assert "dram.rate" in sources.index
    assert sources["source"].str.len().min() > 3


def test_one_measured_file_is_given_as_it_is_or_in_a_list(tmp_path):
    file = tmp_path / "mine.csv"
    header = "id,device,stack,model,weights,prompt_tokens,output_tokens,tokens_per_s\n"
    file.write_text(header + "a,dimensity_9500,llamacpp_cpu,qwen3-0.6b,q4_0,64,64,80\n")
    found = [sim.validate(given).rows for given in (str(file), file, [file])]
    assert [[row.run.id for row in rows] for rows in found] == [["a"]] * 3


def test_size_and_compare_take_what_simulate_takes(result):
    found = sim.size(result.scenario, ["tokens_per_s>1"], free={PROMPT: [64]})
    assert found.meeting
    longer = {**SMALL, "device": "dimensity_9300"}
    assert sim.compare(result.scenario, longer).sentence()
