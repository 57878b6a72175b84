"""What people pasted and what it must come out as: one case per way in which a file went wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hw_models.soc import load_soc
from sim.errors import SimError
from sim.evidence.importers import import_measured
from sim.validation.judging import validate
from tests.unit.llama_tables import table


def test_prefill_at_a_depth_is_read_and_judged_at_that_depth(read):
    runs = read(table("CPU | pp512 | 220.00 ± 0.50", "CPU | pp512 @ d8192 | 90.00 ± 0.50"))
    assert [run.depth_tokens for run in runs] == [None, 8192]
    flat, deep = validate(runs, load_soc("snapdragon_8_elite")).rows
    assert deep.simulated < 0.6 * flat.simulated


@pytest.mark.parametrize(
    ("backend", "dev", "stack"),
    [
        ("OpenCL,HTP", "GPUOpenCL", "llamacpp_gpu"),
        ("OpenCL,HTP", "none", "llamacpp_cpu"),
        ("OpenCL,HTP", "HTP0", "llamacpp_hexagon"),
        ("Vulkan,CPU", "Vulkan0", "llamacpp_gpu"),
        ("MTL,BLAS", "auto", "llamacpp_gpu"),
        ("OpenCL,HTP", "auto", ""),
        ("OpenCL,HTP", "GPUOpenCL/HTP0", ""),
        ("HTP", "", "llamacpp_hexagon"),
    ],
)
def test_what_ran_is_the_device_and_not_what_was_built(read, backend, dev, stack):
    (run,) = read(table(f"{backend} | 99 | {dev} | tg64 | 12.00 ± 0.10", columns="ngl | dev"))
    assert run.stack == stack


def test_layers_on_two_units_are_no_question(read):
    none, few, every = read(
        table(*(f"OpenCL | {ngl} | tg64 | 9.0 ± 0.1" for ngl in (0, 5, 17)), columns="ngl")
    )
    assert none.stack == "llamacpp_cpu"
    assert "5 of 17 layers" in few.refusal
    assert every.stack == "llamacpp_gpu"
    (prefill,) = read(table("OpenCL | 0 | pp64 | 9.0 ± 0.1", columns="ngl"))
    assert prefill.stack == ""


@pytest.mark.parametrize("backend", ["RPC", "KleidiAI", "CANN", "WebGPU", "MUSA", "mystery", ""])
def test_a_backend_that_settles_no_stack_leaves_it_open(read, backend):
    (run,) = read(table(f"{backend} | tg64 | 10.00 ± 0.10"))
    assert run.stack == ""
    found = validate([run], load_soc("snapdragon_8_elite"))
    assert "--stack" in found.skipped[0].reason


def test_threads_batch_and_flash_attention_are_read(read):
    columns = "threads | n_batch | n_ubatch | fa"
    (run,) = read(table("CPU | 3 | 64 | 256 | 1 | pp512 | 99.0 ± 0.1", columns=columns))
    assert (run.threads, run.ubatch_tokens, run.flash_attention) == (3, 64, "on")


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("Q2_K - Medium", "q2_k_m"),
        ("Q3_K - Small", "q3_k_s"),
        ("Q3_K - Medium", "q3_k_m"),
        ("Q3_K - Large", "q3_k_l"),
        ("Q5_K - Small", "q5_k_s"),
        ("IQ1_M - 1.75 bpw", "iq1_m"),
        ("IQ2_S - 2.5 bpw", "iq2_s"),
        ("IQ3_XXS - 3.0625 bpw", "iq3_xxs"),
        ("IQ3_S mix - 3.66 bpw", "iq3_m"),
        ("IQ4_NL - 4.5 bpw", "iq4_nl"),
        ("IQ4_XS - 4.25 bpw", "iq4_xs"),
        ("TQ1_0 - 1.69 bpw ternary", "tq1_0"),
        ("MXFP4 MoE", "mxfp4"),
        ("NVFP4", "nvfp4"),
        ("Q1_0", "q1_0"),
        ("Q4_0_4_4", "q4_0_4_4"),
        ("Q4_0_4_8", "q4_0_4_8"),
        ("Q4_0_8_8", "q4_0_8_8"),
        ("BF16", "w16"),
        ("all F32", "f32"),
        ("mostly Q4_0", "q4_0"),
    ],
)
def test_every_file_type_of_gguf_settles_the_weights(read, name, weights):
    (run,) = read(table("CPU | tg64 | 14.0 ± 0.1").replace("Q4_0", name))
    assert run.weights == weights


def test_bits_per_weight_of_the_file_contradict_a_format(read):
    text = table("CPU | tg64 | 14.0 ± 0.1")
    assert not any("bits per weight" in w for w in read(text)[0].warnings)
    (run,) = read(text.replace("0.72 GiB", "2.30 GiB"))
    assert any("15.93 bits per weight, which contradicts q4_0" in w for w in run.warnings)


def test_the_number_of_weights_settles_what_the_name_leaves_open(read):
    text = table("CPU | tg64 | 40.0 ± 0.1", "CPU | tg64 | 8.0 ± 0.1")
    second = text.rsplit("llama 1B Q4_0 | 0.72 GiB | 1.24 B", 1)
    small, large = read("llama 8B Q4_0 | 4.33 GiB | 8.03 B".join(second))
    assert (small.model, large.model) == ("llama-3.2-1b", "")
    assert any("llama-3-8b or llama-3.1-8b" in warning for warning in large.warnings)


def test_keys_and_values_of_two_types_are_both_read(read):
    (run,) = read(table("CPU | q8_0 | q4_0 | tg64 | 9.0 ± 0.1", columns="type_k | type_v"))
    assert (run.kv_dtype, run.kv_value_dtype) == ("q8_0", "q4_0")


def test_a_row_that_a_unit_cannot_hold_costs_one_row(read):
    text = table("CPU | tg64 | 15.0 ± 0.1", "CPU | tg64 | 3.0 ± 0.1")
    first, last = text.rsplit("Q4_0", 1)
    runs = read(
        f"{first}all F32{last}".replace(
            "0.72 GiB | 1.24 B | CPU | tg64 | 3", "4.6 GiB | 1.24 B | CPU | tg64 | 3"
        )
    )
    found = validate(runs, load_soc("snapdragon_8_elite"))
    assert [row.run.id for row in found.rows] == ["f:1-tg64"]
    assert "precision" in found.skipped[0].reason


PLAIN = table("CPU | tg64 | 15.00 ± 0.10")


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.replace("±", "┬▒"),
        PLAIN.replace("±", "Â±"),
        PLAIN.replace("±", "\ufffd"),
        PLAIN.replace("±", "+/-"),
        PLAIN.replace("15.00 ± 0.10", "**15.00 ± 0.10**"),
        PLAIN.replace("15.00 ± 0.10", "15.00"),
        "\n".join(line.strip("| ") for line in PLAIN.splitlines()),
        "\n".join(f"> {line}" for line in PLAIN.splitlines()),
        "\n".join(line.strip("| ").replace(" | ", "\t") for line in PLAIN.splitlines()),
        PLAIN.replace("tg64", "tg 64"),
        PLAIN.replace("| llama", "\x1b[1m| llama").replace("15.00", "\x1b[32m15.00\x1b[0m"),
        "\n".join(f"04-02 10:11:12.345  1234  1234 I bench: {x}" for x in PLAIN.splitlines()),
        "ggml_opencl: device found\n```\n" + PLAIN + "```\nbuild: 8cf427ff (5163)\n",
        PLAIN.replace("\n", "\r\n"),
    ],
)
def test_a_table_is_read_however_it_was_pasted(read, text):
    (run,) = read(text)
    assert run.metrics == {"tokens_per_s": 15.0}
    assert (run.model, run.weights, run.stack) == ("llama-3.2-1b", "q4_0", "llamacpp_cpu")


def test_an_unreadable_row_costs_one_row(read):
    good, bad, cut = read(table("CPU | tg64 | 15.0 ± 0.1", "CPU | nonsense | 3", "CPU | tg6"))
    assert good.tokens_per_s == 15.0
    assert "line 4: a test must read like" in bad.refusal
    assert "line 5" in cut.refusal


def test_the_sql_of_the_compare_script_is_read(read):
    text = """
    CREATE TABLE IF NOT EXISTS llama_bench (model_type TEXT, backends TEXT, n_prompt INTEGER);
    INSERT INTO llama_bench (model_type, backends, n_prompt, n_gen, avg_ts)
    VALUES ('llama 3.2 1B Q4_0', 'CPU', '512', '0', '80.0');
    """
    (run,) = read(text)
    assert run.prefill_tokens_per_s == 80.0
    assert (run.model, run.weights) == ("llama-3.2-1b", "q4_0")


def test_two_runs_of_a_log_are_two_runs_each_with_its_backend(read):
    block = """./litert_lm_main --backend={unit} --benchmark
