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


@pytest.mark.parametrize(("model_type", "norms"), [("llama", False), ("qwen3", True)])
def test_qwen3_adds_norms_of_heads_to_llama(model_type, norms):
    assert read_decoder({**QWEN3, "model_type": model_type}, "c").qk_norm is norms


def test_null_is_as_good_as_nothing():
    config = {**QWEN3, "num_key_value_heads": None, "head_dim": None}
    assert read_decoder(config, "c").kv_heads == 32
    assert read_decoder(config, "c").head_dim == 2560 // 32


def test_a_window_is_refused():
    with pytest.raises(WorkloadError, match="use_sliding_window must be false"):
        read_decoder({**QWEN3, "use_sliding_window": True}, "c")


def test_newer_files_keep_the_rotary_base_in_a_mapping():
    config = {key: value for key, value in QWEN3.items() if key != "rope_theta"}
    assert read_decoder({**config, "rope_parameters": {"rope_theta": 5e6}}, "c").rope_theta == 5e6
    with pytest.raises(WorkloadError, match="rope_parameters: rope_theta must be a number above 0"):
        read_decoder({**config, "rope_parameters": {"rope_theta": -1}}, "c")


@pytest.mark.parametrize("model_type", ["qwen4", "phi3", None])
def test_a_decoder_of_another_type_is_refused_with_the_way_to_its_class(model_type):
    with pytest.raises(WorkloadError, match=r"must be llama or qwen3\. Got .*Remedy: leave out"):
        read_decoder({**QWEN3, "model_type": model_type}, "c")


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
        st.sampled_from([*QWEN3, "rope_parameters"]),
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


def test_foreign_vision_towers_are_refused():
    foreign = {"text_config": QWEN3, "vision_config": {"model_type": "clip_vision_model"}}
    with pytest.raises(WorkloadError, match="must be aimv2 or siglip2"):
        read_model(foreign, "llava")


def test_the_digest_follows_what_shapes_operators_and_nothing_else():
    model = read_model({"text_config": QWEN3, "vision_config": AIMV2}, "m")
    assert dataclasses.replace(model, id="other", sources=("x",)).digest == model.digest
    assert dataclasses.replace(model, vision=None).digest != model.digest
