"""Build the ``transformers`` class of a configuration on ``meta``, and run it phase by phase.

No weights and no network: a configuration says everything. Needs the ``trace`` extra.
"""

# mypy: disable-error-code="no-any-return, no-untyped-call"

from __future__ import annotations

import inspect
import os
import re
import sys
import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
import transformers
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    Cache,
    DynamicCache,
)
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from workloads.errors import WorkloadError, did_you_mean
from workloads.models.carried_state import carried, carries_state, loops_as_scans
from workloads.models.entry import text_part
from workloads.models.events import Event
from workloads.models.graph_recorder import GraphRecorder
from workloads.models.layer_kinds import find_layers, first_of_kind, one_of_each
from workloads.models.open_sizes import fill_open_sizes, fit_rotary
from workloads.models.seams import INDEXED, NAME, CacheSeam, Listening, register
from workloads.models.torchvision_names import import_torchvision

import_torchvision()  # before any class that needs it is loaded
VERSION = transformers.__version__
warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")
transformers.logging.set_verbosity_error()


@dataclass(frozen=True)
class Built:
    """A model on ``meta``.

    Attributes
    ----------
    model
        The module.
    config
        The configuration of its text part.
    layers_path, kinds
        Where its layers are, and for each the first of its kind; empty where it has no list of
        layers.
    crossing
        Layers that run only where there is an image, to whose states they attend.
    blind
        Why a model that takes images was built without its vision tower; empty where it has it.
    """

    model: nn.Module
    config: Any
    layers_path: str
    kinds: list[int]
    crossing: tuple[int, ...] = ()
    blind: str = ""


def read_config(entry: Mapping[str, Any], name: str) -> Any:
    """Return the configuration object of an entry; the class fills what it leaves out.

    A parent of an unknown type is read by its text part. Raises `WorkloadError` where the type is
    unknown or the class refuses the values.
    """
    known = CONFIG_MAPPING
    chosen = entry
    if entry.get("model_type") not in known:
        chosen = text_part(entry)
    model_type = chosen.get("model_type")
    if not isinstance(model_type, str) or model_type not in known:
        raise WorkloadError(_unknown(entry, entry.get("model_type"), name, list(known.keys())))
    _check_sizes({**chosen, **text_part(chosen)}, name)
    kept = {key: value for key, value in chosen.items() if key not in _NOT_THE_CLASS}
    try:
        config = AutoConfig.for_model(**deepcopy(kept))  # classes rewrite what they are given
    except MemoryError:
        raise
    except Exception as error:
        said = _one_line(error).rpartition("Error: ")[2].rstrip(".")
        raise WorkloadError(
            f"{name}: values must be ones that the class of model_type {model_type!r} takes. "
            f"Got: {said}. Remedy: give the config.json beside the model's weights as it is."
        ) from None
    for part in (config, config.get_text_config(decoder=True)):
        padding, vocab = getattr(part, "pad_token_id", None), getattr(part, "vocab_size", None)
        if isinstance(padding, int) and isinstance(vocab, int) and padding >= vocab:
            part.pad_token_id = None  # the class's own, beyond this vocabulary
    if getattr(config, "is_decoder", None) is False and not config.is_encoder_decoder:
        config.is_decoder = True  # classes of the BERT family attend both ways until told
    if isinstance(entry.get("tie_word_embeddings"), bool):
        config.get_text_config(decoder=True).tie_word_embeddings = entry["tie_word_embeddings"]
    return config


TIMM = "pip install '.[timm]' in andesim's folder"
"""What a tower of timm needs: the package, and the torchvision that it imports."""
INSTEAD = (
    "Remedy: name an architecture of the same shape, or trace the module: andesim trace --module."
)
"""What is left to do where a class cannot be captured."""
_NOT_THE_CLASS = frozenset(
    [
        *("quantization_config", "quantization", "id", "parameters", "sources"),
        *("stored_as", "stored_bytes", "auto_map", "preprocessor_config"),
    ]
)
_COUNTS = re.compile(
    r"^(num_|n_)?(hidden_size|intermediate_size|vocab_size|head_dim|.*_layers|"
    r".*_heads|num_.*experts.*|n_embd|n_layer|n_head)$"
)
MOST_LAYERS, MOST_SIZE = 1000, 10**8
_MAY_BE_NONE = ("first_", "num_kv_shared", "num_experts", "num_local_experts", "n_shared")
"""Counts that a model without the part gives as nought: Granite 4.0 Micro has 0 local experts."""


