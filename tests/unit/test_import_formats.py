import contextlib
import csv
import json
import math
from pathlib import Path

import pytest

from sim.errors import SimError
from sim.evidence.importers import (
    chrome_trace,
    import_measured,
    importers,
    registry,
)
from sim.evidence.importers.cleaning import cleaned
from sim.evidence.measured import write_measured

FIXTURES = Path(__file__).parents[1] / "fixtures" / "imports"
GOOD = sorted(
    path
    for path in FIXTURES.iterdir()
    if not path.stem.endswith(("_truncated", "_absurd")) and path.name != "vendor.csv"
)
ABSURD = sorted(path for path in FIXTURES.iterdir() if path.stem.endswith("_absurd"))
TRUNCATED = sorted(path for path in FIXTURES.iterdir() if path.stem.endswith("_truncated"))


def load(name, **options):
    return import_measured(FIXTURES / name, **options)


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.name)
def test_a_real_file_is_detected_by_exactly_one_importer_before_the_generic_one(path):
    text = cleaned(path.read_text())
    sniffed = [name for name, importer in importers().items() if importer.sniff(text)]
    runs = import_measured(path)
    assert runs
    assert runs[0].source_format == sniffed[0]
    assert sniffed[1:] in ([], ["chrome-trace"])


@pytest.mark.parametrize("path", ABSURD, ids=lambda path: path.name)
def test_an_absurd_file_is_refused_with_a_reason_and_its_name(path):
    with pytest.raises(SimError) as caught:
        import_measured(path)
    assert all(line.startswith(str(path)) for line in str(caught.value).splitlines())
    assert "Got" in str(caught.value)


@pytest.mark.parametrize("path", TRUNCATED, ids=lambda path: path.name)
def test_of_a_truncated_file_only_what_is_whole_is_read(path):
    whole = import_measured(path.with_name(path.name.replace("_truncated", "")))
    found = []
    with contextlib.suppress(SimError):
        found = import_measured(path)
    values = {(name, value) for run in whole for name, value in run.metrics.items()}
    values |= {("inference_s", 0.0026)}  # the other time of the call, where the first is cut off
    if path.stem.startswith("mlx_lm"):  # a trial stands for the mean that is cut off
        values |= {("prefill_tokens_per_s", 199.0), ("tokens_per_s", 19.9)}
    assert {(name, value) for run in found for name, value in run.metrics.items()} <= values


def test_every_importer_has_a_real_a_truncated_and_an_absurd_file():
    stems = {path.stem for path in FIXTURES.iterdir()}
    prefixes = {name: name.replace("-", "_") for name in importers()}
    prefixes |= {"csv": "runs", "qnn-csv": "qnn"}
    for prefix in prefixes.values():
        assert {prefix, f"{prefix}_truncated", f"{prefix}_absurd"} <= stems


@pytest.mark.parametrize("suffix", ["json", "jsonl", "csv", "md"])
def test_llama_bench_says_the_same_in_each_of_its_outputs(suffix):
    prompt, generation, deep = load(f"llama_bench.{suffix}")[:3]
    assert prompt.id == "llama_bench:1-pp512"
    assert prompt.metrics == {"prefill_tokens_per_s": 128.4}
    assert prompt.prompt_tokens == 512
    assert generation.metrics == {"tokens_per_s": 18.25}
    assert (generation.prompt_tokens, generation.output_tokens) == (1, 128)
    assert (deep.prompt_tokens, deep.depth_tokens, deep.tokens_per_s) == (1, 4096, 13.4)
    assert {(r.model, r.weights, r.stack) for r in (prompt, generation, deep)} == {
        ("qwen3-4b", "q4_0", "llamacpp_cpu")
    }


def test_llama_bench_keeps_raw_samples_and_does_not_split_a_mixed_rate():
    runs = load("llama_bench.json")
    assert runs[0].samples["prefill_tokens_per_s"] == (127.1, 128.9, 129.2)
    assert runs[0].kv_dtype == "fp16"
    assert runs[3].metrics == {}
    assert runs[3].samples["mixed_tokens_per_s"] == (52.1, 51.6, 52.3)


def test_llama_bench_tables_warn_of_a_wide_spread():
    assert any("31%" in warning for warning in load("llama_bench.md")[2].warnings)


