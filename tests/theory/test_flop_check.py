"""Four independent counts of the matrix FLOP agree to the last digit."""

import dataclasses

import pytest

from workloads.catalogue import get_model
from workloads.flop_check import MODELS, FlopCounts, check, closed_form_flops, phase_flops
from workloads.trace import PHASES
from workloads.trace_file import load_trace

# AndesVL-1B has the decoder of AndesVL-0.6B, so its text phases are compared below instead
CASES = [
    (model, phase)
    for model in MODELS
    for phase in PHASES
    if model != "andesvl-1b" or phase == "vision"
]


@pytest.mark.torch
@pytest.mark.parametrize(("model", "phase"), CASES)
def test_four_counts_agree(model, phase):
    pytest.importorskip("torch")
    pytest.importorskip("fvcore")
    counts = check(model, phase)
    assert counts.agree, counts
    assert counts.trace > 10**9


def test_models_with_one_decoder_have_one_text_trace():
    first, second = load_trace("andesvl-0.6b"), load_trace("andesvl-1b")
    assert first.phases["prefill"] == second.phases["prefill"]
    assert first.phases["decode"] == second.phases["decode"]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("phase", "sizes"),
    [
        ("vision", {"N": 16}),
        ("vision", {"N": 13416}),
        ("prefill", {"T": 128, "S": 4096}),
        ("decode", {"T": 1, "S": 131072}),
        ("decode", {"T": 8, "S": 512}),
    ],
)
def test_the_trace_agrees_with_the_closed_form_everywhere(model, phase, sizes):
    found = phase_flops(load_trace(model).phases[phase], sizes)
    assert found == closed_form_flops(get_model(model), phase, sizes)


@pytest.mark.parametrize(
    ("patches", "gmac"),
    [(1024, 374.8), (1156, 430.6), (1296, 491.7), (2880, 1316.9), (5120, 2904.9), (16384, 18366.6)],
)
def test_vision_work_of_the_largest_model(patches, gmac):
    flops = phase_flops(load_trace("andesvl-4b").phases["vision"], {"N": patches})
    assert flops / 2e9 == pytest.approx(gmac, abs=0.05)


def test_one_count_that_differs_is_a_disagreement():
    counts = FlopCounts(trace=8, fvcore=8, torch=8, closed=8)
    assert counts.agree
    assert not dataclasses.replace(counts, fvcore=4).agree
