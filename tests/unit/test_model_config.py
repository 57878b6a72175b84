"""Hugging Face configurations: what is read, what is refused, and in which words."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.errors import WorkloadError
from workloads.models.config_file import ARCHITECTURES, read_decoder, read_model, read_vision

QWEN3 = {
    "model_type": "qwen3",
    "hidden_size": 2560,
    "intermediate_size": 9728,
    "num_hidden_layers": 36,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "vocab_size": 151936,
    "rope_theta": 1000000,
    "tie_word_embeddings": True,
    "use_sliding_window": False,
    "sliding_window": 4096,
}
AIMV2 = {
    "model_type": "aimv2",
    "hidden_size": 1024,
    "intermediate_size": 2816,
    "num_hidden_layers": 24,
    "num_attention_heads": 8,
    "patch_size": 14,
    "image_size": 448,
}


def test_head_dim_is_the_stated_one():
    assert read_decoder(QWEN3, "c").head_dim == 128


@pytest.mark.parametrize(("model_type", "head_dim"), [("llama", 2560 // 32), ("qwen3", 128)])
def test_head_dim_falls_back_to_the_quotient_or_to_that_of_qwen3(model_type, head_dim):
    config = {key: value for key, value in QWEN3.items() if key != "head_dim"}
    assert read_decoder({**config, "model_type": model_type}, "c").head_dim == head_dim


@pytest.mark.parametrize(
    ("model_type", "field"),
    [
        ("qwen2", "qkv_bias"),
        ("qwen3", "qk_norm"),
        ("phi3", "fused_projections"),
        ("gemma3_text", "sandwich_norm"),
    ],
)
def test_what_an_architecture_adds(model_type, field):
    fields = ("qkv_bias", "qk_norm", "fused_projections", "sandwich_norm")
    decoder = read_decoder({**QWEN3, "model_type": model_type}, "c")
    implied = {"qk_norm"} if model_type == "gemma3_text" else set()
    assert {name for name in fields if getattr(decoder, name)} == {field} | implied


def test_null_is_as_good_as_nothing():
    config = {**QWEN3, "num_key_value_heads": None, "head_dim": None}
    assert read_decoder(config, "c").kv_heads == 32
    assert read_decoder(config, "c").head_dim == 2560 // 32


def test_windows():
    assert read_decoder(QWEN3, "c").window_tokens is None
    mistral = {**QWEN3, "model_type": "mistral", "use_sliding_window": True}
    assert read_decoder(mistral, "c").window_tokens == 4096
    longest = {**mistral, "max_position_embeddings": 4096}
    assert read_decoder(longest, "c").window_tokens is None


@pytest.mark.parametrize("model_type", ["qwen2", "qwen3"])
@pytest.mark.parametrize(
    ("change", "window"),
    [
        ({}, None),
        ({"use_sliding_window": True}, None),  # from layer 36 on, and there is none
        ({"use_sliding_window": True, "max_window_layers": 0}, 4096),
    ],
)
def test_qwen_has_a_window_only_where_its_file_asks_for_one(model_type, change, window):
    config = {key: value for key, value in QWEN3.items() if key != "use_sliding_window"}
    asked = {**config, "model_type": model_type, "max_window_layers": 36, **change}
    assert read_decoder(asked, "c").window_tokens == window
    if change:
        with pytest.raises(WorkloadError, match="max_window_layers must be 0 or at least the 36"):
            read_decoder({**asked, "max_window_layers": 20}, "c")


def test_every_sixth_layer_of_gemma_sees_everything():
    decoder = read_decoder({**QWEN3, "model_type": "gemma3_text", "sliding_window": 512}, "c")
    windows = [decoder.window_of(layer) for layer in range(12)]
    assert windows == [512] * 5 + [None] + [512] * 5 + [None]
    assert decoder.shape.window_layers == 30
    assert decoder.shape.window_tokens == 512


def test_layer_types_give_the_period_or_are_refused():
    gemma = {**QWEN3, "model_type": "gemma3_text"}
    types = ["sliding_attention", "sliding_attention", "full_attention"] * 12
    assert read_decoder({**gemma, "layer_types": types}, "c").window_period == 3
    windowed = read_decoder({**gemma, "layer_types": ["sliding_attention"] * 36}, "c")
    assert windowed.window_period == 0
    assert windowed.shape.window_layers == 36
    with pytest.raises(WorkloadError, match="layer_types must repeat"):
        read_decoder({**gemma, "layer_types": [*types[:-1], "sliding_attention"]}, "c")


def test_newer_files_keep_the_rotary_base_in_a_mapping():
    config = {key: value for key, value in QWEN3.items() if key != "rope_theta"}
    assert read_decoder({**config, "rope_parameters": {"rope_theta": 5e6}}, "c").rope_theta == 5e6
    with pytest.raises(WorkloadError, match="rope_parameters: rope_theta must be a number above 0"):
        read_decoder({**config, "rope_parameters": {"rope_theta": -1}}, "c")


def test_unknown_architecture_lists_the_known_ones():
    with pytest.raises(WorkloadError, match=r"gemma3, .*qwen3\. Got 'qwen4'"):
        read_decoder({**QWEN3, "model_type": "qwen4"}, "c")


def test_all_faults_are_told_at_once():
    with pytest.raises(WorkloadError) as caught:
        read_decoder({"model_type": "llama", "hidden_size": -1, "hidden_act": "relu"}, "my.json")
    message = str(caught.value)
    assert message.startswith(
        "my.json: hidden_size must be a whole number from 1 to 100000000. Got -1."
    )
    for key in ("intermediate_size", "num_hidden_layers", "vocab_size", "hidden_act"):
        assert key in message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_key_value_heads": 5}, "multiple of num_key_value_heads"),
        ({"attention_bias": True}, "attention_bias must be false"),
        ({"partial_rotary_factor": 0.75}, "partial_rotary_factor must be 1"),
        ({"num_hidden_layers": 10**6}, "num_hidden_layers must be a whole number from 1 to 1000"),
        ({"head_dim": 127}, "head_dim must be even"),
        ({"head_dim": -128}, "head_dim must be a whole number from 1"),
        ({"head_dim": 10**8}, "head_dim must be a whole number from 1 to 10000"),
        ({"num_attention_heads": 10**8}, "num_attention_heads must be a whole number from 1 to"),
        ({"head_dim": None, "hidden_size": 16}, "head_dim must be even"),
        ({"tie_word_embeddings": "yes"}, "tie_word_embeddings must be true or false"),
        ({"rope_theta": "10k"}, "rope_theta must be a number"),
    ],
)
def test_what_is_not_modelled_is_refused(change, message):
    with pytest.raises(WorkloadError, match=message):
        read_decoder({**QWEN3, **change}, "c")


@given(
    st.dictionaries(
        st.sampled_from([*QWEN3, "layer_types", "rope_parameters"]),
        st.one_of(st.none(), st.integers(), st.floats(), st.text(max_size=4), st.just([])),
    ),
    st.sampled_from(sorted(ARCHITECTURES)),
)
def test_any_mapping_is_read_or_refused(change, model_type):
    try:
        decoder = read_decoder({**QWEN3, **change, "model_type": model_type}, "c")
    except WorkloadError:
        return
    assert decoder.q_heads % decoder.kv_heads == 0


def test_vision_positions_are_the_grid_of_the_training_size():
    assert read_vision(AIMV2, "c").positions == 1024
    assert read_vision(AIMV2, "c").shape.cell_px == 28


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_stride": 3}, "hidden_stride must be a whole number from 1 to 2"),
        ({"num_attention_heads": 3}, "multiple of four times num_attention_heads"),
        ({"num_attention_heads": 512}, "multiple of four times num_attention_heads"),
        ({"image_size": 7}, "image_size must be at least the patch_size 14"),
        ({"image_size": None}, "image_size must be a whole number"),
        ({"image_size": 10**8}, "image_size must be a whole number from 1 to 100000"),
    ],
)
def test_a_vision_encoder_that_can_not_be_built_is_refused(change, message):
    with pytest.raises(WorkloadError, match=message):
        read_vision({**AIMV2, **change}, "c")


def test_foreign_vision_towers_are_refused_and_gemma_is_text_only():
    foreign = {"text_config": QWEN3, "vision_config": {"model_type": "clip_vision_model"}}
    with pytest.raises(WorkloadError, match="must be aimv2 or siglip2"):
        read_model(foreign, "llava")
    gemma = {"model_type": "gemma3", **foreign}
    assert read_model(gemma, "gemma").vision is None


def test_the_digest_follows_what_shapes_operators_and_nothing_else():
    model = read_model({"text_config": QWEN3, "vision_config": AIMV2}, "m")
    assert dataclasses.replace(model, id="other", sources=("x",)).digest == model.digest
    assert dataclasses.replace(model, vision=None).digest != model.digest