def test_log_lines_before_json_are_skipped(tmp_path):
    noisy = tmp_path / "noisy.txt"
    noisy.write_text("ggml: found 1 device\n" + (FIXTURES / "llama_bench.json").read_text())
    assert len(import_measured(noisy)) == 4


def test_executorch_rates_follow_from_the_stamps():
    run = load("executorch.log")[0]
    assert run.prefill_tokens_per_s == pytest.approx(54 / 0.130)
    assert run.tokens_per_s == pytest.approx(36 / 0.679)
    assert run.time_to_first_token_s == pytest.approx(0.130)
    assert "tokeniser" in run.definitions["time_to_first_token_s"]


def test_executorch_runs_of_one_log_are_numbered(tmp_path):
    log = tmp_path / "two.log"
    log.write_text((FIXTURES / "executorch.log").read_text() * 2)
    assert [run.id for run in import_measured(log)] == ["two:run1", "two:run2"]


def test_litert_lm_block():
    run = load("litert_lm.log")[0]
    assert run.metrics == {
        "prefill_tokens_per_s": 145.37,
        "tokens_per_s": 11.0,
        "time_to_first_token_s": 7.14,
    }
    assert (run.prompt_tokens, run.output_tokens) == (1024, 256)
    assert "synthetic" in run.definitions["time_to_first_token_s"]


def test_litert_lm_log_lines_take_the_last_block():
    run = load("litert_lm_sink.log")[0]
    assert (run.prefill_tokens_per_s, run.tokens_per_s) == (1876.5, 44.57)
    assert (run.stack, run.peak_dram_bytes) == ("litert_gpu", 1450 * 2**20)


@pytest.mark.parametrize("printed", ["-1", "0"])
def test_litert_lm_memory_that_was_not_watched_is_missing(printed):
    log = f"Prefill speed: 220.5 tokens/s\nPeak system ram usage: {printed}MB.\n"
    assert importers()["litert-lm"].read(log)[0].metrics == {"prefill_tokens_per_s": 220.5}


def test_a_first_token_time_of_zero_is_missing():
    run = load("litert_lm.textproto")[0]
    assert run.time_to_first_token_s is None
    assert any("time_to_first_token_s is 0" in warning for warning in run.warnings)


def test_litert_lm_command_line_form(tmp_path):
    log = tmp_path / "cli.txt"
    log.write_text("Prefill speed:        220.50 tokens/s\nDecode speed:         0.69 tokens/s\n")
    assert import_measured(log)[0].metrics == {"prefill_tokens_per_s": 220.5, "tokens_per_s": 0.69}


def test_genie_units_are_read_from_the_file():
    run = load("genie.json")[0]
    assert run.time_to_first_token_s == pytest.approx(0.082)
    assert (run.prefill_tokens_per_s, run.tokens_per_s) == (1561.4, 28.03)
    assert (run.stack, run.prompt_tokens, run.output_tokens) == ("genie", 128, 127)


def test_ai_hub_compares_one_graph_with_one_graph():
    run = load("ai_hub.json")[0]
    assert run.samples["inference_s"][0] == pytest.approx(8.333e-3)
    assert run.metrics == {"inference_s": pytest.approx(8.345e-3)}
    assert "14450688" in run.notes
    assert run.operators[0][:2] == ("Conv2d", 1)
    assert any("1 on CPU" in warning for warning in run.warnings)


def test_qnn_nodes_share_the_time_of_the_accelerator():
    run = load("qnn.csv")[0]
    assert run.samples["inference_s"] == pytest.approx((0.0040, 0.0041))
    assert sum(operator.duration_s for operator in run.operators) == pytest.approx(0.0081)
    assert [operator.name for operator in run.operators] == ["MatMul_1", "Softmax_1"]


def test_chrome_trace_phases_and_self_times():
    run = load("chrome_trace.json")[0]
    assert run.tokens_per_s == pytest.approx(20.0)
    assert run.time_to_first_token_s == pytest.approx(0.008)
    assert run.vision_encode_s == pytest.approx(0.002)
    own = {operator.name: operator for operator in run.operators}
    assert own["matmul"].duration_s == pytest.approx(20 * 0.030)
    assert own["block"].duration_s == pytest.approx(20 * 0.010)
    assert own["sample"].duration_s == pytest.approx(25e-6)
    assert own["matmul"].unit == "NPU"