BenchmarkInfo:
  Time to first token: {first} s
    Prefill Turn 1: Processed 256 tokens in 4s duration.
      Prefill Speed: 64.00 tokens/sec.
    Decode Turn 1: Processed 128 tokens in 6s duration.
      Decode Speed: {rate} tokens/sec.
"""
    log = block.format(unit="cpu", first="4.00", rate="20.00")
    cpu, gpu = read(log + block.format(unit="gpu", first="0.20", rate="40.00"))
    assert (cpu.stack, cpu.tokens_per_s, cpu.time_to_first_token_s) == ("litert_cpu", 20.0, 4.0)
    assert (gpu.stack, gpu.tokens_per_s, gpu.time_to_first_token_s) == ("litert_gpu", 40.0, 0.2)
    assert (gpu.prompt_tokens, gpu.output_tokens) == (256, 128)


def test_turns_that_follow_one_another_in_one_cache_are_no_single_run(read):
    (run,) = read("""BenchmarkInfo:
  Prefill Turns (Total 2 turns):
    Prefill Turn 1: Processed 128 tokens in 100ms duration.
      Prefill Speed: 1280.00 tokens/sec.
    Prefill Turn 2: Processed 64 tokens in 100ms duration.
      Prefill Speed: 640.00 tokens/sec.
