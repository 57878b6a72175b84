"""Text as spreadsheets, pages, consoles and servers hand it on comes out as it was printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sim.evidence.importers import import_measured
from tests.unit.llama_tables import MODEL, table


@pytest.mark.parametrize(
    "text",
    [
        "id;device;tokens_per_s\na;snapdragon_8_elite;24,5\n",
        "sep=;\nid;device;tokens_per_s\na;snapdragon_8_elite;24,5\n",
        "id\tdevice\ttokens_per_s\na\tsnapdragon_8_elite\t24.5\n",
        "ID, Device, Tokens_per_s\na,snapdragon_8_elite,24.5\n",
        "# of today\nid,device,tokens_per_s\n# warm\na,snapdragon_8_elite,24.5\n",
        "id,device,threads,tokens_per_s\na,snapdragon_8_elite,n/a,24.5\n",
        'sep=,\r\n"id","device","tokens_per_s"\r\n"a","snapdragon_8_elite","24.5"\r\n',
    ],
)
def test_the_csv_is_read_as_spreadsheets_write_it(read, text):
    (run,) = read(text)
    assert (run.id, run.device, run.tokens_per_s) == ("a", "snapdragon_8_elite", 24.5)


def test_a_line_between_two_rows_ends_no_table_and_another_table_does(read):
    rows = ("CPU | pp512 | 90.00 ± 0.10", "CPU | tg64 | 20.00 ± 0.10")
    first, second = table(*rows).rsplit("| llama", 1)
    runs = read(f"{first}main: error: failed to create context\n| llama{second}")
    assert [run.metrics for run in runs] == [{"prefill_tokens_per_s": 90.0}, {"tokens_per_s": 20.0}]
    cells = "| a | b | c | d | e | f |\n"
    other = f"\nSomething else:\n{cells}|---|---|---|---|---|---|\n{cells}"
    assert len(read(table(*rows) + other)) == 2


def test_a_number_that_the_text_ends_in_may_go_on(read):
    whole, cut = read(table("CPU | pp512 | 90.00 ± 0.10") + f"| {MODEL} | CPU | tg64 | 2")
    assert whole.metrics == {"prefill_tokens_per_s": 90.0}
    assert "must be whole" in cut.refusal


@pytest.mark.parametrize("sign", ["&plusmn;", "&#177;", "\u202f±\u2009", "\u200b ±"])
def test_signs_that_pages_put_into_a_table_cost_nothing(read, sign):
    (run,) = read(table("CPU | tg64 | 20.00 ± 0.10").replace(" ±", f" {sign}"))
    assert run.tokens_per_s == 20.0


@pytest.mark.parametrize("order", ["utf-16", "utf-16-le", "utf-16-be"])
def test_two_bytes_a_sign_are_read_with_a_mark_and_without(tmp_path, order):
    path = tmp_path / "console.txt"
    path.write_bytes(table("CPU | tg64 | 20.00 ± 0.10").encode(order))
    assert import_measured(path)[0].tokens_per_s == 20.0


MLX_RUN = "$ mlx_lm.generate --model {}\nPrompt: 12 tokens, 90.0 tokens-per-sec\n"
MLX_RUN += "Generation: 99 tokens, {} tokens-per-sec\nPeak memory: 0.6 GB\n"


def test_what_stands_before_a_run_is_of_that_run(read):
    text = MLX_RUN.format("Qwen3-0.6B-4bit", 70.5) + MLX_RUN.format("Llama-3.2-1B-4bit", 40.5)
    runs = read(text)
    assert [(run.model, run.tokens_per_s) for run in runs] == [
        ("qwen3-0.6b", 70.5),
        ("llama-3.2-1b", 40.5),
    ]
    perf = "general.name = {}\nn_threads = 4\n       eval time = 5.0 ms / {} runs\n"
    small, large = read(perf.format("Qwen3 0.6B", 99) + perf.format("Llama 3.2 1B", 50) + "\n")
    assert (small.model, small.output_tokens) == ("qwen3-0.6b", 99)
    assert (large.model, large.output_tokens) == ("llama-3.2-1b", 50)


def test_the_last_event_of_a_stream_holds_the_timings_and_drafts_are_no_decode_rate(read):
    timings = {"prompt_n": 20, "prompt_ms": 100.0, "predicted_n": 100, "predicted_ms": 2000.0}
    timings |= {"prompt_per_second": 200.0, "predicted_per_second": 50.0}
    events = [{"choices": [{"delta": {"content": "a"}}]}, {"choices": [], "timings": timings}]
    stream = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
    (run,) = read(stream)
    assert run.metrics == {"prefill_tokens_per_s": 200.0, "tokens_per_s": 50.0}
    (drafted,) = read(json.dumps({"timings": timings | {"draft_n": 80, "draft_n_accepted": 60}}))
    assert drafted.metrics == {"prefill_tokens_per_s": 200.0}
    assert any("drafted tokens" in warning for warning in drafted.warnings)


def test_a_quote_that_is_never_closed_costs_its_row_and_no_other(read):
    first, third, second = read('id,tokens_per_s,notes\na,1.5,x\nb,2.5,"open\nc,3.5,y\n')
    assert (first.tokens_per_s, third.tokens_per_s) == (1.5, 3.5)
    assert "must be CSV" in second.refusal


FIXTURES = Path(__file__).parents[1] / "fixtures" / "imports"
PROFILES = ("ai_hub.json", "qnn_viewer.txt", "executorch_inspector.txt", "litert_profile.txt")


@pytest.mark.parametrize("name", PROFILES)
def test_two_profiles_of_one_file_are_two_runs(read, name):
    text = (FIXTURES / name).read_text()
    (one,) = read(text)
    first, second = read(f"{text}\n{text}")
    assert [run.operators for run in (first, second)] == [one.operators] * 2
    assert first.metrics == second.metrics == one.metrics
    assert first.id != second.id


def test_a_graph_is_timed_by_its_average_and_each_graph_alone(read):
    block = "Execute Stats ({}):\nGraph 0 (a):\n Backend (Accelerator (execute) time): {} us\n"
    text = "".join(block.format(*pair) for pair in (("Average", 40), ("Min", 30), ("Max", 90)))
    (run,) = read(text)
    assert run.samples["inference_s"] == (pytest.approx(4e-5),)
    other = "Graph 1 (b):\n Backend (Accelerator (execute) time): 70 us\n"
    found = [run.inference_s for run in read(block.format("Average", 40) + other)]
    assert found == pytest.approx([4e-5, 7e-5])


def test_nodes_of_a_profile_count_once_and_those_of_the_start_do_not(read):
    text = (FIXTURES / "litert_profile.txt").read_text()
    (one,) = read(text)
    heading = "Operator-wise Profiling Info for Regular Benchmark Runs:\n"
    nodes = text.split("Timings")[0].removeprefix(heading)
    by_time = nodes.replace("Run Order", "Top by Computation Time")
    start = f"Profiling Info for Benchmark Initialization:\n{nodes}"
    timings = "Timings (microseconds): count=50 avg=2050\n"
    (again,) = read(f"{start}{heading}{nodes}{by_time}{timings}")
    assert again.operators == one.operators


def test_what_a_gpu_run_of_mnn_calls_threads_is_none():
    on_cpu, *_, on_gpu = import_measured(FIXTURES / "mnn_bench.md")
    assert (on_cpu.threads, on_gpu.stack, on_gpu.threads) == (4, "mnn_gpu", None)


def test_a_reply_of_one_token_has_no_rate_and_costs_its_prompt_nothing(read):
    (run,) = read(
        "prompt eval time = 520.00 ms / 26 tokens ( 20.00 ms per token, 50.00 tokens per second)\n"
        "       eval time =   0.00 ms /  1 runs   (  0.00 ms per token,   inf tokens per second)\n"
    )
    assert run.metrics == {"prefill_tokens_per_s": 50.0}
    assert any("no decode rate" in warning for warning in run.warnings)


@pytest.mark.parametrize(
    ("one", "other"),
    [("|", "│"), ("| model |", "| MODEL |"), ("| t/s |", "| T/S |"), ("± 0.10", "± 0.10 t/s")],
)
def test_a_table_may_be_drawn_and_spelt_otherwise(read, one, other):
    (run,) = read(table("CPU | tg64 | 20.00 ± 0.10").replace(one, other))
    assert run.tokens_per_s == 20.0


def test_a_word_of_a_tool_that_looks_like_a_unit_is_none(read):
    test = {"model_filename": "Llama-3.2-1B-Q4_0.gguf", "n_prompt": 8, "n_gen": 0, "avg_ts": 9.0}
    (run,) = read(json.dumps([test | {"my__layers": 3, "n__prompt": 9}]))
    assert (run.prefill_tokens_per_s, run.prompt_tokens) == (9.0, 8)
