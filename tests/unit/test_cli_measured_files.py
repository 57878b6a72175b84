"""Measured files on the command line: what logs leave open is given, and what came out is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import sim
from sim import evidence
from sim.errors import SimError
from sim.evidence.given import Given, filled
from sim.evidence.importers.own_csv import column_mapping
from sim.evidence.measured import MeasuredRun

FIXTURES = Path(__file__).parents[1] / "fixtures" / "imports"
EXHIBIT = Path(__file__).parents[2] / "validation_data" / "host_epyc_zen4"
PHONE = ("--device", "snapdragon_8_elite")


def judged(andesim, *arguments):
    outcome = andesim("validate", *arguments, "--json")
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


def test_a_log_that_names_no_model_is_judged_on_the_one_given(andesim):
    log = FIXTURES / "genie.json"
    alone = andesim("validate", log, *PHONE, "--json")
    assert alone.code == 1  # no row could be judged
    reason = json.loads(alone.out)["skipped"][0]["reason"]
    assert "--model" in reason
    assert "--weights" in reason
    rows = judged(andesim, log, *PHONE, "--model", "llama-3.2-3b", "--weights", "w4")["rows"]
    assert {row["metric"] for row in rows} >= {"tokens_per_s", "time_to_first_token_s"}


def test_what_is_given_never_overrules_a_row():
    run = MeasuredRun(id="a", model="qwen3-4b", weights="q4_0")
    assert filled(run, Given("smollm2-135m", "genie", "w8")) == run.model_copy(
        update={"stack": "genie"}
    )


def test_what_is_given_and_fills_no_row_is_refused(andesim):
    outcome = andesim("validate", FIXTURES / "llama_bench.json", *PHONE, "--stack", "genie")
    assert outcome.code == 2
    assert "--stack must fill a row" in outcome.err
    assert "llamacpp_cpu" in outcome.err


def test_foreign_columns_are_renamed(andesim):
    columns = ("run name=id", "net=model", "TG (tok/s)=tokens_per_s", "comment=notes")
    renames = [part for column in columns for part in ("--column", column)]
    given = ("--stack", "genie", "--weights", "w4")
    rows = judged(andesim, FIXTURES / "vendor.csv", *PHONE, *renames, *given)["rows"]
    assert [(row["id"], row["measured"]) for row in rows] == [("r1", 18.5), ("r2", 18.1)]


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        ("tokens_per_s", "theirs=ours"),
        ("TG=tokens_per_sec", "tokens_per_s"),
        ("=model", "theirs=ours"),
    ],
)
def test_a_rename_that_cannot_be_is_refused(pair, words):
    with pytest.raises(SimError, match=words):
        column_mapping([pair])


def test_a_column_name_may_hold_the_sign():
    assert column_mapping(["a=b=model"]) == {"a=b": "model"}


def test_the_same_row_twice_is_refused(andesim):
    log = FIXTURES / "llama_bench.json"
    outcome = andesim("validate", log, log, *PHONE)
    assert outcome.code == 2
    assert "must be unique over all files" in outcome.err


def test_the_answer_comes_first_and_in_words(andesim):
    text = andesim("validate", FIXTURES / "llama_bench.json", *PHONE).out
    first, second = text.splitlines()[:2]
    assert first.startswith("- snapdragon_8_elite with llamacpp_cpu: prefill_tokens_per_s 1 row,")
    assert "tokens_per_s 2 rows, mean error " in first
    assert "1 of 1 inside the 80 % intervals (100%)" in first
    assert second == "- 1 row was skipped; the reason stands below."
    assert "- 1 row (llama_bench:4-pp512+tg128): the row holds no metric" in text
    assert "cannot be split" in text
    assert "Next: fit llamacpp_cpu, which is furthest off: andesim calibrate" in text


@pytest.mark.parametrize(("share", "said"), [(1.02, "nothing to fit"), (1.6, "fit llamacpp_cpu")])
def test_rows_as_near_as_published_figures_scatter_ask_for_no_fit(andesim, tmp_path, share, said):
    asked = {"device": PHONE[1], "stack": "llamacpp_cpu", "model": "qwen3-0.6b"}
    turn = {"prompt_tokens": 128, "output_tokens": 32}
    weights = {"weights": {"body": "q4_0"}}
    run = sim.simulate(set={**asked, "session": {"turns": [turn]}, "deployment": weights})
    path = tmp_path / "mine.csv"
    row = {
        "id": "a",
        **asked,
        "weights": "q4_0",
        **turn,
        "tokens_per_s": run["tokens_per_s"] * share,
    }
    path.write_text("\n".join(",".join(map(str, line)) for line in (row, row.values())))
    assert f"Next: {said}" in andesim("validate", path).out


def test_nothing_judged_is_said_and_shows_no_empty_table(andesim):
    outcome = andesim("validate", FIXTURES / "executorch.log", *PHONE)
    assert outcome.code == 1
    assert outcome.out.startswith("No row could be judged.")
    assert "MAPE" not in outcome.out


RAN = "id,device,stack,model,weights,prompt_tokens,time_to_first_token_s,peak_dram_bytes\n"
WRONG_UNITS = "a,snapdragon_8_gen_3,llamacpp_cpu,smollm2-135m,q4_0,128,300,90\n"


def test_numbers_far_off_are_a_matter_of_units_and_nothing_is_fitted_to_them(andesim, tmp_path):
    path = tmp_path / "m.csv"
    path.write_text(RAN + WRONG_UNITS)
    told = andesim("validate", path).out
    assert "mean error" not in told
    assert "calibrate" not in told
    assert "off by a factor of" in told
    assert "- 1 row (a): peak_dram_bytes of 90 is a factor of" in told
    kept = andesim("evidence", "add", path, "-o", tmp_path / "set")
    assert kept.code == 2
    assert "time_to_first_token_s of 300 is a factor of" in kept.err
    assert "peak_dram_bytes of 90 must be at least the" in kept.err


def test_calibrating_takes_what_the_log_leaves_open(andesim, tmp_path):
    out = tmp_path / "mine.yaml"
    given = ("--model", "llama-3.2-3b", "--weights", "w4")
    outcome = andesim("calibrate", FIXTURES / "genie.json", *PHONE, *given, "-o", out)
    assert outcome.code == 0, outcome.err
    assert "kind: fitted" in out.read_text()


def test_options_that_a_measurement_leaves_no_use_for_are_refused(andesim, tmp_path):
    measured = EXHIBIT / "smollm2-135m.measurement.json"
    judged = andesim("validate", measured, "--device", EXHIBIT / "device.yaml", "--out", tmp_path)
    assert (judged.code, list(tmp_path.iterdir())) == (2, [])
    assert "--out must go with files of other tools." in judged.err
    fitted = andesim("calibrate", measured, "--weights", "w4", "-o", tmp_path / "device.yaml")
    assert (fitted.code, list(tmp_path.iterdir())) == (2, [])


BENCH = """\
| model | size | params | backend | ngl | dev | test | t/s |
| --- | --: | --: | --- | --: | --- | --: | --: |
| llama 1B Q4_0 | 0.72 GiB | 1.24 B | OpenCL,HTP | 99 | GPUOpenCL | tg64 | 31.00 ± 0.10 |
| llama 8B Q4_0 | 4.33 GiB | 8.03 B | OpenCL,HTP | 99 | none | tg64 | 9.00 ± 0.10 |
"""


@pytest.fixture
def bench(tmp_path):
    path = tmp_path / "bench.md"
    path.write_text(BENCH)
    return path


def test_a_model_never_fills_a_row_that_has_another_number_of_weights(andesim, bench):
    found = judged(andesim, bench, *PHONE, "--model", "llama-3.2-1b")
    assert [(row["id"], row["model"]) for row in found["rows"]] == [
        ("bench:1-tg64", "llama-3.2-1b")
    ]
    assert "contradicts --model llama-3.2-1b" in found["skipped"][0]["reason"]
    found = judged(andesim, bench, *PHONE, "--model", "llama-3.1-8b")
    assert [row["model"] for row in found["rows"]] == ["llama-3.2-1b", "llama-3.1-8b"]


def test_a_stack_overrules_what_was_concluded_from_its_unit(andesim, bench):
    found = judged(andesim, bench, *PHONE, "--stack", "mnn_gpu", "--model", "llama-3.1-8b")
    assert [row["stack"] for row in found["rows"]] == ["mnn_gpu", "llamacpp_cpu"]


def test_a_file_that_names_its_chip_is_judged_on_it_or_refused(andesim, tmp_path):
    tests = [{"n_prompt": 0, "n_gen": 64, "avg_ts": 30.0, "cpu_info": "Snapdragon 8 Gen 3"}]
    named = {"model_filename": "Llama-3.2-1B-Instruct-Q4_0.gguf", "backends": "CPU"}
    path = tmp_path / "bench.json"
    path.write_text(json.dumps([named | test for test in tests]))
    assert judged(andesim, path)["rows"][0]["device"] == "snapdragon_8_gen_3"
    outcome = andesim("validate", path, *PHONE)
    assert outcome.code == 2
    assert "contradicts --device snapdragon_8_elite" in outcome.err
    path.write_text(path.read_text().replace("Snapdragon 8 Gen 3", "Apple A99"))
    assert "'Apple A99'" in andesim("validate", path, *PHONE).err
    path.write_text(path.read_text().replace("Apple A99", "Qualcomm Oryon"))
    assert judged(andesim, path, *PHONE)["rows"][0]["device"] == "snapdragon_8_elite"


def test_importing_writes_a_csv_that_is_judged_alike(andesim, bench, tmp_path):
    out = tmp_path / "runs.csv"
    given = (*PHONE, "--model", "llama-3.1-8b")
    outcome = andesim("import", bench, "-o", out, *given)
    assert outcome.code == 0, outcome.err
    assert "2 rows of llama-bench" in outcome.err
    first, second = (judged(andesim, file, *given[: 4 * (file == bench)]) for file in (bench, out))
    values = [[(row["id"], row["simulated"]) for row in found["rows"]] for found in (first, second)]
    assert values[0] == [(name, pytest.approx(value, rel=1e-9)) for name, value in values[1]]


def test_a_file_is_a_table_from_python(bench):
    table = evidence.read(bench)
    frame = table.to_frame()
    assert frame["stack"].tolist() == ["llamacpp_gpu", "llamacpp_cpu"]
    assert frame["model"][0] == "llama-3.2-1b"
    assert frame["model"].isna().tolist() == [False, True]
    assert "llama-3.1-8b" in frame["warnings"][1][0]
    assert evidence.read(bench)[0].tokens_per_s == 31.0
    assert "tokens_per_s" in str(table)
    assert sim.evidence.read is evidence.read


NAMED = "id,device,stack,model,weights,prompt_tokens,tokens_per_s\n"


def test_every_wrong_name_of_a_row_is_told_at_once(andesim, tmp_path):
    path = tmp_path / "m.csv"
    path.write_text(NAMED + "a,snapdragon_8_gen3,llamacp_cpu,llama3.2-3b,q40,256,11\n")
    reason = json.loads(andesim("validate", path, "--json").out)["skipped"][0]["reason"]
    for name in ("snapdragon_8_gen_3", "llamacpp_cpu", "llama-3.2-3b", "q4_0"):
        assert f"Did you mean '{name}'?" in reason


def test_the_name_of_a_phone_is_no_device_id(andesim, tmp_path):
    path = tmp_path / "m.csv"
    path.write_text(NAMED + "a,Galaxy S24,,llama-3.2-3b,q4_0,256,11\n")
    given = ("--device", "snapdragon_8_gen_3", "--stack", "llamacpp_cpu")
    told = andesim("validate", path, *given)
    assert told.code == 2
    assert "the row's device 'Galaxy S24' is no device id. Galaxy S24: exynos_2400 or" in told.err
    assert "--stack" not in told.err


def test_ollama_names_its_models_and_runs_llama_cpp(andesim):
    given = (*PHONE, "--model", "llama3.2:3b", "--weights", "q4_k_m")
    told = andesim("validate", FIXTURES / "ollama.txt", *given).out
    assert "give one with --stack, of llamacpp_" in told
    assert "litert" not in told
    rows = judged(andesim, FIXTURES / "ollama.txt", *given, "--stack", "llamacpp_cpu")["rows"]
    assert {row["model"] for row in rows} == {"llama-3.2-3b"}


@pytest.mark.parametrize("name", ["device.csv", "device"])
def test_a_device_that_is_fitted_needs_the_ending_it_is_known_by(andesim, tmp_path, name):
    outcome = andesim("calibrate", FIXTURES / "genie.json", "-o", tmp_path / name)
    assert outcome.code == 2
    assert "-o must end in .yaml" in outcome.err
    assert not (tmp_path / name).exists()


def test_what_import_writes_is_a_csv(tmp_path, andesim):
    outcome = andesim("import", "runs.json", "-o", tmp_path / "r.json")
    assert outcome.code == 2
    assert "-o must end in .csv" in outcome.err
