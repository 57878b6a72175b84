"""What the printing code of runtimes writes, and how tables reach us: a case per misreading."""

from __future__ import annotations

import contextlib
import json

import pytest

from sim.errors import SimError
from sim.evidence.importers import import_measured
from tests.unit.llama_tables import table

PLAIN = table("CPU | tg64 | 15.00 ± 0.10")


def with_lines(text: str, before: str) -> str:
    """Return text with something before each of its lines."""
    return "".join(f"{before}{line}\n" for line in text.splitlines())


@pytest.mark.parametrize(
    "text",
    [
        with_lines(PLAIN, "2026-04-02 10:11:12.345  1234  1240 I my tag  : "),
        with_lines(PLAIN, "I/llama   ( 1234): "),
        "Here are mine:\n\n" + with_lines(PLAIN, "> "),
        PLAIN.replace("15.00 ± 0.10", "15,00 ± 0,10"),
        PLAIN.replace("t/s |", "**t/s** |").replace("| model", "| **model**"),
        PLAIN.replace(" | CPU", " |\u00a0CPU"),
        with_lines(PLAIN, "    "),
    ],
)
def test_a_table_out_of_a_thread_or_a_log_is_read(read, text):
    (run,) = read(text)
    assert run.metrics == {"tokens_per_s": 15.0}


def test_a_byte_of_another_code_page_costs_nothing(tmp_path):
    for encoding in ("latin-1", "utf-16", "utf-8-sig"):
        path = tmp_path / "f.txt"
        path.write_bytes(PLAIN.encode(encoding))
        assert import_measured(path)[0].tokens_per_s == 15.0


def test_thousands_are_told_from_decimals_where_that_is_possible(read):
    (run,) = read(PLAIN.replace("15.00 ± 0.10", "1,015.00 ± 0.10"))
    assert run.tokens_per_s == 1015.0
    with pytest.raises(SimError, match="1,015"):
        read(PLAIN.replace("15.00 ± 0.10", "1,015 ± 1"))


@pytest.mark.parametrize(
    ("name", "said", "stack"),
    [
        ("Q4_0", "build: 1234abcd (3500)", "llamacpp_cpu_2024"),
        ("Q4_0", "build: 1234abcd (4100)", "llamacpp_cpu"),
        ("Q4_0", "build: 1234abcd (5163)", "llamacpp_cpu"),
        ("Q4_0_4_4", "build: 1234abcd (3500)", "llamacpp_cpu"),
    ],
)
def test_a_build_without_repacked_weights_is_another_stack(read, name, said, stack):
    (run,) = read(PLAIN.replace("Q4_0", name) + f"\n{said}\n")
    assert (run.stack, run.release) == (stack, "1234abcd")


def test_two_tables_have_each_its_build(read):
    text = f"{PLAIN}\nbuild: aaaaaaa (5000)\n\n{PLAIN}\nbuild: bbbbbbb (5100)\n"
    assert [run.release for run in read(text)] == ["aaaaaaa", "bbbbbbb"]


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("repack", False, ("llamacpp_cpu_2024", "were not repacked", "")),
        ("load_mode", "mmap", ("llamacpp_cpu", "mmap", "")),
        ("use_mmap", True, ("llamacpp_cpu", "mmap", "")),
        ("use_mmap", False, ("llamacpp_cpu", "", "")),
    ],
)
def test_how_weights_lie_in_memory_changes_the_run_or_is_said(read, key, value, expected):
    test = {"n_prompt": 512, "n_gen": 0, "avg_ts": 60.0, "backends": "CPU"}
    (run,) = read(json.dumps([test | {"model_filename": "Llama-3.2-1B-Q4_0.gguf", key: value}]))
    stack, said, refusal = expected
    assert (run.stack, run.refusal) == (stack, refusal)
    assert any(said in warning for warning in run.warnings) == bool(said)


@pytest.mark.parametrize("column", ["nkvo", "ncmoe", "ot"])
def test_what_stays_on_the_cpu_beside_a_gpu_is_no_question(read, column):
    (run,) = read(table("OpenCL | 99 | 1 | tg64 | 9.0 ± 0.1", columns=f"ngl | {column}"))
    assert column in run.refusal


PERF = """\
prompt eval time =     500.00 ms /   100 tokens (    5.00 ms per token,   200.00 tokens per second)
       eval time =    1000.00 ms /    20 runs   (   50.00 ms per token,    20.00 tokens per second)
"""


def test_a_build_without_a_gpu_offloads_nothing_whatever_it_says(read):
    (run,) = read(f"""\
load_tensors: offloaded 17/17 layers to GPU
load_tensors:   CPU_Mapped model buffer size =   462.96 MiB
load_tensors:   CPU_REPACK model buffer size =    28.05 MiB
{PERF}""")
    assert run.stack == "llamacpp_cpu"


def test_a_log_of_loading_says_what_the_run_was_started_with(read):
    (run,) = read(f"""\
llama_kv_cache: size =  448.00 MiB (  4096 cells,  28 layers), K (q8_0):  224.00 MiB, V (f16): 2 MiB
llama_context: flash_attn    = enabled
llama_context: n_ubatch      = 256
system_info: n_threads = 5 (n_threads_batch = 5) / 8 | CPU : NEON = 1
{PERF}""")
    assert (run.kv_dtype, run.kv_value_dtype) == ("q8_0", "fp16")
    assert (run.flash_attention, run.ubatch_tokens, run.threads) == ("on", 256, 5)


