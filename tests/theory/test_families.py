"""Small models of many families, run for real with random weights, are what their traces say.

A dozen families, one of each kind, run here; ``make breadth`` runs all of them.
"""

import os
from collections import namedtuple

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tests.families import FAMILIES, entry
from workloads.flop_check import phase_flops
from workloads.trace import Phase

pytestmark = pytest.mark.torch

# biases, windows, sinks, a latent, mixtures, convolutions, scans, gated delta, learned positions
SAMPLE = [
    *("deepseek_v3", "falcon_h1", "gemma3_text", "gpt2", "gpt_oss", "granitemoehybrid"),
    *("lfm2", "mamba2", "olmoe", "phi", "qwen2", "qwen3_next"),
]
RUN = sorted(FAMILIES) if os.environ.get("ANDESIM_ALL_FAMILIES") else SAMPLE
NEW, SEEN = 64, 192
"""Tokens of the last call of the plain run, and what it sees."""

Family = namedtuple("Family", "name trace built config")
Plain = namedtuple("Plain", "cache flops logits")


def sized(phase, sizes):
    """Every operator of a phase with its shapes at the given sizes, in order."""
    return [
        (
            segment.name,
            segment.repeat,
            operator.name,
            operator.module,
            [[int(e.at(sizes)) for e in t.shape] for t in (*operator.inputs, *operator.outputs)],
            [tensor.role for tensor in (*operator.inputs, *operator.outputs)],
        )
        for segment in phase
        for operator in segment.operators
    ]


@pytest.fixture(scope="module", params=RUN)
def family(request):
    """A family's trace, and the same class with random weights."""
    import torch

    from workloads.capture import capture_entry
    from workloads.models.from_transformers import build, read_config

    torch.manual_seed(0)
    name = request.param
    config = read_config(entry(name), name)
    return Family(name, capture_entry(entry(name), name), build(config, "real", "cpu"), config)


@pytest.fixture(scope="module")
def plain(family):
    """What the class alone does on real weights: no seam, no recorder, transformers' own cache."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import AutoModelForCausalLM, DynamicCache

    from workloads.models.from_transformers import cache_name

    model = AutoModelForCausalLM.from_config(
        family.config, attn_implementation="eager", experts_implementation="eager"
    )
    model = model.to(torch.bfloat16).eval()
    cache = DynamicCache(config=model.config)
    given = {cache_name(model): cache, "use_cache": True}
    ids = torch.ones((1, SEEN), dtype=torch.long)
    with torch.no_grad():
        model(ids[:, : SEEN - NEW], **given)
        with FlopCounterMode(display=False, custom_mapping=_mended()) as counter:
            logits = model(ids[:, SEEN - NEW :], **given).logits
    return Plain(cache, counter.get_total_flops(), logits)


def _mended():
    """What PyTorch's counter leaves out: a triangular system of n rows takes n*n FLOP a column."""
    import torch

    def solve(left, right, *rest, out_shape=None, **given):
        return left[-1] * torch.Size(right).numel()

    return {torch.ops.aten.linalg_solve_triangular: solve}


def test_a_real_run_makes_the_calls_of_the_trace(family):
    from workloads.models.latent import absorbed
    from workloads.models.text_phases import _segments
    from workloads.models.text_shape import context_of

    _, trace, built, _ = family
    seen = absorbed(_segments(built, context_of(built), 1, 70))
    assert sized(seen, {}) == sized(trace.phases["decode"].segments, {"T": 1, "S": 70})
    layers = [s for s in _segments(built, context_of(built), NEW, SEEN) if s.name != "head"]
    said = [s for s in trace.phases["prefill"].segments if s.name != "head"]
    assert sized(layers, {}) == sized(said, {"T": NEW, "S": SEEN})


def test_parameters_are_those_of_the_class(family):
    counted = sum(p.numel() for p in family.built.model.parameters())
    assert family.trace.total_parameters == counted


def test_the_cache_of_a_plain_run_is_as_large_as_the_trace_says(family, plain):
    held = states = 0
    for layer in plain.cache.layers:
        for tensor in (getattr(layer, "keys", None), getattr(layer, "values", None)):
            held += tensor.numel() if tensor is not None else 0
        for kind in ("conv_states", "recurrent_states"):
            for tensor in (getattr(layer, kind, None) or {}).values():
                states += tensor.numel() * tensor.element_size() if tensor is not None else 0
    # between steps transformers keeps window - 1 tokens: the next one is the window's last
    expected = sum(
        part.elements * (min(SEEN, part.window_tokens - 1) if part.window_tokens else SEEN)
        for part in family.trace.cache
    )
    assert held == expected
    assert states == family.trace.state_bytes


def test_flops_are_those_of_pytorchs_counter_on_a_plain_run(family, plain):
    """Experts run one by one there, so that grouped products, which it leaves out, do not occur."""
    prefill = family.trace.phases["prefill"]
    layers = Phase("prefill", prefill.symbols, prefill.segments[:-1])
    head = Phase("prefill", prefill.symbols, prefill.segments[-1:])
    sizes = {"T": NEW, "S": SEEN}
    rows = plain.logits.shape[-2]  # the trace has the last token's
    assert plain.flops == phase_flops(layers, sizes) + rows * phase_flops(head, sizes)


def test_the_steps_read_every_weight_once(family):
    _, trace, built, _ = family
    read = set()
    for _, operator in trace.phases["decode"].operators():
        read |= {t.parameter for t in operator.inputs if t.role == "weight"}
    names = {name for name, _ in built.model.named_parameters()}
    path = f"{built.layers_path}."
    starred = {
        path + "*." + name[len(path) :].partition(".")[2] if name.startswith(path) else name
        for name in names
    }
    assert starred - read == set()
    assert 0 < trace.active_parameters <= trace.total_parameters
