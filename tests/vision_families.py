"""Small vision-language models of many families, and the image processor that each of them has."""

TEXT = {
    "model_type": "llama",
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "vocab_size": 64,
    "max_position_embeddings": 512,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
TOWER = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
}
SIGLIP = {
    **TOWER,
    "model_type": "siglip_vision_model",
    "image_size": 56,
    "patch_size": 14,
    "vision_use_head": False,
}
CLIP = {**TOWER, "model_type": "clip_vision_model", "image_size": 56, "patch_size": 14}
MROPE = {"rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 3, 3]}}
QWEN_EYES = {
    "depth": 4,
    "hidden_size": 32,
    "num_heads": 2,
    "intermediate_size": 48,
    "patch_size": 14,
    "spatial_merge_size": 2,
}
QWEN3_EYES = {
    **QWEN_EYES,
    "patch_size": 16,
    "out_hidden_size": 32,
    "num_position_embeddings": 256,
    "deepstack_visual_indexes": [1, 2],
}
LLAMA3 = {"rope_parameters": {"rope_type": "default", "rope_theta": 5e5}}
POINTS = [[56, 112], [112, 56], [112, 112], [168, 56], [56, 168]]


def _text(model_type, **more):
    return {**TEXT, "model_type": model_type, **more}


VISION_FAMILIES = {
    "fixed_gemma3": {
        "model_type": "gemma3",
        "mm_tokens_per_image": 4,
        "text_config": _text("gemma3_text"),
        "vision_config": SIGLIP,
    },
    "fixed_llava": {
        "model_type": "llava",
        "image_seq_length": 16,
        "vision_feature_layer": -2,
        "text_config": TEXT,
        "vision_config": CLIP,
        "image_token_index": 5,
    },
    "fixed_paligemma": {
        "model_type": "paligemma",
        "projection_dim": 32,
        "text_config": _text("gemma"),
        "vision_config": {**SIGLIP, "projection_dim": 32},
        "image_token_index": 5,
    },
    "native_qwen2_5_vl": {
        "model_type": "qwen2_5_vl",
        "text_config": _text("qwen2_5_vl_text", **MROPE),
        "vision_config": {
            **QWEN_EYES,
            "out_hidden_size": 32,
            "window_size": 112,
            "fullatt_block_indexes": [1, 3],
        },
    },
    "native_qwen2_vl": {
        "model_type": "qwen2_vl",
        "text_config": _text("qwen2_vl_text", **MROPE),
        "vision_config": {**QWEN_EYES, "embed_dim": 32, "mlp_ratio": 2},
    },
    "native_qwen3_vl": {
        "model_type": "qwen3_vl",
        "text_config": _text("qwen3_vl_text", **MROPE),
        "vision_config": QWEN3_EYES,
    },
    "tiles_internvl": {
        "model_type": "internvl",
        "downsample_ratio": 0.5,
        "text_config": _text("qwen2"),
        "vision_config": {
            **TOWER,
            "model_type": "internvl_vision",
            "image_size": [56, 56],
            "patch_size": [14, 14],
        },
        "image_token_id": 5,
    },
    "split_smolvlm": {
        "model_type": "smolvlm",
        "scale_factor": 2,
        "text_config": TEXT,
        "vision_config": {
            **TOWER,
            "model_type": "smolvlm_vision",
            "image_size": 56,
            "patch_size": 14,
        },
        "image_token_id": 5,
    },
    "split_idefics3": {
        "model_type": "idefics3",
        "scale_factor": 2,
        "text_config": TEXT,
        "vision_config": {
            **TOWER,
            "model_type": "idefics3_vision",
            "image_size": 56,
            "patch_size": 14,
        },
        "image_token_id": 5,
    },
    "anyres_llava_next": {
        "model_type": "llava_next",
        "image_grid_pinpoints": POINTS,
        "text_config": TEXT,
        "vision_config": CLIP,
        "image_token_index": 5,
    },
    "anyres_llava_onevision": {
        "model_type": "llava_onevision",
        "image_grid_pinpoints": POINTS,
        "vision_aspect_ratio": "anyres_max_9",
        "text_config": _text("qwen2"),
        "vision_config": SIGLIP,
        "image_token_index": 5,
    },
    "bounded_mistral3": {
        "model_type": "mistral3",
        "spatial_merge_size": 2,
        "text_config": _text("mistral"),
        "vision_config": {
            **TOWER,
            "model_type": "pixtral",
            "image_size": 1540,
            "patch_size": 14,
            "head_dim": 16,
        },
        "image_token_index": 5,
    },
    "bounded_llava": {
        "model_type": "llava",
        "image_seq_length": 1,
        "vision_feature_layer": -1,
        "vision_feature_select_strategy": "full",
        "text_config": _text("mistral"),
        "vision_config": {
            **TOWER,
            "model_type": "pixtral",
            "image_size": 1024,
            "patch_size": 16,
            "head_dim": 16,
        },
        "image_token_index": 5,
    },
    "padded_lfm2_vl": {
        "model_type": "lfm2_vl",
        "projector_hidden_size": 32,
        "text_config": _text("lfm2", block_ff_dim=48, layer_types=["full_attention"]),
        "vision_config": {
            **TOWER,
            "model_type": "siglip2_vision_model",
            "num_patches": 16,
            "patch_size": 16,
            "vision_use_head": False,
        },
        "image_token_id": 5,
    },
    "pooled_gemma4": {
        "model_type": "gemma4",
        "text_config": _text(
            "gemma4_text", num_hidden_layers=2, layer_types=["sliding_attention", "full_attention"]
        ),
        "vision_config": {
            **TOWER,
            "model_type": "gemma4_vision",
            "num_key_value_heads": 2,
            "head_dim": 16,
            "patch_size": 16,
            "pooling_kernel_size": 3,
            "position_embedding_size": 128,
        },
    },
    "canvas_mllama": {
        "model_type": "mllama",
        "text_config": _text(
            "mllama_text_model", num_hidden_layers=3, cross_attention_layers=[1], **LLAMA3
        ),
        "vision_config": {
            "model_type": "mllama_vision_model",
            "hidden_size": 32,
            "attention_heads": 2,
            "intermediate_size": 48,
            "num_hidden_layers": 3,
            "num_global_layers": 1,
            "intermediate_layers_indices": [0, 2],
            "vision_output_dim": 96,
            "image_size": 56,
            "patch_size": 14,
            "max_num_tiles": 4,
            "supported_aspect_ratios": [[1, 1], [1, 2], [1, 3], [1, 4], [2, 1], [2, 2], [3, 1]],
        },
        "image_token_index": 5,
    },
    "trimmed_phi4_multimodal": {
        **_text("phi4_multimodal"),
        "vision_config": {**TOWER, "image_size": 56, "crop_size": 56, "image_token_id": 5},
        "audio_config": {
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_blocks": 1,
            "num_attention_heads": 2,
            "ext_pw_out_channel": 32,
            "depthwise_separable_out_channel": 32,
            "nemo_conv_channels": 32,
            "audio_token_id": 6,
        },
    },
    "slices_minicpmv4_6": {
        "model_type": "minicpmv4_6",
        "text_config": _text("qwen3_5_text", layer_types=["full_attention"], **MROPE),
        "vision_config": {
            **TOWER,
            "model_type": "minicpmv4_6_vision",
            "image_size": 448,
            "patch_size": 14,
            "insert_layer_id": 1,
        },
        "image_token_id": 5,
    },
}
"""Entries by the kind of their image rule and their type."""

PROCESSORS = {
    "fixed_gemma3": ("gemma3", "Gemma3ImageProcessorPil", {"size": {"height": 56, "width": 56}}),
    "native_qwen2_vl": (
        "qwen2_vl",
        "Qwen2VLImageProcessorPil",
        {"size": {"shortest_edge": 3136, "longest_edge": 12_845_056}},
    ),
    "native_qwen2_5_vl": (
        "qwen2_vl",
        "Qwen2VLImageProcessorPil",
        {"size": {"shortest_edge": 3136, "longest_edge": 12_845_056}},
    ),
    "native_qwen3_vl": (
        "qwen2_vl",
        "Qwen2VLImageProcessorPil",
        {"patch_size": 16, "size": {"shortest_edge": 65_536, "longest_edge": 16_777_216}},
    ),
    "tiles_internvl": (
        "got_ocr2",
        "GotOcr2ImageProcessorPil",
        {"size": {"height": 56, "width": 56}, "crop_to_patches": True},
    ),
    "split_smolvlm": (
        "smolvlm",
        "SmolVLMImageProcessorPil",
        {"size": {"longest_edge": 224}, "max_image_size": {"longest_edge": 56}},
    ),
    "split_idefics3": (
        "idefics3",
        "Idefics3ImageProcessorPil",
        {"size": {"longest_edge": 224}, "max_image_size": {"longest_edge": 56}},
    ),
    "bounded_mistral3": (
        "pixtral",
        "PixtralImageProcessorPil",
        {"size": {"longest_edge": 1540}, "patch_size": {"height": 28, "width": 28}},
    ),
    "bounded_llava": ("pixtral", "PixtralImageProcessorPil", {}),
    "pooled_gemma4": ("gemma4", "Gemma4ImageProcessorPil", {}),
    "canvas_mllama": (
        "mllama",
        "MllamaImageProcessorPil",
        {"size": {"height": 56, "width": 56}, "max_image_tiles": 4},
    ),
    "fixed_llava": (
        "clip",
        "CLIPImageProcessorPil",
        {"size": {"shortest_edge": 56}, "crop_size": {"height": 56, "width": 56}},
    ),
    "fixed_paligemma": (
        "siglip",
        "SiglipImageProcessorPil",
        {"size": {"height": 56, "width": 56}},
    ),
    "slices_minicpmv4_6": ("minicpmv4_6", "MiniCPMV4_6ImageProcessorPil", {}),
    "anyres_llava_next": (
        "llava_next",
        "LlavaNextImageProcessorPil",
        {
            "image_grid_pinpoints": POINTS,
            "size": {"height": 56, "width": 56},
            "crop_size": {"height": 56, "width": 56},
        },
    ),
    "anyres_llava_onevision": (
        "llava_onevision",
        "LlavaOnevisionImageProcessorPil",
        {"image_grid_pinpoints": POINTS, "size": {"height": 56, "width": 56}},
    ),
}
"""Folder, class and settings of the family's image processor."""
