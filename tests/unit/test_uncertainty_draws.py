"""Draws of uncertain numbers: inside their ranges, shared between variants, reproducible."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw_models.provenance import Parameter
from hw_models.schema import StackFit
from hw_models.soc import load_soc
from sim.analysis.sampling import SCHEDULES, draw, quantile, uncertain, values_at


def parameter(low, value, high, kind="assumed", unit="B/s"):
    return Parameter(value, unit, kind, "x", low, high)


@given(
    st.floats(0.0, 1e12),
    st.floats(0.0, 1e12),
    st.floats(0.0, 1e12),
    st.sampled_from(["assumed", "measured", "fitted", "derived"]),
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


def test_an_assumed_number_is_log_uniform_and_a_measured_one_peaks_at_its_value():
    shares = np.linspace(0.0, 1.0, 100_001)
    assumed = quantile(parameter(1.0, 9.0, 100.0), shares)
    assert np.mean(assumed < 10.0) == pytest.approx(0.5, abs=1e-3)
    measured = quantile(parameter(1.0, 10.0, 100.0, "measured"), shares)
    counts, _ = np.histogram(np.log10(measured), bins=8, range=(0.0, 2.0))
    assert (np.diff(counts[:4]) > 0).all()
    assert (np.diff(counts[4:]) < 0).all()


def test_draws_are_inside_their_ranges_and_reproducible():
    soc = load_soc("dimensity_9500")
    first, again, other = (draw(soc, "neuropilot", 64, seed) for seed in (7, 7, 8))
    items = uncertain(soc, "neuropilot")
    assert first.keys() == items.keys()
    for path, values in first.items():
        assert items[path].low <= values.min() <= values.max() <= items[path].high
        assert np.array_equal(values, again[path])
    assert any(not np.array_equal(values, other[path]) for path, values in first.items())


def test_another_device_or_stack_gets_the_same_luck():
    here = draw(load_soc("dimensity_9500"), "neuropilot", 32, 1)
    there = draw(load_soc("dimensity_9400"), "neuropilot", 32, 1)
    path = "dram.energy"
    assert np.array_equal(np.argsort(here[path]), np.argsort(there[path]))


def test_the_numbers_of_a_stack_rise_and_fall_with_its_quality():
    soc = load_soc("dimensity_9500")
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
    soc = load_soc("dimensity_9500")
    prefix = "stacks.neuropilot."
    names = ["bandwidth_fraction", "efficiency.prefill", "efficiency.vision"]
    fitted = {prefix + name: parameter(0.2, 0.4, 0.8, "fitted", "fraction") for name in names}
    soc = soc.with_parameters(fitted, {"x": next(iter(soc.sources.values()))})
    fit = StackFit(spread=0.1, correlation={f"{names[0]} ~ {names[1]}": -0.8})
    stack = soc.stacks["neuropilot"].model_copy(update={"fit": fit})
    soc = soc.model_copy(update={"stacks": soc.stacks | {"neuropilot": stack}})
    draws = draw(soc, "neuropilot", 4000, 0)
    one, other, apart = (np.log(draws[prefix + name]) for name in names)
    assert np.corrcoef(one, other)[0, 1] == pytest.approx(-0.8, abs=0.05)
    assert np.corrcoef(one, apart)[0, 1] == pytest.approx(0.0, abs=0.06)


def test_other_stacks_are_left_alone():
    paths = draw(load_soc("dimensity_9500"), "neuropilot", 2, 0)
    assert {path.split(".")[1] for path in paths if path.startswith("stacks.")} == {"neuropilot"}


def test_the_numbers_that_shape_the_schedule_take_few_values():
    draws = draw(load_soc("dimensity_9500"), "neuropilot", 500, 0)
    chunk = draws["stacks.neuropilot.prefill_chunk_tokens"]
    assert 8 < len(np.unique(chunk)) <= SCHEDULES
    shared = values_at(
        {"units.npu.buffer.activation_bytes": parameter(1.0, 2.0, 4.0)},
        np.linspace(0.0, 1.0, 200)[:, None],
    )
    assert len(np.unique(shared["units.npu.buffer.activation_bytes"])) == SCHEDULES


def test_a_device_of_exact_numbers_has_nothing_to_draw():
    assert draw(load_soc("ideal_85gbps_50tflops"), "ideal", 3, 0) == {}
