"""AndesVL's own modules compute what transformers' classes do: same weights, same result.

AndesVL turns queries and keys by their place and resizes the table of positions to the image; the
classes do neither, so here places turn nothing and the image has the size of the table.
"""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from workloads.models.andesvl import TextPhase, build  # noqa: E402
from workloads.models.config import DecoderConfig, ModelConfig, VisionConfig  # noqa: E402
from workloads.models.vision import Grid, VisionEncoder, by_cell  # noqa: E402

pytestmark = pytest.mark.torch

SIDE, PATCH, HIDDEN, HEADS, LAYERS, WIDE = 6, 4, 32, 2, 3, 48
EXACT = {"rtol": 1e-5, "atol": 1e-5}
SIZES = {
    "hidden_size": HIDDEN,
    "intermediate_size": WIDE,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "patch_size": PATCH,
}
NAMES = {
    "aimv2": {
        "embeddings.patch_embed.": "patch_embed.",
        "embeddings.rms_norm.": "patch_norm.",
        "embeddings.position_embedding.weight": "position",
        "encoder.layers.": "layers.",
        ".ffn.gate_proj.": ".mlp.fc1.",
        ".ffn.up_proj.": ".mlp.fc3.",
        ".ffn.down_proj.": ".mlp.fc2.",
        ".rms_norm": ".norm",
        "rms_norm.": "post_norm.",
    },
    "siglip2": {
        "embeddings.patch_embedding.": "patch_embed.",
        "embeddings.position_embedding.weight": "position",
        "encoder.layers.": "layers.",
        ".self_attn.": ".attention.",
        ".layer_norm": ".norm",
        "post_layernorm.": "post_norm.",
    },
}


def randomised(module):
    torch.manual_seed(7)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return module.float().eval().requires_grad_(False)


def renamed(module, names):
    tensors = {}
    for name, tensor in module.state_dict().items():
        new = name.removeprefix("vision_model.")
        for theirs, ours in names.items():
            new = new.replace(theirs, ours)
        tensors[new] = tensor
    return tensors


def rows_first(patches):
    """Return (SIDE * SIDE, ...) patches in the order of cells, which AndesVL's encoder takes."""
    return by_cell(patches.reshape(SIDE, SIDE, -1), 2).reshape(patches.shape)


def encoded(family, tensors, patches):
    config = VisionConfig(family, LAYERS, HIDDEN, WIDE, HEADS, PATCH, SIDE * SIDE, 1e-6)
    model = VisionEncoder(config).float().eval().requires_grad_(False)
    model.load_state_dict(tensors)
    still = torch.ones(SIDE * SIDE, HIDDEN // HEADS), torch.zeros(SIDE * SIDE, HIDDEN // HEADS)
    return model(rows_first(patches), Grid(rows_first(tensors["position"]), *still))


def cut(image):
    """Return an image as (patches, 3, PATCH, PATCH), row by row."""
    patches = image[0].unfold(1, PATCH, PATCH).unfold(2, PATCH, PATCH)
    return patches.permute(1, 2, 0, 3, 4).reshape(-1, 3, PATCH, PATCH)


def test_aimv2_is_the_class_of_transformers():
    from transformers import Aimv2VisionConfig, Aimv2VisionModel

    config = Aimv2VisionConfig(
        **SIZES, image_size=SIDE * PATCH, rms_norm_eps=1e-6, use_head=False, is_native=False
    )
    theirs = randomised(Aimv2VisionModel(config))
    image = torch.randn(1, 3, SIDE * PATCH, SIDE * PATCH)
    expected = theirs(image).last_hidden_state[0]
    made = encoded("aimv2", renamed(theirs, NAMES["aimv2"]), cut(image))
    torch.testing.assert_close(made, rows_first(expected), **EXACT)


def test_siglip2_is_the_class_of_transformers():
    from transformers import Siglip2VisionConfig, Siglip2VisionModel

    config = Siglip2VisionConfig(
        **SIZES, num_patches=SIDE * SIDE, layer_norm_eps=1e-6, vision_use_head=False
    )
    theirs = randomised(Siglip2VisionModel(config))
    image = torch.randn(1, 3, SIDE * PATCH, SIDE * PATCH)
    patches = cut(image)
    expected = theirs(
        pixel_values=patches.permute(0, 2, 3, 1).reshape(1, SIDE * SIDE, -1),
        pixel_attention_mask=torch.ones(1, SIDE * SIDE, dtype=torch.long),
        spatial_shapes=torch.tensor([[SIDE, SIDE]]),
    ).last_hidden_state[0]
    tensors = renamed(theirs, NAMES["siglip2"])
    linear = tensors["patch_embed.weight"].reshape(HIDDEN, PATCH, PATCH, 3)
    tensors["patch_embed.weight"] = linear.permute(0, 3, 1, 2).contiguous()
    made = encoded("siglip2", tensors, patches)
    torch.testing.assert_close(made, rows_first(expected), **EXACT)


def test_the_decoder_is_qwen3_of_transformers():
    from transformers import Qwen3Config, Qwen3ForCausalLM

    config = DecoderConfig(LAYERS, 48, 80, 4, 2, 16, 101, True, 1e4, 1e-6, qk_norm=True)
    theirs = randomised(
        Qwen3ForCausalLM(
            Qwen3Config(
                hidden_size=48,
                intermediate_size=80,
                num_hidden_layers=LAYERS,
                num_attention_heads=4,
                num_key_value_heads=2,
                head_dim=16,
                vocab_size=101,
                tie_word_embeddings=True,
                rms_norm_eps=1e-6,
                rope_parameters={"rope_type": "default", "rope_theta": 1e4},
            )
        )
    )
    ours = build(ModelConfig("test", config), device="cpu", dtype=torch.float32)
    ours.load(theirs.state_dict())
    ids = torch.arange(11) * 7 % 101
    phase = TextPhase(ours, ours.cache(len(ids)), ours.model.span(0, len(ids)), last_only=False)
    torch.testing.assert_close(phase(ids), theirs(input_ids=ids[None]).logits[0], **EXACT)
