"""RWKV carries its state in tensors of its own and loops over its tokens: one scan in the trace.

transformers has a class for version 4; later versions are code of their makers' repositories.
"""

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from workloads.flop_check import phase_flops
from workloads.models.folding import work_of
from workloads.trace import Phase

pytestmark = pytest.mark.torch

HIDDEN, LAYERS = 64, 4
ENTRY = {
    "model_type": "rwkv",
    "hidden_size": HIDDEN,
    "intermediate_size": 96,
    "num_hidden_layers": LAYERS,
    "vocab_size": 128,
    "rescale_every": 2,
}
NEW = 64


@pytest.fixture(scope="module")
def trace():
    from workloads.capture import capture_entry

    return capture_entry(ENTRY, "rwkv")


@pytest.fixture(scope="module")
def built():
    """The class with random weights."""
    import torch

    from workloads.models.from_transformers import build, read_config

    torch.manual_seed(0)
    return build(read_config(ENTRY, "rwkv"), "real", "cpu")


def test_a_real_run_makes_the_calls_of_the_trace(trace, built):
    from tests.theory.test_families import sized
    from workloads.models.text_phases import _segments
    from workloads.models.text_shape import context_of

    names = context_of(built)
    for phase, new in (("decode", 1), ("prefill", NEW)):
        seen = [s for s in _segments(built, names, new, new + 8) if s.name != "head"]
        said = [s for s in trace.phases[phase].segments if s.name != "head"]
        assert sized(seen, {}) == sized(said, {"T": new, "S": new + 8})


def test_parameters_and_state_are_those_of_the_class(trace, built):
    import torch

    assert trace.total_parameters == sum(p.numel() for p in built.model.parameters())
    with torch.no_grad():
        state = built.model(input_ids=torch.ones((1, 3), dtype=torch.long), use_cache=True).state
    assert trace.state_bytes == sum(t.numel() * t.element_size() for t in state)
    assert trace.cache == ()


def test_flops_are_those_of_pytorchs_counter(trace, built):
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        built.model(input_ids=torch.ones((1, NEW), dtype=torch.long), use_cache=True)
    prefill = trace.phases["prefill"]
    layers, head = (
        Phase("prefill", prefill.symbols, part)
        for part in (prefill.segments[:-1], prefill.segments[-1:])
    )
    sizes = {"T": NEW, "S": NEW}
    assert counter.get_total_flops() == phase_flops(layers, sizes) + NEW * phase_flops(head, sizes)


@pytest.mark.parametrize("tokens", [1, 2, 7])
def test_the_scan_does_the_work_of_the_loop_token_by_token(built, tokens):
    """The recorded loop of the class itself, every token of it, against the one that stands in."""
    from workloads.models import carried_state
    from workloads.models.from_transformers import record_text

    def vector_work():
        return work_of(
            [e for e in record_text(built, tokens, tokens) if e.module.endswith("0.attention")]
        )

    folded = vector_work()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(carried_state, "LOOP", "none")
        assert vector_work() == folded
    assert folded[1] > 20 * tokens * HIDDEN
