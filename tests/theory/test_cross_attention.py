"""Layers of cross attention to an image: what they do, keep and cost beside the text model."""

import math
from functools import cache

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from sim import simulate
from sim.showing import text_of
from tests.vision_families import TEXT as LLAMA
from tests.vision_families import VISION_FAMILIES
from workloads.trace import CROSS
from workloads.trace_file import format_trace, parse_trace, save_trace

pytestmark = pytest.mark.torch

ENTRY = VISION_FAMILIES["canvas_mllama"]
TEXT = ENTRY["text_config"]
STATES = 4 * 17
LAYERS = len(TEXT["cross_attention_layers"])
HEADS, DEPTH, HIDDEN = TEXT["num_key_value_heads"], TEXT["head_dim"], TEXT["hidden_size"]


@cache
def trace():
    from workloads.capture import capture_entry

    return capture_entry(ENTRY, "seeing")


def weights(phase):
    return {
        tensor.parameter
        for _, operator in trace().phases[phase].operators()
        for tensor in operator.inputs
        if tensor.role == "weight"
    }


def test_its_layers_are_apart_from_those_of_the_text():
    assert any(".cross_attn." in name for name in weights(CROSS))
    assert not any("cross_attn" in name for name in weights("prefill") | weights("decode"))
    assert not any("self_attn" in name for name in weights(CROSS))
    assert trace().decoder.layers == TEXT["num_hidden_layers"] - LAYERS


def test_keys_are_made_once_and_read_at_every_step():
    made = {name for name in weights("vision") if "language_model" in name}
    assert {name.rpartition(".cross_attn.")[2] for name in made} == {
        "k_norm.weight",
        "k_proj.weight",
        "v_proj.weight",
    }
    assert not any("k_proj" in name or "v_proj" in name for name in weights(CROSS))
    assert trace().cross_elements == 2 * LAYERS * HEADS * DEPTH


def test_a_step_with_an_image_reads_every_state():
    from workloads.flop_check import phase_flops

    few, many = (phase_flops(trace().phases[CROSS], {"T": 3, "X": x}) for x in (10, 90))
    query = TEXT["num_attention_heads"] * DEPTH
    assert many - few == LAYERS * 2 * 2 * 3 * 80 * query


def test_a_file_holds_it():
    again = parse_trace(format_trace(trace()))
    assert again.phases[CROSS] == trace().phases[CROSS]
    assert again.image_rule == trace().image_rule


def test_parameters_of_all_phases_are_all_parameters():
    held = set().union(*(weights(phase) for phase in trace().phases))
    assert any("cross_attn_attn_gate" in name for name in held)
    from workloads.models.from_transformers import build, read_config

    model = build(read_config(ENTRY, "seeing"), "seeing").model
    assert math.fsum(p.numel() for p in model.parameters()) == trace().total_parameters


@pytest.fixture
def ask(tmp_path):
    file = tmp_path / "seeing.json"
    save_trace(trace(), file)

    def asked(*turns, **more):
        given = [{"prompt_tokens": 40, "output_tokens": 6, "images_px": [], **t} for t in turns]
        return simulate(set={"model": str(file), "session.turns": given, **more})

    return asked


def test_text_without_an_image_is_the_same_text_model(ask, tmp_path):
    from workloads.capture import capture_entry

    file = tmp_path / "text.json"
    layers = TEXT["num_hidden_layers"] - LAYERS
    save_trace(capture_entry({**LLAMA, "num_hidden_layers": layers}, "text"), file)
    turn = {"prompt_tokens": 40, "output_tokens": 6, "images_px": []}
    plain = simulate(set={"model": str(file), "session.turns": [turn]}).program
    blind = ask({}).program
    for quantity in ("flops", "kv_read_bytes", "kv_write_bytes", "weight_bytes"):
        same = pytest.approx(plain.total(quantity), rel=1e-9)
        assert blind.total(quantity) == same, quantity


def test_an_image_is_kept_and_read_by_every_later_step(ask):
    image = {"images_px": [[1080, 2400]]}
    blind, one, more = (
        ask({}, {}).program,
        ask(image, {}).program,
        ask(image, {"images_px": [[64, 64]]}).program,
    )
    state = trace().cross_elements * blind.kv_bytes_per_token / trace().kv_elements_per_token
    read = [p.total("kv_read_bytes", "decode") for p in (blind, one)]
    steps = 2 * 5  # of a cache of one static size, which the image's tag does not change
    assert read[1] - read[0] == pytest.approx(steps * STATES * state, rel=1e-9)
    assert (blind.image_states, one.image_states, more.image_states) == (0, STATES, 2 * STATES)
    assert (blind.visual_tokens, one.visual_tokens) == (0, STATES)
    assert one.total("kv_write_bytes", "vision") == pytest.approx(STATES * state, rel=1e-9)
    held = more.resident_bytes["kv_cache"] - one.resident_bytes["kv_cache"]
    assert held == pytest.approx(STATES * state, rel=1e-9)


def test_the_head_line_says_what_is_read_of_an_image(ask):
    result = ask({"images_px": [[1080, 2400]]})
    assert f"1 image ({STATES} visual states)" in text_of(result)
    assert result.summary().visual_tokens == STATES
