"""The roofline's corners, reached in the limit, and the ridge between them.

On a machine without losses a run takes the larger of bytes / bandwidth and FLOPs / rate. One side
is made to vanish by a value no device file may hold; the other then stands alone.
"""

from __future__ import annotations

import functools

import numpy as np
import pytest

from hw_models.soc import SocSpec, load_soc
from sim import Result, Scenario, simulate

IDEAL = load_soc("ideal_85gbps_50tflops")
PRECISIONS = tuple(IDEAL.units["npu"].matrix.rates)
VAST = 1e21
LIMIT = 1e-6


def chat(prompt: int, output: int) -> Scenario:
    return Scenario.from_mapping(
        {
            "device": IDEAL.id,
            "model": "smollm2-135m",
            "session": {"turns": [{"prompt_tokens": prompt, "output_tokens": output}]},
        }
    )


SCENARIO = chat(500, 9)


def at_rate(flops_per_s: float, **others: float) -> SocSpec:
    """The ideal machine with one arithmetic rate for all precisions."""
    rates = {f"units.npu.matrix.rates.{name}": flops_per_s for name in PRECISIONS}
    return IDEAL.with_values({**rates, "units.npu.vector.rate": VAST, **others})


@functools.cache
def plain() -> Result:
    return simulate(SCENARIO)


def test_endless_arithmetic_leaves_bytes_over_bandwidth():
    result = simulate(SCENARIO, soc=at_rate(VAST))
    for phase, seconds in (
        ("prefill", result.summary().prefill_s),
        ("decode", result.summary().decode_s),
    ):
        moved = result.program.total("dram_bytes", phase)
        assert seconds == pytest.approx(moved / IDEAL.dram.peak_bytes_per_s, rel=LIMIT)
    assert result.summary().mbu == pytest.approx(1.0, rel=LIMIT)


def test_endless_bandwidth_leaves_flops_over_rate():
    result = simulate(SCENARIO, soc=at_rate(50e12, **{"dram.rate": 1e24}))
    for phase, seconds in (
        ("prefill", result.summary().prefill_s),
        ("decode", result.summary().decode_s),
    ):
        assert seconds == pytest.approx(result.program.total("flops", phase) / 50e12, rel=LIMIT)
    assert result.summary().mfu == pytest.approx(1.0, rel=LIMIT)


def test_endless_machine_leaves_launches_and_overheads():
    soc = at_rate(
        VAST,
        **{
            "dram.rate": 1e24,
            "units.npu.launch.operator_s": 1e-5,
            "stacks.ideal.step_overhead_s": 1e-3,
            "stacks.ideal.graph_call_s": 2e-4,
        },
    )
    result = simulate(SCENARIO, soc=soc)
    (group,) = (group for group in result.program.groups if group.phase == "decode")
    operators = sum(repeat for _, repeat in group.tasks())
    per_step_s = operators * 1e-5 + 1e-3 + 2e-4
    assert result.summary().decode_s == pytest.approx(group.steps * per_step_s, rel=LIMIT)


@pytest.mark.parametrize("tokens", [1, 8, 64, 512, 4096])
def test_what_bounds_a_matrix_is_decided_by_the_ridge(tokens):
    """A W4 matrix on T tokens has 4 T FLOP a byte; the ridge of the machine lies at 586."""
    records = simulate(chat(tokens, 1), soc=at_rate(50e12)).records
    linear = np.char.find(records["name"].astype(str), ".mlp.") >= 0
    ridge = 50e12 / IDEAL.dram.peak_bytes_per_s
    moved = records["dram_read_bytes"] + records["dram_write_bytes"]
    intensity = records["flops"][linear] / moved[linear]
    assert intensity == pytest.approx(np.full(linear.sum(), 4.0 * tokens), rel=0.06)
    expected = np.where(intensity > ridge, "compute", "dram")
    assert records["bound"][linear].tolist() == expected.tolist()


def test_time_is_between_the_roof_and_the_sum_of_both_sides():
    for phase, seconds in (
        ("prefill", plain().summary().prefill_s),
        ("decode", plain().summary().decode_s),
    ):
        program = plain().program
        bytes_s = program.total("dram_bytes", phase) / IDEAL.dram.peak_bytes_per_s
        arithmetic_s = program.total("flops", phase) / 50e12
        assert max(bytes_s, arithmetic_s) <= seconds <= (bytes_s + arithmetic_s) * 1.05


@pytest.mark.parametrize("fraction", [1.0, 0.5, 0.1])
def test_a_stack_that_attains_a_fraction_of_the_bandwidth_decodes_at_that_fraction(fraction):
    soc = at_rate(VAST, **{"stacks.ideal.bandwidth_fraction": fraction})
    full = simulate(SCENARIO, soc=at_rate(VAST)).summary().tokens_per_s
    rate = simulate(SCENARIO, soc=soc).summary().tokens_per_s
    assert rate == pytest.approx(fraction * full, rel=LIMIT)


@pytest.mark.parametrize("buffers", [1, 2, 8])
def test_without_a_second_buffer_nothing_overlaps(buffers):
    """Both sides equal, 4 FLOP a byte: one operand buffer takes their sum, more take the larger."""
    overrides = {
        "units.npu.buffer.operand_count": buffers,
        "units.npu.buffer.operand_bytes": 2**14,
    }
    soc = at_rate(4 * IDEAL.dram.peak_bytes_per_s, **overrides)
    result = simulate(chat(1, 9), soc=soc)
    dram_s, compute_s = result.records["dram_s"].sum(), result.records["compute_s"].sum()
    if buffers == 1:
        assert result.makespan_s == pytest.approx(dram_s + compute_s, rel=1e-9)
    else:
        assert dram_s <= result.makespan_s <= 1.1 * max(dram_s, compute_s)