""")
    assert "2 turns share one cache" in run.refusal


def test_counts_and_backend_of_the_command_line_of_litert_are_read(read):
    (run,) = read("""Benchmarking model: gemma3-1b (gemma3-1b.litertlm)
Backend                    : cpu
Number of tokens in prefill: 1024
Number of tokens in decode : 64
Max number of tokens       : 4096
----- Results -----
Prefill speed:        200.00 tokens/s
Decode speed:         30.00 tokens/s
Init time:            1.0000 s
Time to first token:  5.1500 s
""")
    assert (run.stack, run.model) == ("litert_cpu", "gemma3-1b")
    assert (run.prompt_tokens, run.output_tokens, run.context_tokens) == (1024, 64, 4096)


def test_a_larger_cache_slows_the_processor_runs_of_litert_and_no_gpu_run(read):
    def judged(backend, tokens):
        (run,) = read(
            f"Benchmarking model: gemma3-1b (gemma3-1b.litertlm)\nBackend : {backend}\n"
            "Number of tokens in prefill: 256\nNumber of tokens in decode : 64\n"
            f"Max number of tokens : {tokens}\nPrefill speed: 200.00 tokens/s\n"
            "Decode speed: 30.00 tokens/s\n"
        )
        named = run.model_copy(update={"weights": "w4"})
        rows = validate([named], load_soc("snapdragon_8_elite")).rows
        return {row.metric: row.simulated for row in rows}

    small, large = judged("cpu", 2048), judged("cpu", 16384)
    assert all(large[metric] < 0.8 * small[metric] for metric in small)
    assert judged("gpu", 2048) == judged("gpu", 16384)


@pytest.mark.parametrize(
    "name",
    [
        *("tokenizer.decode", "image_decode", "decode_layer", "json decode", "decoder.layers.0"),
        *("vision_tower", "decode_jpeg", "prefill_mask", "aten::decode", "h264 decode"),
    ],
)
def test_a_word_in_a_name_is_no_phase(tmp_path, name):
    events = [("prefill", 0, 100_000), *((name, 200_000 + 1000 * step, 100) for step in range(3))]
    keys = ("name", "ts", "dur")
    path = tmp_path / "t.json"
    path.write_text(
        json.dumps(
            [{"ph": "X", "pid": 1, "tid": 1} | dict(zip(keys, e, strict=True)) for e in events]
        )
    )
    (run,) = import_measured(path)
    assert set(run.metrics) == {"time_to_first_token_s"}


def test_a_trace_that_was_never_closed_is_read(tmp_path):
    lines = [
        '{"name": "prefill", "ph": "X", "ts": 0, "dur": 100000, "pid": 1, "tid": 1}',
        '{"name": "decode", "ph": "X", "ts": 100000, "dur": 50000, "pid": 1, "tid": 1}',
        '{"name": "decode", "ph": "X", "ts": 150000, "dur": 50000, "pid": 1, "tid": 1}',
    ]
    for end in (",\n", '\n,{"name": "dec', "]"):
        path = tmp_path / "t.json"
        path.write_text("[\n" + ",\n".join(lines) + end)
        assert import_measured(path)[0].tokens_per_s == pytest.approx(20.0)


def test_two_times_of_one_call_are_one_call(read):
    columns = ("Msg Timestamp", "Message", "Time", "Unit of Measurement", "Timing Source")
    header = ",".join((*columns, "Event Level", "Event Identifier"))
    text = f"""{header}
