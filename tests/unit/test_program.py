"""Programs: steps, chunks, padding, buckets, tiles and residency of compiled sessions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw_models.soc import load_soc
from sim import Scenario
from sim.planning import plan
from workloads.errors import WorkloadError
from workloads.program import Program, StepGroup

DEVICE = load_soc("ideal_85gbps_50tflops")


def compiled(
    turns: list[dict[str, Any]], model: str = "smollm2-135m", device: str = DEVICE.id, **parts: Any
) -> Program:
    asked = Scenario.from_mapping(
        {"device": device, "model": model, "session": {"turns": turns}, **parts}
    )
    return plan(asked, load_soc(device)).program


def group(program: Program, phase: str, turn: int = 0) -> StepGroup:
    (found,) = (g for g in program.groups if (g.phase, g.turn) == (phase, turn))
    return found


def test_a_turn_is_vision_then_prefill_then_decode():
    program = compiled(
        [
            {"images_px": [[320, 240], [640, 480]], "prompt_tokens": 8, "output_tokens": 3},
            {"prompt_tokens": 8, "output_tokens": 1},
        ],
        model="andesvl-0.6b",
    )
    phases = [(g.phase, g.turn, g.steps) for g in program.groups]
    assert phases == [("vision", 0, 2), ("prefill", 0, 1), ("decode", 0, 2), ("prefill", 1, 1)]


def test_the_first_token_comes_from_prefill_the_rest_from_decode():
    program = compiled([{"prompt_tokens": 10, "output_tokens": 6}])
    assert group(program, "prefill").committed_tokens.sum() == 1
    assert group(program, "decode").committed_tokens.tolist() == [1.0] * 5


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 700), st.sampled_from([1, 7, 64, 128]))
def test_chunks_cover_the_prompt_and_the_last_is_what_is_left(prompt, chunk):
    program = compiled(
        [{"prompt_tokens": prompt, "output_tokens": 1}], deployment={"prefill_chunk_tokens": chunk}
    )
    prefill = group(program, "prefill")
    assert prefill.steps == -(-prompt // chunk)
    assert set(prefill.new_tokens[:-1]) <= {float(chunk)}
    assert 0 < prefill.new_tokens[-1] <= chunk
    assert prefill.live_tokens[-1] == prompt
    assert prefill.new_tokens.sum() == prompt


def test_the_lm_head_runs_once_per_turn_in_prefill_and_in_every_decode_step():
    program = compiled(
        [{"prompt_tokens": 300, "output_tokens": 4}], deployment={"prefill_chunk_tokens": 64}
    )
    for phase, expected in (("prefill", [0, 0, 0, 0, 1]), ("decode", [1, 1, 1])):
        (head,) = (task for task, _ in group(program, phase).tasks() if task.name == "lm_head")
        assert head.runs.tolist() == expected


def test_decode_sees_one_token_more_in_each_step():
    decode = group(compiled([{"prompt_tokens": 10, "output_tokens": 5}]), "decode")
    assert decode.visible_tokens.tolist() == [11.0, 12.0, 13.0, 14.0]


def test_a_static_graph_attends_to_its_whole_bucket():
    program = compiled(
        [{"prompt_tokens": 10, "output_tokens": 5}],
        deployment={"kv_cache": {"capacity_tokens": 512}},
        device="dimensity_9500",
    )
    decode = group(program, "decode")
    assert set(decode.visible_tokens) == {512.0}
    assert decode.live_tokens.tolist() == [11.0, 12.0, 13.0, 14.0]


def test_a_second_turn_continues_the_cache_of_the_first():
    turns = [{"prompt_tokens": 10, "output_tokens": 5}, {"prompt_tokens": 7, "output_tokens": 2}]
    program = compiled(turns)
    assert group(program, "decode", 0).live_tokens[-1] == 14
    assert group(program, "prefill", 1).live_tokens.tolist() == [21.0]
    assert program.kv_tokens_final == 22


def test_a_cache_too_small_for_the_session_is_refused_with_the_size_it_needs():
    with pytest.raises(WorkloadError, match=r"at least 14 .* Got 13"):
        compiled(
            [{"prompt_tokens": 10, "output_tokens": 5}],
            deployment={"kv_cache": {"capacity_tokens": 13}},
        )


def test_a_turn_without_prompt_or_image_is_refused():
    with pytest.raises(WorkloadError, match="a prompt token or an image"):
        compiled([{"prompt_tokens": 0}])


def test_resident_bytes_are_those_of_the_formats():
    program = compiled(
        [{"prompt_tokens": 10, "output_tokens": 5}],
        deployment={"kv_cache": {"dtype": "int8", "capacity_tokens": 100}},
    )
    layers, kv_heads, head_dim = 30, 3, 64
    per_token = 2 * layers * kv_heads * head_dim
    assert program.kv_bytes_per_token == per_token
    assert program.resident_bytes["kv_cache"] == 100 * per_token
    assert program.resident_bytes["vision"] == 0.0


def test_what_decode_streams_is_what_is_resident():
    program = compiled([{"prompt_tokens": 10, "output_tokens": 5}], model="qwen3-0.6b")
    assert program.weight_bytes_per_step == program.resident_bytes["weights"]


@settings(max_examples=40, deadline=None)
@given(st.floats(2**10, 2**24))
def test_tiles_fill_operand_buffers_and_carry_every_byte(operand_bytes):
    decode = group(compiled([{"prompt_tokens": 10, "output_tokens": 4}]), "decode")
    for task, _ in decode.tasks():
        tiles = task.tiles(operand_bytes)
        assert (tiles >= 1).all()
        assert (tiles * operand_bytes >= task.dram_bytes).all()
        assert ((tiles - 1) * operand_bytes <= task.dram_bytes).all()


def test_fusion_changes_neither_flops_nor_weights_but_saves_activations():
    totals = {}
    for fusion in ("none", "elementwise", "attention"):
        program = compiled(
            [{"prompt_tokens": 4000, "output_tokens": 2}],
            device="dimensity_9500",
            deployment={"fusion": fusion, "prefill_chunk_tokens": 4096},
        )
        totals[fusion] = [
            program.total(name) for name in ("flops", "weight_bytes", "activation_write_bytes")
        ]
    none, elementwise, attention = totals.values()
    assert none[:2] == elementwise[:2] == attention[:2]
    assert none[2] >= elementwise[2] >= attention[2]
    assert none[2] > attention[2]


def test_exceptions_by_layer_split_the_layers_and_change_their_bytes():
    mixed = compiled(
        [{"prompt_tokens": 4, "output_tokens": 2}],
        deployment={"weights": {"body": "w4", "layers": {"0-3": "w8"}}},
    )
    layers = [
        (part.repeat, sum(float(task.weight_bytes[0]) for task in part.tasks))
        for part in group(mixed, "decode").segments
        if part.is_layer
    ]
    assert [repeat for repeat, _ in layers] == [4, 26]
    assert layers[0][1] == pytest.approx(2 * layers[1][1], rel=0.02)


def test_totals_are_sums_over_steps_and_layers():
    program = compiled([{"prompt_tokens": 10, "output_tokens": 5}])
    decode = group(program, "decode")
    by_hand = sum(repeat * float(np.dot(task.flops, task.runs)) for task, repeat in decode.tasks())
    assert decode.total("flops") == by_hand
    phases = sum(program.total("flops", phase) for phase in ("prefill", "decode"))
    assert program.total("flops") == phases


def test_what_no_step_changes_is_one_number_that_nobody_can_write_to():
    program = compiled([{"prompt_tokens": 64, "output_tokens": 9}])
    tasks = {task.kind: task for task, _ in group(program, "decode").tasks()}
    linear, attention = tasks["linear"], tasks["attention"]
    assert linear.weight_bytes.shape == attention.kv_read_bytes.shape == (8,)
    assert linear.weight_bytes.strides == (0,)
    assert np.unique(attention.kv_read_bytes).size == 8
    with pytest.raises(ValueError, match="read-only"):
        linear.weight_bytes[0] = 1.0
