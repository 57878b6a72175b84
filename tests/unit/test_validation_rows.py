"""From a measured row to a judged one: scenarios, scores, skips, intervals, physics."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw_models.soc import SocSpec, load_soc
from sim import simulate
from sim.calibration.rows import observations, observe
from sim.charts.data import parity_chart
from sim.engine.times import span_s
from sim.evidence.measured import MeasuredRun
from sim.evidence.questions import CannotSimulate, scenario_of_run
from sim.validation.intervals import interval_80
from sim.validation.judging import Judged, Validation, scores, validate
from sim.validation.roofline import floor_seconds, impossible, measured_seconds
from sim.validation.tables import document, row_table, table


@pytest.fixture(scope="module")
def phone() -> SocSpec:
    return load_soc("snapdragon_8_elite")


def row(**fields: Any) -> MeasuredRun:
    defaults = {"id": "r1", "model": "llama-3.2-1b", "device": "snapdragon_8_elite"}
    return MeasuredRun(**{**defaults, "stack": "genie", "weights": "w4", **fields})


@pytest.mark.parametrize(
    "metric", ["tokens_per_s", "prefill_tokens_per_s", "time_to_first_token_s"]
)
def test_an_observation_gives_what_simulate_gives(metric: str, phone: SocSpec) -> None:
    run = row(context_tokens=1024, prompt_tokens=256, **{metric: 1.0})
    summary = simulate(scenario_of_run(run, metric, phone)).summary()
    wanted = {
        "tokens_per_s": summary.tokens_per_s,
        "prefill_tokens_per_s": 256 / (summary.prefill_s or math.nan),
        "time_to_first_token_s": summary.time_to_first_token_s,
    }
    assert observe(run, metric).simulated(phone) == pytest.approx(wanted[metric], rel=1e-9)


def test_a_static_stack_reads_the_whole_named_context(phone: SocSpec) -> None:
    short, long = (
        observe(row(context_tokens=tokens, tokens_per_s=1.0), "tokens_per_s").simulated(phone)
        for tokens in (512, 4096)
    )
    assert long < short
    scenario = scenario_of_run(row(context_tokens=4096, tokens_per_s=1.0), "tokens_per_s", phone)
    assert scenario.deployment.kv_cache.buckets == (4096,)


def test_a_dynamic_stack_is_filled_up_to_the_named_context(phone: SocSpec) -> None:
    run = row(stack="llamacpp_cpu", context_tokens=1024, output_tokens=64, tokens_per_s=1.0)
    turn = scenario_of_run(run, "tokens_per_s", phone).session.turns[0]
    assert (turn.prompt_tokens, turn.output_tokens) == (960, 64)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"device": ""}, "--device"),
        ({"device": "dimensity_950"}, "dimensity_9500"),
        ({"model": "llama-3.2-2b"}, "llama-3.2"),
        ({"model": ""}, "model"),
        ({"stack": "genei"}, "genie"),
        ({"weights": "w5_typo"}, "weight"),
        ({"role": "calibration"}, "role"),
        ({"tokens_per_s": None}, "no metric"),
    ],
)
def test_a_row_that_cannot_be_judged_is_skipped_with_its_reason(
    fields: dict[str, Any], reason: str
) -> None:
    found = validate([row(**{"tokens_per_s": 50.0, **fields})])
    assert not found.rows
    assert reason in found.skipped[0].reason


def test_a_row_whose_device_file_has_a_fault_says_which(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("extends: snapdragon_8_elite\nnonsense: 5\n")
    found = validate([row(device=str(file), tokens_per_s=50.0)])
    assert "own.yaml: nonsense" in found.skipped[0].reason


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"image_px": ((448, 448),), "peak_dram_bytes": 1e9}, "text model"),
        ({"prompt_tokens": 3_000_000, "power_w": 4.0}, "does not fit in memory"),
    ],
)
def test_a_whole_run_that_cannot_be_simulated_is_skipped_like_any_row(
    fields: dict[str, Any], reason: str
) -> None:
    found = validate(
        [row(device="dimensity_9500", stack="neuropilot", **fields), row(tokens_per_s=50.0)]
    )
    assert [item.run.id for item in found.rows] == ["r1"]
    assert reason in found.skipped[0].reason


def test_rows_are_never_dropped_silently() -> None:
    runs = [
        row(tokens_per_s=50.0),
        row(id="r2", model="unknown", tokens_per_s=1.0),
        row(id="r3", power_w=None),
    ]
    found, skipped = observations(runs)
    assert {item.run.id for item in found} | {item.id for item in skipped} == {"r1", "r2", "r3"}


@given(st.lists(st.tuples(st.floats(0.1, 10.0), st.floats(0.1, 10.0)), min_size=1, max_size=20))
def test_scores_are_bounds_of_each_other(pairs: list[tuple[float, float]]) -> None:
    rows = [judged(measured, simulated) for measured, simulated in pairs]
    found = scores(rows)
    assert abs(found.bias) <= found.mape + 1e-12
    assert found.p95_abs_error <= max(abs(item.error) for item in rows) + 1e-12
    assert 0.0 <= (found.inside_interval or 0.0) <= 1.0


def judged(measured: float, simulated: float, metric: str = "tokens_per_s") -> Judged:
    return Judged(
        run=row(tokens_per_s=measured),
        metric=metric,
        device="d",
        stack="s",
        measured=measured,
        simulated=simulated,
        interval=(0.9 * simulated, 1.1 * simulated),
        groups={"unit": "npu"},
    )


def test_scores_by_hand() -> None:
    found = scores([judged(10.0, 11.0), judged(10.0, 9.5), judged(10.0, 20.0)])
    assert found.mape == pytest.approx((0.1 + 0.05 + 1.0) / 3)
    assert found.bias == pytest.approx((0.1 - 0.05 + 1.0) / 3)
    assert found.inside_interval == pytest.approx(2 / 3)
    assert found.inside_reference is None


def test_the_document_is_the_contract() -> None:
    found = document(Validation((judged(10.0, 11.0),), ()))
    assert list(found) == ["schema", "metrics", "rows", "skipped"]
    assert set(found["metrics"]["tokens_per_s"]) == {
        *("n", "mape", "bias", "p95_abs_error", "inside_interval"),
    }
    assert found["rows"][0].pop("warnings") == []
    assert found["rows"][0] == {
        "id": "r1",
        "device": "d",
        "stack": "s",
        "model": "llama-3.2-1b",
        "metric": "tokens_per_s",
        "measured": 10.0,
        "simulated": 11.0,
        "interval": [pytest.approx(9.9), pytest.approx(12.1)],
        "error": pytest.approx(0.1),
    }


def test_a_row_faster_than_the_roofline_is_impossible(phone: SocSpec) -> None:
    fast = observe(row(tokens_per_s=5000.0), "tokens_per_s")
    possible = observe(row(tokens_per_s=50.0), "tokens_per_s")
    assert "roofline" in (impossible(fast, phone) or "")
    assert impossible(possible, phone) is None
    assert measured_seconds(fast) == pytest.approx(127 / 5000.0)


def test_the_simulator_never_beats_the_roofline(phone: SocSpec) -> None:
    for metric in ("tokens_per_s", "time_to_first_token_s"):
        item = observe(row(prompt_tokens=128, **{metric: 1.0}), metric)
        value = item.simulated(phone)
        seconds = item.tokens / value if metric == "tokens_per_s" else value
        assert seconds >= floor_seconds(item, phone)


def test_a_wider_parameter_widens_the_interval() -> None:
    item = observe(row(device="_snapdragon_8_elite", tokens_per_s=1.0), "tokens_per_s")
    value, low, high = interval_80(item, load_soc("_snapdragon_8_elite"))
    _, fitted_low, fitted_high = interval_80(item, load_soc("snapdragon_8_elite"))
    assert low < value < high
    assert fitted_high / fitted_low < high / low


def test_a_fitted_number_that_is_overridden_correlates_with_nothing(phone: SocSpec) -> None:
    exact = phone.with_overrides({"stacks.genie.efficiency.prefill": 0.3})
    item = observe(row(prompt_tokens=128, time_to_first_token_s=1.0), "time_to_first_token_s")
    value, low, high = interval_80(item, exact)
    assert low < value < high


def test_a_device_without_the_stack_is_named_in_the_reason(phone: SocSpec) -> None:
    with pytest.raises(CannotSimulate, match="no stack 'neuropilot'"):
        scenario_of_run(row(stack="neuropilot", tokens_per_s=1.0), "tokens_per_s", phone)


def test_tables_and_plot_show_every_row() -> None:
    found = Validation((judged(10.0, 11.0), judged(10.0, 20.0)), ())
    assert row_table(found.rows).count("\n") == 3
    assert "(outside)" in row_table(found.rows)
    assert [point.y for point in parity_chart(document(found)["rows"]).points] == [11.0, 20.0]
    assert table(["a"], [["x|y"]]).endswith("x\\|y |")


@pytest.mark.parametrize(
    ("opened", "option"),
    [("device", "--device"), ("stack", "--stack"), ("model", "--model"), ("weights", "--weights")],
)
def test_a_needed_field_that_is_open_skips_the_row_and_names_its_option(
    opened: str, option: str
) -> None:
    found = validate([row(**{"tokens_per_s": 50.0, opened: ""}), row(id="r2", tokens_per_s=50.0)])
    assert [item.run.id for item in found.rows] == ["r2"]
    assert option in found.skipped[0].reason


def test_a_backend_does_not_stand_for_a_stack(phone: SocSpec) -> None:
    open_row = row(stack="", backend="GPU (OpenCL)")
    with pytest.raises(CannotSimulate, match="'GPU \\(OpenCL\\)' settles none"):
        scenario_of_run(open_row, "tokens_per_s", phone)


def llamacpp(phone: SocSpec, metric: str = "prefill_tokens_per_s", **fields: Any) -> float:
    """Return a metric of a small network on llama.cpp on the CPU, simulated."""
    shared = {"stack": "llamacpp_cpu", "weights": "q4_0", metric: 1.0}
    return observe(row(**(shared | fields)), metric).simulated(phone)


def test_prefill_behind_a_full_cache_is_what_the_second_turn_of_a_session_takes(
    phone: SocSpec,
) -> None:
    deep = llamacpp(phone, prompt_tokens=512, depth_tokens=8192)
    assert deep < 0.6 * llamacpp(phone, prompt_tokens=512)
    run = row(stack="llamacpp_cpu", weights="q4_0", prompt_tokens=512, depth_tokens=8192)
    result = simulate(scenario_of_run(run, "prefill_tokens_per_s", phone))
    last = [times for times in result.groups if times.group.turn == 1]
    assert deep == pytest.approx(512 / span_s(last), rel=1e-9)


def test_decode_at_a_depth_reads_the_cache_of_that_depth(phone: SocSpec) -> None:
    at = {"metric": "tokens_per_s", "output_tokens": 64}
    deep = llamacpp(phone, depth_tokens=4096, **at)
    assert deep == pytest.approx(llamacpp(phone, context_tokens=4160, **at), rel=1e-9)
    assert deep < llamacpp(phone, prompt_tokens=1, **at)


def test_fewer_threads_compute_and_draw_less(phone: SocSpec) -> None:
    rates = [llamacpp(phone, "tokens_per_s", threads=threads) for threads in (1, 2, 4, 8)]
    assert rates[0] < rates[1] < rates[2]
    assert rates[0] < 0.5 * rates[2]
    assert rates[2] == llamacpp(phone, "tokens_per_s")
    assert rates[2] <= rates[3] < 2.0 * rates[2]  # four more cores, one memory


def test_threads_of_the_host_do_not_slow_another_unit(phone: SocSpec) -> None:
    alone, plain = (
        observe(row(tokens_per_s=1.0, **fields), "tokens_per_s").simulated(phone)
        for fields in ({"threads": 1}, {})
    )
    assert alone == plain


def test_a_small_batch_of_the_prompt_costs_weight_reads(phone: SocSpec) -> None:
    at = {"prompt_tokens": 512, "stack": "mnn_gpu"}
    assert llamacpp(phone, ubatch_tokens=16, **at) < llamacpp(phone, ubatch_tokens=512, **at)


def test_scores_that_leave_the_chip_cost_time(phone: SocSpec) -> None:
    at = {"prompt_tokens": 4096, "stack": "genie"}
    assert llamacpp(phone, flash_attention="off", **at) < llamacpp(
        phone, flash_attention="on", **at
    )


def test_keys_and_values_of_two_formats_lie_between_either(phone: SocSpec) -> None:
    """Half of the cache is read at the bytes of either; where bytes bound, so goes the time."""

    def cache(keys: str, values: str) -> tuple[float, float]:
        formats = {"kv_dtype": keys, "kv_value_dtype": values, "weights": "q4_0"}
        asked = row(stack="llamacpp_cpu", depth_tokens=16384, tokens_per_s=1.0, **formats)
        found = observe(asked, "tokens_per_s")
        nbytes = sum(group.total("kv_read_bytes") for group in found.groups)
        return nbytes, 1.0 / found.simulated(phone)

    eight, four = cache("q8_0", "q8_0"), cache("q4_0", "q4_0")
    for mixed in (cache("q8_0", "q4_0"), cache("q4_0", "q8_0")):
        assert mixed[0] == pytest.approx((eight[0] + four[0]) / 2.0, rel=1e-9)
        assert mixed[1] == pytest.approx((eight[1] + four[1]) / 2.0, rel=2e-3)
        assert four[1] < mixed[1] < eight[1] < cache("fp16", "fp16")[1]


def test_a_time_without_its_sizes_is_skipped_and_the_rate_beside_it_judged() -> None:
    found = validate([row(time_to_first_token_s=1.0, tokens_per_s=50.0)])
    assert [item.metric for item in found.rows] == ["tokens_per_s"]
    assert "time_to_first_token_s must come with prompt_tokens" in found.skipped[0].reason


def test_what_was_taken_for_granted_stands_beside_the_row() -> None:
    (entry,) = document(validate([row(tokens_per_s=50.0, warnings=("a doubt",))]))["rows"]
    said = " ".join(entry["warnings"])
    assert "a doubt" in said
    assert "prompt_tokens is empty: judged at 128." in said
    assert "kv_dtype" in said
    assert entry["interval"][0] < entry["simulated"] < entry["interval"][1]