1,EXECUTE,2600,US,BACKEND,ROOT,QNN accelerator (execute) time
2,EXECUTE,2400,US,BACKEND,ROOT,Accelerator (execute) time
3,NODE,1000,CYCLES,BACKEND,SUB-EVENT,matmul:OpId_1 (cycles)
"""
    (run,) = read(text)
    assert run.samples["inference_s"] == (pytest.approx(2.4e-3),)
    assert run.operators[0].duration_s == pytest.approx(2.4e-3)


def test_a_reply_of_one_token_has_no_rate_and_leaves_the_others_alone(read):
    def query(tokens: int, rate: float) -> dict[str, Any]:
        return {
            "type": "GenieDialog_query",
            "num-prompt-tokens": {"value": 40},
            "num-generated-tokens": {"value": tokens},
            "prompt-processing-rate": {"value": 300.0},
            "token-generation-rate": {"value": rate},
        }

    events = [query(20, 12.0), query(1, 0.0)]
    both, one = read(json.dumps({"components": [{"events": events}]}))
    assert both.metrics == {"prefill_tokens_per_s": 300.0, "tokens_per_s": 12.0}
    assert one.metrics == {"prefill_tokens_per_s": 300.0}
    assert any("one token" in warning for warning in one.warnings)


def test_mnn_prints_one_table_and_llama_another(read):
    (run,) = read(
        "| model | modelSize | backend | threads | precision | llm_demo | speed(tok/s) |\n"
        "| --- | --- | --- | --- | --- | --- | --- |\n"
        "| Qwen2.5-0.5B-MNN | 400.00 MiB | CPU | 4 | Low | prompt=512<br>decode=128 |"
        " 300.00 ± 0.50<br>50.00 ± 0.20 |\n"
    )
    assert (run.source_format, run.stack, run.threads) == ("mnn-bench", "mnn_cpu", 4)
    assert run.metrics == {"prefill_tokens_per_s": 300.0, "tokens_per_s": 50.0}
    assert (run.prompt_tokens, run.output_tokens) == (512, 128)


def test_the_prompt_rate_of_mediatek_counts_whole_chunks(read):
    log = "Prompt token count: 200\nPrompt Mode: 512.0 tok/s\nGenerative Mode: 14.5 tok/s\n"
    assert read(log)[0].prefill_tokens_per_s == pytest.approx(512.0 * 200 / 256)


def test_a_file_of_rows_of_which_none_can_be_read_is_refused(read):
    with pytest.raises(SimError, match="line 3"):
        read(table("CPU | nonsense | 3"))


def test_results_that_the_gallery_copies_are_read_one_after_another(read):
    gpu, cpu = read((FIXTURES / "edge_gallery_csv.csv").read_text())
    assert (gpu.stack, gpu.model, gpu.prompt_tokens) == ("litert_gpu", "gemma3-1b", 256)
    assert gpu.metrics == {
        "prefill_tokens_per_s": 812.5,
        "tokens_per_s": 41.25,
        "time_to_first_token_s": 0.34,
    }
    assert (cpu.stack, cpu.tokens_per_s) == ("litert_cpu", 21.25)


FIXTURES = Path(__file__).parents[1] / "fixtures" / "imports"
PRINTS = (
    "ollama.txt",
    "mllm.log",
    "edge_gallery.txt",
    "mnn_demo.log",
    "rkllm.log",
    "llama_perf.log",
)


@pytest.mark.parametrize("name", PRINTS)
def test_no_cut_of_a_print_gives_a_value_that_the_print_does_not_hold(tmp_path, name):
    text = (FIXTURES / name).read_text()
    path = tmp_path / "cut.txt"
    path.write_text(text)
    whole = {pair for run in import_measured(path) for pair in run.metrics.items()}
    for end in range(0, len(text), 3):
        path.write_text(text[:end])
        try:
            runs = import_measured(path)
        except SimError:
            continue
        assert {pair for run in runs for pair in run.metrics.items()} <= whole, text[:end][-40:]