def test_kineto_operators_nest_and_annotations_are_phases():
    run = load("kineto.json")[0]
    names = {operator.name: operator.calls for operator in run.operators}
    assert names["aten::linear"] == names["aten::addmm"] == 4
    assert "decode" not in names
    assert run.output_tokens == 4
    assert len(run.samples["tokens_per_s"]) == 3
    assert all(operator.duration_s >= 0.0 for operator in run.operators)


def traced(tmp_path, *slices, **top):
    """Import a trace of (name, category, start us, duration us) slices of one thread."""
    keys = ("name", "cat", "ts", "dur")
    events = [{"ph": "X", "pid": 1, "tid": 1, **dict(zip(keys, s, strict=True))} for s in slices]
    path = tmp_path / "trace.json"
    path.write_text(json.dumps({**top, "traceEvents": events}))
    return import_measured(path)[0]


def test_of_nested_slices_of_one_phase_the_outermost_counts(tmp_path):
    run = traced(
        tmp_path,
        ("vision encoder", "", 0, 100),
        ("vision_block.0", "", 10, 40),
        ("prefill", "", 100, 300),
        ("decoder.layers.0", "", 110, 50),
    )
    assert run.vision_encode_s == pytest.approx(100e-6)
    assert run.time_to_first_token_s == pytest.approx(400e-6)
    assert run.tokens_per_s is None
    assert {operator.name for operator in run.operators} == {"decoder.layers.0", "vision_block.0"}


def test_one_decode_slice_does_not_say_how_many_tokens_it_holds(tmp_path):
    run = traced(tmp_path, ("prefill", "", 0, 10), ("decode", "", 10, 1000))
    assert run.tokens_per_s is None
    assert any("single decode slice" in warning for warning in run.warnings)


def test_kineto_annotations_of_a_gpu_count_before_those_of_its_host(tmp_path):
    run = traced(
        tmp_path,
        *(("decode", "user_annotation", 1000 * step, 10) for step in range(4)),
        *(("decode", "gpu_user_annotation", 1000 * step, 500) for step in range(4)),
        schemaVersion=1,
    )
    assert run.source_format == "kineto"
    assert run.tokens_per_s == pytest.approx(2000.0)


def test_a_mapping_does_not_go_with_another_format():
    with pytest.raises(SimError, match="must go with format 'csv'"):
        load("vendor.csv", format="kineto", mapping={"net": "model"})


def test_a_column_mapping_reads_any_csv():
    mapping = {"run name": "id", "net": "model", "TG (tok/s)": "tokens_per_s"}
    runs = load("vendor.csv", mapping=mapping)
    assert [(run.id, run.model, run.tokens_per_s) for run in runs] == [
        ("r1", "qwen3-4b", 18.5),
        ("r2", "qwen3-4b", 18.1),
    ]


def test_an_unknown_format_is_told_what_was_seen_and_what_is_supported():
    with pytest.raises(SimError, match="header 'run name,net") as caught:
        load("vendor.csv")
    assert all(name in str(caught.value) for name in importers())
    assert "--column 'TTFT (ms)=time_to_first_token_s'; they are id, device," in str(caught.value)


def test_a_format_can_be_forced_and_a_misspelt_one_is_corrected():
    assert load("kineto.json", format="chrome-trace")[0].source_format == "chrome-trace"
    with pytest.raises(SimError, match="Did you mean 'kineto'"):
        load("kineto.json", format="kinetto")


def test_a_rate_above_the_ceiling_is_refused():
    load("genie.json", ceiling=lambda run: 40.0)
    with pytest.raises(SimError, match="must not exceed 20"):
        load("genie.json", ceiling=lambda run: 20.0)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "empty file"),
        (b"hello", "text that begins with 'hello'"),
        (b'{"a": 1}', "JSON with the keys 'a'"),
        (b"[1, 2]", "JSON, a list"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"[" * 100_000, "must be"),
        (b"\x80\x04\x95cos\nsystem\n(S'true'\ntR.", "must be text. Got a binary file"),
        (b"PK\x03\x04\x14\x00\x06\x00[Content_Types].xml", "binary file, such as a spreadsheet"),
    ],
)
def test_other_files_are_refused_with_what_they_look_like(tmp_path, raw, reason):
    path = tmp_path / "file"
    path.write_bytes(raw)
    with pytest.raises(SimError, match=reason):
        import_measured(path)