def _check_sizes(entry: Mapping[str, Any], name: str) -> None:
    """Refuse sizes that no model has, all at once, before a class is built with them."""
    faults = []
    for key, value in entry.items():
        if value is None or not _COUNTS.match(key) or isinstance(value, list | dict | str | float):
            if isinstance(value, str | float) and _COUNTS.match(key):
                faults.append(f"{key} must be a whole number. Got {value!r}.")
            continue
        least = 0 if key.startswith(_MAY_BE_NONE) else 1
        most = MOST_LAYERS if key.endswith(("_layers", "n_layer")) else MOST_SIZE
        if isinstance(value, bool) or not least <= value <= most:
            faults.append(f"{key} must be a whole number from {least} to {most}. Got {value!r}.")
    if faults:
        raise WorkloadError(f"{name}: " + " ".join(faults))
    heads, shared = (entry.get(key) for key in ("num_attention_heads", "num_key_value_heads"))
    if isinstance(heads, int) and isinstance(shared, int) and heads % shared:
        raise WorkloadError(
            f"{name}: num_key_value_heads must divide num_attention_heads, {heads}. Got {shared}."
        )


RENAMED: Mapping[str, str] = {
    "internvl_chat": "the family as internvl. Remedy: give the config.json of the model's -hf copy",
    "llava_qwen2": "the family as fast_vlm. Remedy: give the config.json of its converted copy",
    "llava_qwen": "the family as llava_onevision. Remedy: give the config.json of the -hf copy",
    "llava_llama": "the family as llava. Remedy: give the config.json of the model's -hf copy",
    "minicpmv": "the family as minicpmv4_6. Remedy: give a config.json of that type",
    "phi3_v": "its successor phi4_multimodal, and no class for this one. Remedy: give the "
    "config.json of that, or a composition of a CLIP encoder and phi-3.5-mini",
    "phi4mm": "the family as phi4_multimodal. Remedy: give the config.json of that revision",
}
"""Released types whose code is remote -> what the library has of the family."""


def _unknown(entry: Mapping[str, Any], model_type: object, name: str, known: list[str]) -> str:
    if model_type is None:
        return (
            f"{name}: model_type must be given. Got {', '.join(list(entry)[:6]) or 'nothing'}. "
            "Remedy: give the config.json that lies beside a model's weights."
        )
    if model_type in RENAMED:
        return (
            f"{name}: model_type must be one that transformers {VERSION} has a class for. Got "
            f"{model_type!r}, code of the model's own repository, which is not run. The library "
            f"has {RENAMED[str(model_type)]}."
        )
    remote = (
        " Its auto_map points to code of its own repository, which is not run."
        if entry.get("auto_map")
        else ""
    )
    return (
        f"{name}: model_type must be one that transformers {VERSION} has a class for. "
        f"Got {model_type!r}. {did_you_mean(str(model_type), known)}{remote} {INSTEAD}"
    )


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}"


def attentions_of(config: Any) -> tuple[str, ...]:
    """Return how attention may be built: as one call where the class lets a caller in, else eager.

    Of an indexer's class the call is also told which tokens were chosen.
    """
    indexed = getattr(config.get_text_config(decoder=True), "index_topk", None)
    return (INDEXED if indexed else NAME), "eager"


def build(
    config: Any, name: str, device: str = "meta", attentions: Sequence[str] | None = None
) -> Built:
    """Return the language model of a configuration, a vision tower with it.

    On ``meta`` it has no weights; on ``cpu`` random ones. Of ``attentions``, by default
    `attentions_of` the configuration, the first that the class can be built with is taken.

    Raises `WorkloadError` where there is none, or the class cannot be built from these values.
    """
    register()
    attentions = attentions or attentions_of(config)
    text = config.get_text_config(decoder=True)
    model, failure = _first_built(config, text, attentions, device)
    unfit = fill_open_sizes(text) if model is None else fit_rotary(model, text)
    if unfit:
        model = _first_built(config, text, attentions, device)[0]
    if model is None:
        if not failure:
            raise WorkloadError(
                f"{name}: model_type must be one with a causal language model. Got "
                f"{config.model_type!r}, whose class transformers {VERSION} has none for. {INSTEAD}"
            )
        raise WorkloadError(
            f"{name}: the class of model_type {config.model_type!r} must be "
            f"built from these values. {failure}"
        )
    text = model.config.get_text_config(decoder=True)
    speaking = language_model(model)
    within = next(name for name, module in model.named_modules() if module is speaking)
    found = find_layers(speaking, getattr(text, "num_hidden_layers", None))
    blind = _blind(config, text, model, failure)
    if found is None:
        return Built(model, text, "", [], blind=blind)
    crossing = tuple(getattr(text, "cross_attention_layers", None) or ())
    path = f"{within}.{found[0]}".lstrip(".")
    return Built(model, text, path, first_of_kind(found[1]), crossing, blind)


