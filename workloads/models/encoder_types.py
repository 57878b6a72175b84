"""Which configurations are one graph rather than a language model, without PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OWN_KEYS = frozenset({"input", "part", "class", "module", "macs", "note"})
"""Keys of a network's entry that are not the configuration's."""
_TYPES = """
    albert align aimv2 ast audio-spectrogram-transformer beit bert bit bridgetower
    camembert canine chinese_clip chinese_clip_vision_model clap clip clip_text_model
    clip_vision_model clipseg conditional_detr convbert convnext convnextv2 cvt d_fine
    dab-detr data2vec-audio data2vec-text data2vec-vision deberta deberta-v2
    deformable_detr deit depth_anything detr dinat dinov2 dinov2_with_registers
    dinov3_convnext dinov3_vit distilbert donut-swin dpr dpt edgetam efficientloftr
    efficientnet electra ernie esm flaubert fnet focalnet glpn groupvit hgnet_v2 hiera
    hubert ijepa imagegpt layoutlm levit lilt longformer luke lw_detr mask2former
    maskformer metaclip_2 mobilebert mobilenet_v1 mobilenet_v2 mobilevit mobilevitv2
    modernbert mpnet mra nomic_bert nystromformer oneformer owlv2 owlvit perceiver
    poolformer pp_lcnet pvt pvt_v2 regnet rembert resnet rf_detr roberta
    roberta-prelayernorm roformer rt_detr rt_detr_v2 sam sam_hq sam_vision_model segformer
    seggpt siglip siglip2 siglip2_vision_model siglip_vision_model squeezebert superpoint
    swiftformer swin swin2sr swinv2 table-transformer textnet timesformer timm_wrapper
    unispeech upernet videomae vit vit_mae vit_msn vitdet vitmatte vitpose
    vitpose_backbone vivit wav2vec2 wav2vec2-bert wavlm whisper xlm-roberta yolos zoedepth
"""
ENCODER_TYPES = frozenset(_TYPES.split())
"""Types of ``transformers`` that are encoders, classifiers or detectors."""
LANGUAGE_CLASSES = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")


def is_network(entry: Mapping[str, Any]) -> bool:
    """Return whether an entry describes one graph; an encoder used as a decoder is none.

    >>> is_network({"model_type": "vit"}), is_network({"model_type": "qwen3"})
    (True, False)
    >>> is_network({"model_type": "bert", "architectures": ["BertLMHeadModel"]})
    False
    """
    if "module" in entry:
        return True
    if entry.get("model_type") not in ENCODER_TYPES or entry.get("is_decoder") is True:
        return False
    classes = " ".join(map(str, entry.get("architectures") or ()))
    is_speech = entry.get("model_type") == "whisper"  # its encoder is the network
    return is_speech or not any(name in classes for name in LANGUAGE_CLASSES)
