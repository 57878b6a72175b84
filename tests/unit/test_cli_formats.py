"""`andesim formats`: formulas, and the mixes that reach a mean of bits per weight."""

from __future__ import annotations

import json

import pytest


def test_every_format_has_its_formula_and_source(andesim):
    rows = {row["id"]: row for row in json.loads(andesim("formats", "--json").out)}
    assert rows["w4_g128_z"]["formula"] == "4 + (16 + 4) / 128"
    assert all(row["formula"] and row["source"] for row in rows.values())


def test_mixes_reach_1_8_bits_over_body_and_head(andesim):
    mixes = json.loads(andesim("formats", "--bpw", "1.8", "--json").out)
    weights = 3_633_511_936 + 388_956_160
    for mix in mixes:
        assert mix["bits"] == pytest.approx(1.8, abs=0.02)
        assert mix["step_bytes"] == pytest.approx(mix["bits"] * weights / 8)
    assert ("sparse75_int4_entropy", "tq1_0") in {(mix["body"], mix["lm_head"]) for mix in mixes}
    assert "905" in andesim("formats", "--bpw", "1.8").out


def test_a_head_in_8_bits_leaves_the_0_6b_model_far_from_1_8(andesim):
    chosen = ("--fix", "lm_head=w8", "--model", "qwen3-0.6b")
    mixes = json.loads(andesim("formats", "--bpw", "1.8", *chosen, "--json").out)
    assert {mix["lm_head"] for mix in mixes} == {"w8"}
    assert mixes[0]["bits"] == pytest.approx(2.92, abs=0.01)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("--bpw", "0"), ("--bpw", "above 0")),
        (("--fix", "body=w2"), ("--fix must come with --bpw",)),
        (("w4", "--bpw", "1.8"), ("--bpw must come without", "w4")),
        (("--bpw", "1.8", "--fix", "vision=w8"), ("body=FORMAT",)),
        (("--bpw", "1.8", "--fix", "lm_head=w9"), ("w9", "w8")),
        (("--bpw", "1.8", "--model", "qwen3-8bb"), ("qwen3-8b",)),
    ],
)
def test_bad_questions_are_sentences(andesim, arguments, parts):
    outcome = andesim("formats", *arguments)
    assert outcome.code == 2
    for part in parts:
        assert part in outcome.err