def _first_built(config: Any, text: Any, attentions: Sequence[str], device: str) -> tuple[Any, str]:
    """Return the first class that can be built, or None, and what the first that failed said."""
    failure = ""
    for kind, chosen in _choices(config, text):
        for attention in attentions:
            try:
                return _construct(kind, chosen, attention, device), failure
            except MemoryError:
                raise
            except Exception as error:  # classes refuse bad values in many ways
                failure = failure or _one_line(error)
    return None, failure


def _blind(config: Any, text: Any, model: Any, failure: str) -> str:
    """Return why a model whose type takes images has no tower."""
    if text is config or type(config) not in AutoModelForImageTextToText._model_mapping:
        return ""
    if getattr(config, "vision_config", {}) is None:
        return "whose configuration gives no vision_config"
    if type(model.config) is type(config):
        return ""
    if "requires the timm library" in failure:
        return f"whose vision tower is one of timm, which is not installed: {TIMM}"
    return f"whose vision tower transformers cannot build here ({failure.split('. ')[0]})"


def _choices(config: Any, text: Any) -> list[tuple[Any, Any]]:
    """Return the classes to try: with its vision tower where it has one, else the text part."""
    choices: list[tuple[Any, Any]] = []
    if text is not config and type(config) in AutoModelForImageTextToText._model_mapping:
        choices.append((AutoModelForImageTextToText, config))
    choices += [
        (AutoModelForCausalLM, item)
        for item in (config, text)
        if type(item) in AutoModelForCausalLM._model_mapping
    ]
    return choices


def _construct(kind: Any, config: Any, attention: str, device: str = "meta") -> nn.Module:
    with torch.device(device):
        model: nn.Module = kind.from_config(
            config,
            dtype=torch.bfloat16,
            attn_implementation=attention,
            experts_implementation=NAME,
        )
    return model.eval()


def cache_name(model: nn.Module) -> str:
    """Return what the model calls its cache; classes are being renamed."""
    names = ("cache", "past_key_values", "cache_params")
    known = inspect.signature(model.forward).parameters
    return next((name for name in names if name in known), "past_key_values")


def new_cache(built: Built) -> Any:
    """Return an empty cache: of the class that the model's own module defines, else the usual."""
    own = vars(sys.modules[type(built.model).__module__]).values()
    for kind in own:
        if (
            isinstance(kind, type)
            and issubclass(kind, Cache)
            and kind.__module__ == (type(built.model).__module__)
        ):
            return kind()
    return DynamicCache(config=built.config)


def _memory(built: Built, recorder: GraphRecorder, ids: torch.Tensor) -> dict[str, Any]:
    """Return what a call is given to keep from step to step, watched by the recorder."""
    if carries_state(built.model):
        return {"state": carried(built.model, recorder, ids[:, :1]), "use_cache": True}
    cache = new_cache(built)
    CacheSeam(cache, recorder)
    return {cache_name(language_model(built.model)): cache, "use_cache": True}


def language_model(model: Any) -> Any:
    """Return what makes logits of text: the model, or one inside it that has a head of its own.

    A class around such a one may refuse a call without an image.
    """
    for name in ("language_model", "text_model"):
        inner: Any = getattr(model, name, None)
        if hasattr(inner, "get_output_embeddings") and inner.get_output_embeddings() is not None:
            return inner
    return model


@torch.inference_mode()
def record_text(built: Built, new: int, context: int, folded: bool = True) -> list[Event]:
    """Return the events of a call on ``new`` tokens that see ``context``, themselves included.

    Every new token's logits are computed. With ``folded`` one layer of each kind runs.
    """
    layers = built.model.get_submodule(built.layers_path) if built.kinds else None
    skipping = one_of_each(layers, built.kinds) if folded and layers else nullcontext()  # type: ignore[arg-type]
    with skipping:
        ids = torch.zeros((1, context), dtype=torch.long)
        recorder = GraphRecorder(built.model, [ids])
        recorder.real = next(built.model.parameters()).device.type != "meta"
        with recorder, Listening(recorder), loops_as_scans(built.model, recorder):
            given = _memory(built, recorder, ids)
            speaking = language_model(built.model)
            if context > new:
                with recorder.muted():
                    speaking(input_ids=ids[:, : context - new], **given)
            recorder.events.clear()
            speaking(input_ids=ids[:, context - new :], **given)
    return recorder.events