def test_a_file_above_the_size_limit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "SIZE_LIMIT_BYTES", 10)
    (tmp_path / "big").write_bytes(b"x" * 11)
    with pytest.raises(SimError, match="at most 10 bytes"):
        import_measured(tmp_path / "big")


def test_text_in_utf_16_as_powershell_writes_it_is_read(tmp_path):
    path = tmp_path / "powershell.json"
    path.write_text((FIXTURES / "genie.json").read_text(), encoding="utf-16")
    assert import_measured(path)[0].tokens_per_s == 28.03


def test_a_csv_row_stays_what_it_was():
    with (FIXTURES / "runs.csv").open(newline="") as stream:
        row = next(csv.DictReader(stream))
    run = load("runs.csv")[0]
    assert run.notes == row["notes"]
    assert run.image_px == ((1080, 2400),)
    assert math.isclose(run.time_to_first_token_s, float(row["time_to_first_token_s"]))


def test_a_qnn_node_of_no_cycles_takes_no_time():
    header = (
        "Msg Timestamp,Message,Time,Unit of Measurement,Timing Source,Event Level,Event Identifier"
    )
    rows = (
        "1,NULL,100,US,BACKEND,ROOT,Accelerator (execute) time",
        "1,NODE,0,CYCLES,BACKEND,SUB-EVENT,relu:OpId_1",
        "1,NODE,50,CYCLES,BACKEND,SUB-EVENT,conv:OpId_2",
    )
    run = importers()["qnn-csv"].read("\n".join((header, *rows)))[0]
    times = {operator.name: operator.duration_s for operator in run.operators}
    assert times == pytest.approx({"conv": 1e-4, "relu": 0.0})


def test_a_nested_phase_does_not_count_beside_another_track():
    def decode(track: int, start_us: float, duration_us: float) -> dict[str, object]:
        return {
            "ph": "X",
            "name": "decode",
            "pid": 1,
            "tid": track,
            "ts": start_us,
            "dur": duration_us,
        }

    events = [decode(1, 0, 100), decode(2, 10, 50), decode(1, 20, 10), decode(1, 200, 100)]
    assert chrome_trace.read(json.dumps(events))[0].output_tokens == 4


def test_a_llama_bench_test_of_no_tokens_is_refused():
    with pytest.raises(SimError, match="test must have n_prompt or n_gen above 0"):
        importers()["llama-bench"].read('[{"n_prompt": 0, "n_gen": 0, "avg_ts": 5.0}]')


@pytest.mark.parametrize("name", ["llama_bench.json", "sweep_bench.md", "genie.json", "qnn.csv"])
def test_what_is_imported_is_read_again_from_the_csv_it_is_written_as(name, tmp_path):
    runs = load(name)
    path = tmp_path / "runs.csv"
    path.write_text(write_measured(runs))
    again = import_measured(path)
    kept = ("id", "stack", "model", "weights", "prompt_tokens", "depth_tokens", "ubatch_tokens")
    for run, back in zip(runs, again, strict=True):
        assert back.metrics == run.metrics
        assert [getattr(back, field) for field in kept] == [getattr(run, field) for field in kept]
        assert (back.warnings, back.refusal, back.notes) == (run.warnings, run.refusal, run.notes)


@pytest.mark.parametrize("sign", [",", ";"])
def test_a_table_of_llama_bench_that_a_spreadsheet_saved_is_read_as_the_table(read, sign):
    table = (FIXTURES / "llama_bench.md").read_text(encoding="utf-8")
    lines = [line for line in table.splitlines() if line.startswith("| ") and "---" not in line]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    saved = "\n".join(sign.join(row) for row in cells)
    numbers = [(run.id, run.tokens_per_s, run.prefill_tokens_per_s) for run in read(saved)]
    assert numbers == [(run.id, run.tokens_per_s, run.prefill_tokens_per_s) for run in read(table)]
    padded = f"{saved}\nbuild: 8cf427ff (5163){sign * (len(cells[0]) - 1)}\n"
    assert len(read(padded)) == len(numbers)
