"""Measuring on the real module: operators in situ, live bytes, and a whole measurement."""

import json
import math

import pytest
import torch

from sim.calibration.prior import template
from sim.cli.measuring import closing, line
from sim.evidence.measuring.cases import Case
from sim.evidence.measuring.document import read_measurement, write_measurement
from sim.evidence.measuring.protocol import measure
from sim.validation.structure import flop_rows, structure
from workloads.capture import capture
from workloads.errors import WorkloadError
from workloads.measuring.memory import LiveBytes, tensor_bytes, weight_bytes
from workloads.measuring.phases import phase_call, random_model
from workloads.measuring.timer import by_segment
from workloads.models.config_file import read_model
from workloads.trace_file import save_trace

pytestmark = pytest.mark.torch

TINY = {
    "model_type": "andesvl",
    "text_config": {
        "model_type": "qwen3",
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "vocab_size": 128,
        "tie_word_embeddings": True,
    },
    "vision_config": {
        "model_type": "siglip2",
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "patch_size": 14,
        "image_size": 112,
    },
}


@pytest.fixture(scope="module")
def config():
    return read_model(TINY, "tiny")


@pytest.fixture(scope="module")
def model(config):
    return random_model(config, "cpu", "bf16")


@pytest.fixture
def tiny_file(tmp_path):
    path = tmp_path / "tiny.json"
    path.write_text(json.dumps(TINY), encoding="utf-8")
    return path


def test_the_model_is_made_in_its_dtype_and_the_default_is_left_alone(model):
    assert {parameter.dtype for parameter in model.parameters()} == {torch.bfloat16}
    assert torch.get_default_dtype() == torch.float32
    assert weight_bytes(model) == 2 * sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(
    ("phase", "sizes"),
    [
        ("vision", {"N": 64, "rows": 8}),
        ("prefill", {"T": 24, "S": 24}),
        ("decode", {"T": 1, "S": 40}),
    ],
)
def test_timed_operators_are_those_of_the_trace_in_its_order(config, model, phase, sizes):
    trace = capture(config, [phase])
    calls = phase_call(model, phase, sizes).operators()
    expected = [
        operator.name
        for segment in trace.phases[phase].segments
        for operator in segment.operators * segment.repeat
    ]
    assert [call.name for call in calls] == expected
    means = by_segment(calls, trace.phases[phase])
    total = sum(
        segment.repeat * sum(seconds)
        for segment, seconds in zip(trace.phases[phase].segments, means, strict=True)
    )
    assert total == pytest.approx(sum(call.seconds for call in calls))


def test_operators_of_another_phase_are_refused(config, model):
    trace = capture(config)
    calls = phase_call(model, "decode", {"T": 1, "S": 8}).operators()
    with pytest.raises(WorkloadError, match="must call"):
        by_segment(calls, trace.phases["vision"])
    with pytest.raises(WorkloadError, match="operators of its trace"):
        by_segment(calls[1:], trace.phases["decode"])


def test_live_bytes_count_what_lives_and_forget_what_died():
    weight = torch.ones(8, 8)
    with LiveBytes([weight]) as counter:
        first = weight + 1.0  # 256 bytes
        second = first.view(64) * 2.0  # a view is no storage; the product is
        assert counter.now_bytes == 512
        del first
        assert counter.now_bytes == 256
        third = second + weight.view(64)
    assert (counter.now_bytes, counter.peak_bytes) == (512, 512)
    assert tensor_bytes([second, second[:4], third]) == 512


def test_a_run_is_measured_written_and_told(tiny_file, tmp_path):
    cases = [
        Case(phase="vision", image_px=(28, 28)),
        Case(phase="prefill", tokens=16),
        Case(phase="decode", tokens=9),
    ]
    measured = measure(str(tiny_file), cases, rounds=3, noise_limit=math.inf)
    write_measurement(measured, tmp_path / "run.json")
    found = read_measurement(tmp_path / "run.json")
    assert [times.case for times in found.cases] == cases
    assert found.machine.threads == 1
    for times in found.cases:
        assert len(times.cpu_s) == 3
        assert 0.0 < times.minimum_s("cpu") <= times.median_s("cpu")
        assert line(found, times).startswith(times.case.id)
    assert "noise floor" in closing(found, tmp_path / "run.json")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_a_device_that_is_not_there_is_refused(tiny_file):
    with pytest.raises(WorkloadError, match="without CUDA"):
        measure(str(tiny_file), [Case(phase="decode", tokens=4)], device="cuda")


def test_the_budget_leaves_out_what_does_not_fit_and_names_it(tiny_file):
    cases = [Case(phase="decode", tokens=4), Case(phase="prefill", tokens=64)]
    found = measure(str(tiny_file), cases, budget_s=1e-9, noise_limit=math.inf)
    assert [times.case for times in found.cases] == cases[:1]
    assert found.skipped == ("prefill_64",)


def test_the_structure_of_a_real_run_is_exact(config, tiny_file, tmp_path):
    cases = [Case(phase="prefill", tokens=20), Case(phase="decode", tokens=33)]
    measured = measure(str(tiny_file), cases, noise_limit=math.inf)
    save_trace(capture(config), tmp_path / "trace.json")
    rows = structure(measured, template(), str(tmp_path / "trace.json"))
    assert {row.quantity for row in rows if row.exact} == {"parameters", "kv_bytes"}
    assert all(row.agrees for row in rows), rows
    assert all(row.measured >= 0.5 * row.simulated > 0 for row in rows)


def test_flop_counters_and_the_simulated_program_agree_to_the_last_digit():
    rows = flop_rows("smollm2-135m", template())  # 30 layers, on shapes alone
    assert [row.id for row in rows] == ["smollm2-135m prefill_48", "smollm2-135m decode_100"]
    assert all(row.agrees for row in rows), rows