def test_a_sweep_keeps_the_settings_above_its_table(read):
    head = "n_kv_max = 18432, n_batch = 2048, n_ubatch = 256, flash_attn = 1, n_threads = 8"
    columns = "| PP | TG | B | N_KV | T_PP s | S_PP t/s | T_TG s | S_TG t/s |\n"
    one, many = read(
        f"main: {head}, n_gpu_layers = 0\n\n{columns}"
        "| 512 | 128 | 1 | 640 | 0.5 | 1024.0 | 1.28 | 100.0 |\n"
        "| 512 | 128 | 8 | 5120 | 0.5 | 8058.8 | 1.86 | 549.8 |\n"
    )
    assert (one.threads, one.ubatch_tokens, one.flash_attention) == (8, 256, "on")
    assert one.depth_tokens is None
    assert "8 sequences" in many.refusal


def test_a_sweep_without_its_settings_is_read(read):
    (run,) = read(
        "|    PP |     TG |   N_KV |   T_PP s | S_PP t/s |   T_TG s | S_TG t/s |\n"
        "|-------|--------|--------|----------|----------|----------|----------|\n"
        "|   512 |    128 |      0 |    5.000 |   102.40 |    6.000 |    21.33 |\n"
    )
    assert run.metrics == {"prefill_tokens_per_s": 102.4, "tokens_per_s": 21.33}


@pytest.mark.parametrize(
    "text",
    [
        "Hot swapping to 00t model...\n" + "[Latency]\nPrompt Mode: 512 tok/s\n",
        "Done analyzing prompt in 1e308s (1e308 tok/s)\nPrompt Mode: 1e308 tok/s\n",
        "model params     = 1..2 B\n" + PERF,
        "| model | modelSize | backend | test | t/s |\n|-|-|-|-|-|\n"
        "| a | 1 MiB | CPU | pp5+tg5 | 1..2 ± 3 |\n",
        "decode tokens num = 5\nvision time = 1..2 s\ndecode speed = 5 tok/s\n",
        '{"pp": 5, "tg": 5, "n_kv": 0, "n_ubatch": "\u00b2", "speed_pp": 5.0, "speed_tg": 5.0}',
    ],
)
def test_numbers_that_are_none_are_refused_in_a_sentence(read, text):
    with contextlib.suppress(SimError):
        assert all(run.refusal or run.metrics for run in read(text))


LATENCY = "[Latency]\n      Prompt Mode: 512 tok/s\n  Generative Mode: {} tok/s\n"
PROMPT = (
    "=========== Processing the {0}-th input. ===========\n"
    "Done analyzing prompt in {1}s (512 tok/s)\n"
)
MEAN = "\n[Average Performance among the given 2 prompts]\n" + LATENCY.format(14.5)[10:]


def test_every_prompt_of_mediateks_tool_is_a_run_and_their_mean_is_none(read):
    first = PROMPT.format(0, 0.25) + LATENCY.format(14)
    second = PROMPT.format(1, 0.5) + LATENCY.format(15)
    runs = read(first + second + MEAN)
    assert [(run.prompt_tokens, run.tokens_per_s) for run in runs] == [(128, 14.0), (256, 15.0)]
    (alone,) = read(MEAN)
    assert alone.tokens_per_s == 14.5
    assert any("means over the prompts" in warning for warning in alone.warnings)


@pytest.mark.parametrize(
    "text",
    [
        "================ Accepted Lengths ================\nAverage: 2.31\n" + LATENCY.format(30),
        "Benchmarking model: a (a.litertlm)\nBackend                    : gpu\n"
        "Speculative decoding       : true\nPrefill speed:        512.00 tokens/s\n"
        "Decode speed:         60.00 tokens/s\nTime to first token:  0.3 s\n",
    ],
)
def test_a_rate_of_drafted_tokens_is_not_judged_as_decode(read, text):
    (run,) = read(text)
    assert set(run.metrics) == {"prefill_tokens_per_s"}
    assert any("drafted tokens" in warning for warning in run.warnings)


def test_what_a_vision_tower_takes_is_no_prefill_of_the_language_model(read):
    (run,) = read("""\
\x1b[36m
============== Performance Summary ===============
\x1b[0mPrefill total time  : \x1b[33m     2.000 s\x1b[0m ( 50.00 tokens/s)
LLM prefill time    :      0.500 s (200.00 tokens/s)
Decode time         :      2.500 s ( 20.00 tokens/s)
Prefill tokens      :        100
Decode steps        :         50
""")
    assert run.metrics == {
        "prefill_tokens_per_s": 200.0,
        "tokens_per_s": 20.0,
        "vision_encode_s": 1.5,
    }


def test_one_rate_of_prompt_and_reply_is_not_split(read):
    (run,) = read(
        "| model | modelSize | backend | threads | precision | test | t/s |\n"
        "| - | - | - | - | - | - | - |\n"
        "| Qwen2.5-0.5B-MNN | 400.00 MiB | CPU | 4 | Low | pp512+tg128 | 90.00 ± 0.50 |\n"
    )
    assert run.metrics == {}
    assert any("cannot be split" in warning for warning in run.warnings)


@pytest.mark.parametrize(
    ("chip", "device"),
    [
        ("MediaTek Dimensity 9400+", ""),
        ("Apple M4 Pro", ""),
        ("Snapdragon® 8 Elite Gen 5", "snapdragon_8_elite_gen_5"),
        ("QUALCOMM Adreno(TM) 830 (OpenCL 3.0 Adreno(TM) 830)", "snapdragon_8_elite"),
        ("s5e9945", "exynos_2400"),
    ],
)
def test_a_chip_is_the_one_that_is_named_and_no_near_one(read, chip, device):
    test = {"n_prompt": 0, "n_gen": 64, "avg_ts": 30.0, "cpu_info": chip, "backends": "CPU"}
    (run,) = read(json.dumps([test | {"model_filename": "Llama-3.2-1B-Q4_0.gguf"}]))
    assert run.device == device
