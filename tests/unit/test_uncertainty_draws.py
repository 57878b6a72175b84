"""Draws of uncertain numbers: inside their ranges, shared between variants, reproducible."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw_models.provenance import Parameter
from hw_models.schema import StackFit
from hw_models.soc import list_socs, load_soc
from sim import load_scenario, simulate
from sim.cli.studying import load_script
from sim.evidence.exhibits import load_exhibits, runs_in_role
from sim.explore.draws import SCHEDULES, draw, quantile, uncertain, values_at
from sim.explore.uncertainty import uncertainty
from sim.explore.variants import variant_metrics
from sim.validation.draws import coverage_of_draws

SMALL = ["device=snapdragon_8_elite", "model=qwen3-0.6b", "session.turns=[{output_tokens: 8}]"]
DOCS = Path(__file__).parents[2] / "docs"
UNCERTAINTY = (DOCS / "concepts" / "uncertainty.md").read_text(encoding="utf-8")
WRITER = load_script(DOCS / "uncertainty.py")


def parameter(low, value, high, kind="assumed", unit="B/s"):
    return Parameter(value, unit, kind, "x", low, high)


@given(
    st.floats(0.0, 1e12),
    st.floats(0.0, 1e12),
    st.floats(0.0, 1e12),
    st.sampled_from(["assumed", "measured", "derived"]),
    st.sampled_from(["B/s", "count"]),
)
def test_quantiles_rise_from_low_to_high(a, b, c, kind, unit):
    low, value, high = sorted((a, b, c))
    if unit == "count":
        low, value, high = map(np.floor, (low, value, high))
    values = quantile(parameter(low, value, high, kind, unit), np.linspace(0.0, 1.0, 11))
    assert (np.diff(values) >= 0.0).all()
    assert values[0] == pytest.approx(low, rel=1e-9)
    assert values[-1] == pytest.approx(high, rel=1e-9)
    if unit == "count":
        assert (values == np.round(values)).all()


@given(st.floats(1e-3, 1.0), st.floats(1.0, 4.0), st.floats(1.0, 4.0))
def test_the_range_of_a_fitted_number_is_the_middle_of_its_draws(value, below, above):
    item = parameter(value / below, value, value * above, "fitted", "s")
    low, median, high = quantile(item, np.array([0.1, 0.5, 0.9]))
    assert (low, median, high) == pytest.approx((item.low, item.value, item.high), rel=1e-4)
    whole = quantile(parameter(0.5, 0.9, 1.0, "fitted", "fraction"), np.linspace(0.0, 1.0, 99))
    assert whole.max() == 1.0
    assert whole.min() < 0.5


def test_what_a_fit_has_absorbed_is_not_drawn_again():
    soc = load_soc("snapdragon_8_elite")
    fitted, free = uncertain(soc, "genie"), uncertain(soc, "executorch_qnn")
    silicon = {
        "dram.efficiency.read_only",
        "units.npu.buffer.operand_count",
        "units.npu.dram_fraction",
    }
    assert silicon <= set(free)
    assert not silicon & set(fitted)
    assert {"dram.energy", "units.gpu.dram_fraction", "thermal.governor.trip_c.0"} <= set(fitted)


def with_fit(soc, stack, fit):
    chosen = soc.stacks[stack].model_copy(update={"fit": fit})
    return soc.model_copy(update={"stacks": soc.stacks | {stack: chosen}})


@pytest.mark.parametrize("spreads", [{}, {"tokens_per_s": 0.1, "time_to_first_token_s": 0.3}])
def test_the_times_of_a_fitted_stack_move_by_the_spread_of_its_rows(spreads):
    """Without any other uncertain number the deviation of decode and prompts is theirs.

    A first token waits for arithmetic and for memory.
    """
    fit = StackFit(spread=0.1, spreads=spreads)
    soc = with_fit(load_soc("snapdragon_8_elite"), "genie", fit)
    exact = {
        path: replace(item, low=item.value, high=item.value)
        for path, item in soc.parameters().items()
    }
    soc = soc.with_parameters(exact, {})
    result = simulate(load_scenario(None, [*SMALL, "stack=genie"]), soc=soc)
    found = variant_metrics(result, draw(soc, "genie", 4000, 0))
    decode, prompt = (np.log(found[name]) for name in ("tokens_per_s", "time_to_first_token_s"))
    assert decode.std() == pytest.approx(fit.spread_of("tokens_per_s"), rel=0.05)
    narrow, wide = sorted(map(fit.spread_of, ("tokens_per_s", "time_to_first_token_s")))
    assert narrow * 0.95 <= prompt.std() <= wide * 1.05
    assert np.median(prompt) == pytest.approx(np.log(result["time_to_first_token_s"]), abs=0.01)


@pytest.mark.parametrize("device", list_socs())
def test_no_draw_reads_or_copies_faster_than_its_bus(device):
    soc = load_soc(device)
    widest = soc.dram.channels.high * soc.dram.width_bits.high * soc.dram.rate.high / 8.0
    for stack in soc.stacks:
        draws = draw(soc, stack, 64, 0)
        drawn = soc.with_values({path: values[:, None] for path, values in draws.items()})
        bus = drawn.dram.peak_bytes_per_s
        assert np.max(bus) <= widest * (1.0 + 1e-9)
        chosen = drawn.stack(stack)
        assert np.max(chosen.bandwidth_fraction.value) <= 1.0
        assert np.max(drawn.units[chosen.unit].dram_fraction.value) <= 1.0
        if chosen.kv_copy is not None:
            assert np.max(chosen.kv_copy.value / bus) <= 1.0 + 1e-9


def test_a_lucky_draw_still_decodes_no_faster_than_the_bus_carries_weights():
    """Where the fit scatters by a half and its stack draws nearly all of the bus."""
    soc = load_soc("apple_a19_pro")
    base = ["device=apple_a19_pro", "stack=mlx_gpu", *SMALL[1:]]
    result = simulate(load_scenario(None, base), soc=soc)
    rates = variant_metrics(result, draw(soc, "mlx_gpu", 400, 0))["tokens_per_s"]
    assert rates.max() <= soc.dram.peak_bytes_per_s / result["weight_bytes_per_step"]
    assert rates.max() > result["tokens_per_s"]


@pytest.mark.long
def test_draws_of_fitted_stacks_hold_four_of_five_measured_rows():
    rows = runs_in_role(load_exhibits(), "validation")
    every = coverage_of_draws(rows, WRITER.DRAWS)
    found = [item for item in every if item.is_fitted]
    count = sum(item.n for item in found)
    share = sum(item.n * item.inside for item in found) / count
    assert 0.7 < share < 0.95
    assert WRITER.shares(every) in UNCERTAINTY


def test_the_page_has_the_place_that_its_writer_fills():
    text = WRITER.with_block(UNCERTAINTY, "| a |")
    assert text.count("| a |") == text.count(WRITER.BEGIN) == text.count(WRITER.END) == 1
    assert WRITER.with_block(text, "| a |") == text
    known = UNCERTAINTY.partition(WRITER.BEGIN)[2].partition(WRITER.END)[0]
    assert "| with a fit | all |" in known


def test_an_assumed_number_is_log_uniform_and_a_measured_one_peaks_at_its_value():
    shares = np.linspace(0.0, 1.0, 100_001)
    assumed = quantile(parameter(1.0, 9.0, 100.0), shares)
    assert np.mean(assumed < 10.0) == pytest.approx(0.5, abs=1e-3)
    measured = quantile(parameter(1.0, 10.0, 100.0, "measured"), shares)
    counts, _ = np.histogram(np.log10(measured), bins=8, range=(0.0, 2.0))
    assert (np.diff(counts[:4]) > 0).all()
    assert (np.diff(counts[4:]) < 0).all()


def test_draws_are_inside_their_ranges_and_reproducible():
    soc = load_soc("_dimensity_9500")
    first, again, other = (draw(soc, "neuropilot", 64, seed) for seed in (7, 7, 8))
    items = uncertain(soc, "neuropilot")
    assert first.keys() == items.keys()
    for path, values in first.items():
        assert items[path].low <= values.min() <= values.max() <= items[path].high
        assert np.array_equal(values, again[path])
    assert any(not np.array_equal(values, other[path]) for path, values in first.items())


def test_another_device_or_stack_gets_the_same_luck():
    here = draw(load_soc("_dimensity_9500"), "neuropilot", 32, 1)
    there = draw(load_soc("_dimensity_9400"), "neuropilot", 32, 1)
    path = "dram.energy"
    assert np.array_equal(np.argsort(here[path]), np.argsort(there[path]))


def test_the_numbers_of_a_stack_rise_and_fall_with_its_quality():
    soc = load_soc("_dimensity_9500")
    names = ["bandwidth_fraction", "efficiency.decode", "step_overhead_s"]
    items = {f"stacks.neuropilot.{name}": parameter(0.2, 0.4, 0.8) for name in names}
    items["stacks.neuropilot.step_overhead_s"] = parameter(1e-4, 2e-4, 8e-4, unit="s")
    soc = soc.with_parameters(items, {"x": next(iter(soc.sources.values()))})
    draws = draw(soc, "neuropilot", 4000, 0)
    good, better, overhead = (np.log(draws[f"stacks.neuropilot.{name}"]) for name in names)
    free = np.log(draws["dram.energy"])
    assert np.corrcoef(good, better)[0, 1] == pytest.approx(0.5, abs=0.06)
    assert np.corrcoef(good, overhead)[0, 1] == pytest.approx(-0.5, abs=0.06)
    assert np.corrcoef(good, free)[0, 1] == pytest.approx(0.0, abs=0.06)


def test_numbers_fitted_together_are_correlated_as_their_fit_found():
    soc = load_soc("_dimensity_9500")
    prefix = "stacks.neuropilot."
    names = ["bandwidth_fraction", "efficiency.prefill", "efficiency.vision"]
    fitted = {prefix + name: parameter(0.2, 0.4, 0.8, "fitted", "fraction") for name in names}
    soc = soc.with_parameters(fitted, {"x": next(iter(soc.sources.values()))})
    fit = StackFit(spread=0.1, correlation={f"{names[0]} ~ {names[1]}": -0.8})
    soc = with_fit(soc, "neuropilot", fit)
    draws = draw(soc, "neuropilot", 4000, 0)
    one, other, apart = (np.log(draws[prefix + name]) for name in names)
    assert np.corrcoef(one, other)[0, 1] == pytest.approx(-0.8, abs=0.05)
    assert np.corrcoef(one, apart)[0, 1] == pytest.approx(0.0, abs=0.06)


def test_other_stacks_are_left_alone():
    paths = draw(load_soc("_dimensity_9500"), "neuropilot", 2, 0)
    assert {path.split(".")[1] for path in paths if path.startswith("stacks.")} == {"neuropilot"}


def test_the_numbers_that_shape_the_schedule_take_few_values():
    draws = draw(load_soc("_dimensity_9500"), "neuropilot", 500, 0)
    chunk = draws["stacks.neuropilot.prefill_chunk_tokens"]
    assert 8 < len(np.unique(chunk)) <= SCHEDULES
    shared = values_at(
        {"units.npu.buffer.activation_bytes": parameter(1.0, 2.0, 4.0)},
        np.linspace(0.0, 1.0, 200)[:, None],
    )
    assert len(np.unique(shared["units.npu.buffer.activation_bytes"])) == SCHEDULES


def test_a_device_of_exact_numbers_has_nothing_to_draw():
    assert draw(load_soc("ideal_85gbps_50tflops"), "ideal", 3, 0) == {}


@pytest.mark.parametrize(
    ("device", "stack"),
    [("snapdragon_8_gen_3", "mnn_cpu_2024"), ("snapdragon_x_elite", "tmac_cpu")],
)
def test_one_row_on_a_processor_is_not_padded_in_any_draw(device, stack):
    """A row alone runs in a kernel of one row: decode does not lean to the slow side."""
    soc = load_soc(device)
    assert soc.stack(stack).fit is None
    assert "units.cpu.matrix.tile_m" not in draw(soc, stack, 4, 0)
    text = "session={turns: [{prompt_tokens: 16, output_tokens: 8}]}"
    asked = ("model=qwen3-0.6b", f"device={device}", f"stack={stack}", text)
    result = simulate(load_scenario(None, asked))
    ends = uncertainty(result, 100)["tokens_per_s"]
    assert ends["p10"] < result["tokens_per_s"] < ends["p90"]
