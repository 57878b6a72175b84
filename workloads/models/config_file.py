"""Model configurations, read from Hugging Face ``config.json`` files and the catalogue's YAML.

Both have the same form, so a catalogue entry is the public configuration itself plus its source.
Read here is what AndesVL's own modules can be built from; any other configuration goes to the
class of its ``model_type``. Not modelled: rotary scaling for long contexts, which changes angles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from workloads.errors import WorkloadError, did_you_mean
from workloads.models.config import DecoderConfig, ModelConfig, VisionConfig

MAX_LAYERS = 1000
MAX_HEADS = MAX_HEAD_DIM = MAX_PATCH_PX = 10_000
MAX_SIDE_PX = 100_000
_ACTIVATIONS = {"silu": "silu"}


class _Keys:
    """A config.json; collects every fault so that all are told at once.

    Each method returns the value of a key, or a harmless one where the file breaks the rule.
    """

    def __init__(self, config: Mapping[str, Any], place: str) -> None:
        self.config = config
        self.place = place
        self.faults: list[str] = []

    def given(self, key: str) -> bool:
        """Return whether the file gives the key; null is as good as nothing."""
        return self.config.get(key) is not None

    def count(self, key: str, default: int | None = None, most: int = 10**8) -> int:
        value = self.config[key] if self.given(key) else default
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= most:
            return value
        self.faults.append(f"{key} must be a whole number from 1 to {most}. Got {value!r}.")
        return 1

    def number(self, key: str, default: float) -> float:
        value = self.config.get(key, default)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0:
            return float(value)
        self.faults.append(f"{key} must be a number above 0. Got {value!r}.")
        return 1.0

    def flag(self, key: str, default: bool) -> bool:
        value = self.config.get(key, default)
        if not isinstance(value, bool):
            self.faults.append(f"{key} must be true or false. Got {value!r}.")
        return value is True

    def choice(self, key: str, choices: Mapping[str, str], default: str) -> str:
        value = self.config.get(key, default)
        if not isinstance(value, str) or value not in choices:
            self.faults.append(
                f"{key} must be known. Got {value!r}. {did_you_mean(value, choices)}"
            )
            return default
        return choices[value]

    def check(self) -> None:
        """Raise `WorkloadError` with every fault found so far."""
        if self.faults:
            raise WorkloadError(f"{self.place}: " + " ".join(self.faults))


def read_model(config: Mapping[str, Any], name: str) -> ModelConfig:
    """Return the model that a Hugging Face ``config.json`` describes.

    Arguments:
        config: the file's mapping; ``text_config`` and ``vision_config`` where it has them.
        name: stands in error messages and becomes the id.

    Raises `WorkloadError` with all faults of the text part, or of the vision part.
    """
    text = config.get("text_config", config)
    vision = config.get("vision_config")
    if not isinstance(text, Mapping):
        raise WorkloadError(f"{name}: text_config must be a mapping. Got {text!r}.")
    decoder = read_decoder(text, name)
    model = ModelConfig(name, decoder, positions=_positions(text, name))
    if vision is None:
        return model
    return replace(model, vision=read_vision(vision, f"{name}: vision_config"))


def _positions(config: Mapping[str, Any], place: str) -> int | None:
    keys = _Keys(config, place)
    if not keys.given("max_position_embeddings"):
        return None
    positions = keys.count("max_position_embeddings")
    keys.check()
    return positions


def read_decoder(config: Mapping[str, Any], place: str) -> DecoderConfig:
    """Return the decoder that a text configuration describes; ``place`` stands in errors.

    Raises `WorkloadError` where ``model_type`` is none of `ARCHITECTURES`, or with all faults.
    """
    model_type = config.get("model_type")
    if not isinstance(model_type, str) or model_type not in ARCHITECTURES:
        known = " or ".join(ARCHITECTURES)
        raise WorkloadError(
            f"{place}: model_type of a decoder in AndesVL's own modules must be {known}. Got "
            f"{model_type!r}. Remedy: leave out vision_config to capture the class of that type."
        )
    keys = _Keys(config, place)
    decoder = ARCHITECTURES[model_type](keys)
    if decoder.head_dim % 2:
        keys.faults.append(f"head_dim must be even. Got {decoder.head_dim}.")
    if keys.number("partial_rotary_factor", 1.0) != 1.0:
        keys.faults.append("partial_rotary_factor must be 1: partial rotation is not modelled.")
    if decoder.q_heads % decoder.kv_heads:
        keys.faults.append("num_attention_heads must be a multiple of num_key_value_heads.")
    keys.check()
    return decoder


def read_vision(config: Any, place: str) -> VisionConfig:
    """Return the vision encoder that a vision configuration describes (aimv2 or siglip2).

    Raises `WorkloadError` where it is neither, or with all faults.
    """
    families = ("aimv2", "siglip2")
    if not isinstance(config, Mapping):
        raise WorkloadError(f"{place} must be a mapping. Got {config!r}.")
    if config.get("model_type") not in families:
        value = config.get("model_type")
        raise WorkloadError(f"{place}: model_type must be aimv2 or siglip2. Got {value!r}.")
    keys = _Keys(config, place)
    patch_px = keys.count("patch_size", most=MAX_PATCH_PX)
    side = keys.count("image_size", most=MAX_SIDE_PX) // patch_px
    vision = VisionConfig(
        family=str(config["model_type"]),
        layers=keys.count("num_hidden_layers", most=MAX_LAYERS),
        hidden=keys.count("hidden_size"),
        intermediate=keys.count("intermediate_size"),
        heads=keys.count("num_attention_heads"),
        patch_px=patch_px,
        positions=side * side,
        norm_eps=keys.number("norm_eps", 1e-6),
        merge=keys.count("hidden_stride", 2, most=2),
    )
    if not vision.positions:
        keys.faults.append(f"image_size must be at least the patch_size {patch_px}.")
    if vision.hidden % (4 * vision.heads):
        keys.faults.append("hidden_size must be a multiple of four times num_attention_heads.")
    keys.check()
    return vision


def _decoder(keys: _Keys) -> DecoderConfig:
    """What the architectures share: the names and defaults of ``LlamaConfig``."""
    hidden, heads = keys.count("hidden_size"), keys.count("num_attention_heads", most=MAX_HEADS)
    for bias in ("attention_bias", "mlp_bias"):
        if keys.flag(bias, False):
            keys.faults.append(f"{bias} must be false: biases there are not modelled.")
    keys.choice("hidden_act", _ACTIVATIONS, "silu")
    return DecoderConfig(
        layers=keys.count("num_hidden_layers", most=MAX_LAYERS),
        hidden=hidden,
        intermediate=keys.count("intermediate_size"),
        q_heads=heads,
        kv_heads=keys.count("num_key_value_heads", heads),
        head_dim=keys.count("head_dim", max(1, hidden // heads), MAX_HEAD_DIM),
        vocab=keys.count("vocab_size"),
        tied_embedding=keys.flag("tie_word_embeddings", False),
        rope_theta=_rope_theta(keys),
        norm_eps=keys.number("rms_norm_eps", 1e-6),
    )


def _rope_theta(keys: _Keys) -> float:
    """Newer files keep the base of the rotary angles in a mapping."""
    nested = keys.config.get("rope_parameters")
    if not isinstance(nested, Mapping) or "rope_theta" in keys.config:
        return keys.number("rope_theta", 10_000.0)
    inner = _Keys(nested, keys.place)
    theta = inner.number("rope_theta", 10_000.0)
    keys.faults += [f"rope_parameters: {fault}" for fault in inner.faults]
    return theta


def _qwen3(keys: _Keys) -> DecoderConfig:
    """Heads are 128 wide unless stated, whatever the width of the model: ``Qwen3Config``."""
    keys.config = {"head_dim": 128, **keys.config}
    if keys.flag("use_sliding_window", False):
        keys.faults.append("use_sliding_window must be false: AndesVL has no windows.")
    return replace(_decoder(keys), qk_norm=True)


ARCHITECTURES: Mapping[str, Callable[[_Keys], DecoderConfig]] = MappingProxyType(
    {"llama": _decoder, "qwen3": _qwen3}
)
