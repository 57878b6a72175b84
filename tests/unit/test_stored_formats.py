"""How a checkpoint says its weights are stored, in the true form of each tool, becomes a format."""

import pytest

from workloads.errors import WorkloadError
from workloads.models.stored_formats import stored_formats
from workloads.weight_formats import get_format

LLAMA = {"model_type": "llama", "hidden_size": 2048}
INT4 = {"num_bits": 4, "type": "int", "symmetric": True, "strategy": "group", "group_size": 128}
FLOAT8 = {"num_bits": 8, "type": "float", "symmetric": True, "strategy": "channel"}
TENSORS = {
    "quant_method": "compressed-tensors",
    "format": "pack-quantized",
    "ignore": ["lm_head"],
    "kv_cache_scheme": None,
}
STATED = {
    "gptq": (
        {"bits": 4, "group_size": 128, "desc_act": False, "sym": True, "quant_method": "gptq"},
        "w4_g128",
    ),
    "gptq_8bit": ({"bits": 8, "group_size": 32, "quant_method": "gptq"}, "w8"),
    "gptq_per_row": ({"bits": 4, "group_size": -1, "quant_method": "gptq"}, "w4"),
    "awq": (
        {
            "bits": 4,
            "group_size": 64,
            "quant_method": "awq",
            "version": "gemm",
            "zero_point": True,
        },
        "w4_g64",
    ),
    "compressed_tensors": (
        {**TENSORS, "config_groups": {"group_0": {"targets": ["Linear"], "weights": INT4}}},
        "w4_g128",
    ),
    "compressed_tensors_fp8": (
        {**TENSORS, "config_groups": {"group_0": {"targets": ["Linear"], "weights": FLOAT8}}},
        "w8",
    ),
    "bitsandbytes": (
        {
            "quant_method": "bitsandbytes",
            "load_in_4bit": True,
            "load_in_8bit": False,
            "bnb_4bit_quant_type": "nf4",
            "bnb_4bit_use_double_quant": True,
        },
        "w4_g64",
    ),
    "bitsandbytes_8bit": (
        {"quant_method": "bitsandbytes", "load_in_4bit": False, "load_in_8bit": True},
        "w8",
    ),
    "torchao": (
        {
            "quant_method": "torchao",
            "quant_type": "int4_weight_only",
            "quant_type_kwargs": {"group_size": 32},
        },
        "w4_g32",
    ),
    "torchao_activations": (
        {"quant_method": "torchao", "quant_type": "int8_dynamic_activation_int4_weight"},
        "w4",
    ),
    "torchao_float8": (
        {
            "quant_method": "torchao",
            "quant_type": {"default": {"_type": "Float8WeightOnlyConfig", "_data": {}}},
        },
        "w8",
    ),
    "bitnet": (
        {"quant_method": "bitnet", "linear_class": "autobitlinear", "quantization_mode": "offline"},
        "bitnet",
    ),
    "fp8": ({"quant_method": "fp8", "weight_block_size": [128, 128], "fmt": "e4m3"}, "w8"),
    "mxfp4": (
        {"quant_method": "mxfp4", "modules_to_not_convert": ["model.layers.*.self_attn"]},
        "mxfp4",
    ),
}


@pytest.mark.parametrize("stated", sorted(STATED))
def test_a_quantised_checkpoint_is_read_as_it_is_stored(stated):
    quantised, expected = STATED[stated]
    found = stored_formats({**LLAMA, "quantization_config": quantised}, "model")
    assert found == {"body": expected}
    nested = {"model_type": "llava", "text_config": {**LLAMA, "quantization_config": quantised}}
    assert stored_formats(nested, "model") == {"body": expected}


def test_mlx_gives_its_bits_and_groups_under_a_key_of_its_own():
    assert stored_formats({**LLAMA, "quantization": {"group_size": 64, "bits": 4}}, "model") == {
        "body": "w4_g64"
    }


def test_a_plain_checkpoint_states_nothing():
    assert stored_formats({**LLAMA, "torch_dtype": "bfloat16"}, "model") == {}


@pytest.mark.parametrize(
    "quantised",
    [
        {"quant_method": "quark"},
        {"quant_method": "gptq", "bits": "four"},
        {"quant_method": "torchao", "quant_type": {"default": {"_type": "IntxWeightOnlyConfig"}}},
    ],
)
def test_what_is_not_understood_is_refused_with_the_way_out(quantised):
    with pytest.raises(WorkloadError, match=r"known method.*Remedy: remove it and give deployment"):
        stored_formats({**LLAMA, "quantization_config": quantised}, "model")


def test_every_format_that_a_checkpoint_can_state_is_known():
    for _, expected in STATED.values():
        assert 1 < get_format(expected).traffic_bits < 10
