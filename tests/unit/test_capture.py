"""Capture: what is recorded, what is solved, and what is refused."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.capture import (
    TEXT_PROBES,
    VISION_PROBES,
    Adapters,
    capture,
    fold_layers,
)
from workloads.errors import WorkloadError
from workloads.extent import Extent
from workloads.flop_check import phase_flops
from workloads.lora import parameters_per_rank
from workloads.models.config import DecoderConfig, ModelConfig
from workloads.operators import cost
from workloads.solving import solve, solve_extent
from workloads.trace import Operator, Segment, TensorRef
from workloads.trace_file import load_trace, save_trace
from workloads.turns import linear_sizes

TINY = ModelConfig("tiny", DecoderConfig(3, 48, 80, 4, 2, 16, 101, True, 1e4, 1e-6))
COEFFICIENTS = st.integers(-50, 50)


@given(COEFFICIENTS, COEFFICIENTS, COEFFICIENTS)
def test_an_affine_size_is_found_exactly(constant, per_new, per_context):
    values = [constant + per_new * p["T"] + per_context * p["S"] for p in TEXT_PROBES]
    extent = solve_extent(values, TEXT_PROBES, ("T", "S"), "q_proj")
    assert extent == Extent.of(constant, T=per_new, S=per_context)


@given(st.integers(1, 50))
def test_a_quarter_of_the_patches_is_found_exactly(width):
    values = [width * p["N"] // 4 for p in VISION_PROBES]
    assert solve_extent(values, VISION_PROBES, ("N",), "x") == Extent.of(0, N=Fraction(width, 4))


@pytest.mark.parametrize(
    ("size", "probes", "symbols"),
    [
        (lambda p: p["T"] * p["S"], TEXT_PROBES, ("T", "S")),
        (lambda p: p["T"] ** 2, TEXT_PROBES, ("T", "S")),
        (lambda p: max(p["T"], 16), TEXT_PROBES, ("T", "S")),
        (lambda p: p["rows"], VISION_PROBES, ("N",)),
        (lambda p: p["N"] // p["rows"], VISION_PROBES, ("N",)),
    ],
)
def test_a_size_that_is_not_affine_is_refused(size, probes, symbols):
    with pytest.raises(WorkloadError, match="mlp: sizes must be affine"):
        solve_extent([size(probe) for probe in probes], probes, symbols, "mlp")


def call(module="model.layers.0.mlp", name="aten.silu", size=8):
    x = TensorRef((Extent.of(size),), "bfloat16")
    return Operator(name, module, "elementwise", (x,), (x,))


def test_equal_neighbours_fold_and_others_do_not():
    sizes = [8, 8, 9, 8]
    layers = [call(f"model.layers.{i}.mlp", size=size) for i, size in enumerate(sizes)]
    segments = fold_layers([call("model.embed"), *layers, call("model.norm")])
    assert [(segment.name, segment.repeat) for segment in segments] == [
        ("embed", 1),
        ("layers.0-1", 2),
        ("layers.2", 1),
        ("layers.3", 1),
        ("head", 1),
    ]
    assert segments[1].operators[0].module == "model.layers.*.mlp"


def test_a_phase_must_call_the_same_operators_at_every_size():
    runs = [[Segment("embed", 1, (call(size=p["N"]),))] for p in VISION_PROBES]
    assert str(solve(runs, VISION_PROBES, ("N",))[0].operators[0].inputs[0].shape[0]) == "N"
    longer = [*runs[:3], [Segment("embed", 1, (call(), call()))]]
    with pytest.raises(WorkloadError, match="same operators at every size"):
        solve(longer, VISION_PROBES, ("N",))
    other = [*runs[:3], [Segment("embed", 1, (call(name="aten.gelu", size=80),))]]
    with pytest.raises(WorkloadError, match="must be called alike"):
        solve(other, VISION_PROBES, ("N",))


@pytest.fixture(scope="module")
def tiny():
    pytest.importorskip("torch")
    return capture(TINY)


@pytest.mark.torch
def test_roles_follow_storage(tiny):
    by_name = {}
    for _, operator in tiny.phases["decode"].operators():
        by_name.setdefault(operator.name, []).append(operator)
    attention = by_name["aten.scaled_dot_product_attention"][0]
    assert [tensor.role for tensor in attention.inputs] == [
        "activation",
        "kv_read",
        "kv_read",
        "constant",
    ]
    assert attention.causal
    assert [op.outputs[0].role for op in by_name["aten.copy"]] == ["kv_write"] * 2
    head = by_name["aten.linear"][-1]
    assert (head.module, head.inputs[1].tensor_class) == ("lm_head", "lm_head")
    assert head.inputs[1].parameter == "model.embed_tokens.weight"
    assert by_name["aten.embedding"][0].inputs[0].tensor_class == "embedding"


@pytest.mark.torch
def test_a_step_reads_every_weight_once_and_the_cache_once(tiny):
    sizes = {"T": 1, "S": 40}
    weights = kv_read = kv_write = 0
    for repeat, operator in tiny.phases["decode"].operators():
        work = cost(operator, sizes)
        if operator.kind != "embedding":
            weights += repeat * sum(use.elements for use in work.weights)
        kv_read += repeat * work.kv_read_elements
        kv_write += repeat * work.kv_write_elements
    assert weights == tiny.total_parameters
    assert kv_read == 40 * tiny.kv_elements_per_token
    assert kv_write == tiny.kv_elements_per_token


@pytest.mark.parametrize("model", ["andesvl-4b", "llama-3.1-8b", "qwen2.5-0.5b", "phi-3.5-mini"])
def test_so_does_every_shipped_trace(model):
    trace = load_trace(model)
    weights = sum(
        repeat * use.elements
        for repeat, operator in trace.phases["decode"].operators()
        if operator.kind != "embedding"
        for use in cost(operator, {"T": 1, "S": 9}).weights
    )
    streamed = trace.parameters["body"] + trace.decoder.hidden * trace.decoder.vocab
    assert weights == streamed


@pytest.mark.torch
def test_only_the_phases_asked_for(tmp_path):
    pytest.importorskip("torch")
    trace = capture(TINY, ["decode"])
    save_trace(trace, tmp_path / "t.json")
    assert list(trace.phases) == ["decode"]
    assert load_trace(tmp_path / "t.json") == trace
    with pytest.raises(WorkloadError, match=r"one of prefill, decode\. Got vision"):
        capture(TINY, ["vision"])


@pytest.mark.torch
def test_adapters_of_the_module_cost_what_a_deployment_counts():
    pytest.importorskip("torch")
    plain = capture(TINY)
    adapted = capture(TINY, adapters=Adapters(4, ("q_proj", "v_proj", "gate_proj")))
    counted = 4 * parameters_per_rank(linear_sizes(plain), ("q", "v", "gate"))
    assert adapted.adapter_rank == 4
    assert adapted.parameters["adapter"] == counted
    sizes = {"T": 3, "S": 9}
    flops = [phase_flops(trace.phases["decode"], sizes) for trace in (plain, adapted)]
    assert flops[1] - flops[0] == 2 * 3 * counted


@pytest.mark.torch
def test_a_copy_is_recorded_and_a_view_is_not():
    torch = pytest.importorskip("torch")
    from workloads.models.recorder import Recorder

    x = torch.empty(4, 6, device="meta")
    with torch.inference_mode(), Recorder(torch.nn.Identity(), (), ()) as recorder:
        x.t().reshape(24)
        x.reshape(24).view(6, 4)
    assert [operator.name for operator in recorder.take()] == ["aten.clone"]
    assert recorder.take() == []


@pytest.mark.torch
@pytest.mark.parametrize("name", ["sinh", "add_"])
def test_an_operator_without_a_cost_is_refused(name):
    torch = pytest.importorskip("torch")
    from workloads.models.recorder import Recorder

    module = torch.nn.Identity()
    x = torch.empty(4, 6, device="meta")
    arguments = (x,) if name == "add_" else ()
    with (
        pytest.raises(WorkloadError, match=rf"must call known operators\. Got aten\.{name}"),
        torch.inference_mode(),
        Recorder(module, (), ()),
    ):
        getattr(x, name)(*arguments)
    assert not module._forward_hooks
