"""The class of a configuration is run as its trace says, and every operator of it is timed."""

import json
from itertools import count

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tests.families import entry
from workloads.capture import capture_entry
from workloads.errors import WorkloadError
from workloads.measuring.class_calls import ClassCall, class_call, random_class
from workloads.measuring.loading import load
from workloads.measuring.timer import by_segment

pytestmark = pytest.mark.torch

# windows, fused products, biases and learned places, a convolution's state
FAMILIES = ["gemma3_text", "gpt2", "lfm2", "phi3"]
SIZES = {"prefill": {"T": 40, "S": 40}, "decode": {"T": 1, "S": 70}}


@pytest.fixture(scope="module", params=FAMILIES)
def family(request):
    given = entry(request.param)
    return capture_entry(given, request.param), random_class(given, request.param, "cpu", "fp32")


@pytest.mark.parametrize("phase", sorted(SIZES))
def test_timed_operators_are_those_of_the_trace(family, phase):
    trace, built = family
    call = class_call(built, phase, SIZES[phase])
    for _ in range(2):  # a call leaves the next one nothing but what it found
        timed = call.operators()
        means = by_segment(timed, trace.phases[phase])
        assert all(seconds >= 0 for segment in means for seconds in segment)
        assert sum(item.seconds for item in timed) > 0
    wall_s, cpu_s = call.seconds()
    assert wall_s > 0
    assert cpu_s > 0
    assert call.peak_activation_bytes() > 0


def test_keys_and_values_share_the_seconds_of_their_one_write(monkeypatch):
    monkeypatch.setattr(ClassCall, "_operator_clock", lambda self: count().__next__)
    call = class_call(
        random_class(entry("qwen3"), "qwen3", "cpu", "fp32"), "decode", {"T": 1, "S": 9}
    )
    timed = call.operators()  # every kernel takes one second of this clock
    assert min(item.seconds for item in timed) > 0
    written = [item.seconds for item in timed if item.name == "aten.copy"]
    assert written[0::2] == written[1::2]


def test_the_cache_is_as_large_as_the_trace_says():
    given = entry("qwen3")
    trace = capture_entry(given, "qwen3")
    call = class_call(random_class(given, "qwen3", "cpu", "fp32"), "decode", SIZES["decode"])
    assert call.kv_bytes == 4 * 70 * trace.kv_elements_per_token


def test_a_mixture_of_experts_is_refused_in_one_sentence():
    with pytest.raises(WorkloadError, match="must not be a mixture of experts"):
        random_class(entry("olmoe"), "olmoe", "cpu", "fp32")


def test_a_file_is_measured_by_the_class_it_names(tmp_path):
    file = tmp_path / "config.json"
    file.write_text(json.dumps(entry("llama")))
    found = load(str(file), "cpu", "fp32")
    assert type(found.module).__name__ == "LlamaForCausalLM"
    assert found.phases == {"prefill", "decode"}
