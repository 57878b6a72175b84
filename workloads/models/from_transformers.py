"""Build the ``transformers`` class of a configuration on ``meta``, and run it phase by phase.

No weights and no network: a configuration says everything. Needs the ``trace`` extra.
"""

# mypy: disable-error-code="no-any-return, no-untyped-call"

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch  # noqa: E402
import transformers  # noqa: E402
from torch import nn  # noqa: E402
from transformers import AutoConfig, AutoModelForCausalLM, DynamicCache  # noqa: E402

from workloads.errors import WorkloadError, did_you_mean  # noqa: E402
from workloads.models.events import Event  # noqa: E402
from workloads.models.graph_recorder import GraphRecorder  # noqa: E402
from workloads.models.layer_kinds import find_layers, first_of_kind, one_of_each  # noqa: E402
from workloads.models.seams import NAME, CacheSeam, Listening, register  # noqa: E402

VERSION = transformers.__version__


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
    """

    model: nn.Module
    config: Any
    layers_path: str
    kinds: list[int]


def read_config(entry: Mapping[str, Any], name: str) -> Any:
    """Return the configuration object of a ``config.json``; the class fills what it leaves out.

    Raises `WorkloadError` where the type is unknown or the class refuses the values.
    """
    model_type = entry.get("model_type")
    if not isinstance(model_type, str):
        raise WorkloadError(f"{name}: model_type must name an architecture. Got {model_type!r}.")
    known = transformers.models.auto.configuration_auto.CONFIG_MAPPING
    if model_type not in known:
        raise WorkloadError(_unknown(entry, model_type, name, list(known.keys())))
    kept = {key: value for key, value in entry.items() if key != "quantization_config"}
    try:
        return AutoConfig.for_model(**kept)
    except Exception as error:
        raise WorkloadError(f"{name}: {_one_line(error)}") from None


def _unknown(entry: Mapping[str, Any], model_type: str, name: str, known: list[str]) -> str:
    remote = (
        " Its auto_map points to code of its own repository, which is not run."
        if entry.get("auto_map")
        else ""
    )
    return (
        f"{name}: model_type must be one that transformers {VERSION} has a class for. "
        f"Got {model_type!r}. {did_you_mean(model_type, known)}{remote} Remedy: name an "
        "architecture of the same shape, or trace the module: andesim trace --module."
    )


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:200]}"


def build(config: Any, name: str) -> Built:
    """Return the causal language model of a configuration on ``meta``.

    Raises `WorkloadError` where there is none, or the class cannot be built from these values.
    """
    register()
    if type(config) not in AutoModelForCausalLM._model_mapping:
        raise WorkloadError(
            f"{name}: model_type must be that of a language model. Got {config.model_type!r}."
        )
    model = None
    for attention in (NAME, "eager"):
        try:
            model = _construct(config, attention)
            break
        except (KeyError, ValueError) as error:
            failure = error
    if model is None:
        raise WorkloadError(f"{name}: {_one_line(failure)}") from None
    text = model.config.get_text_config(decoder=True)
    found = find_layers(model, getattr(text, "num_hidden_layers", None))
    if found is None:
        return Built(model, text, "", [])
    return Built(model, text, found[0], first_of_kind(found[1]))


def _construct(config: Any, attention: str) -> nn.Module:
    with torch.device("meta"):
        model: nn.Module = AutoModelForCausalLM.from_config(
            config,
            dtype=torch.bfloat16,
            attn_implementation=attention,
            experts_implementation=NAME,
        )
    return model.eval()


def _cache_name(model: nn.Module) -> str:
    """Return what the model calls its cache; classes are being renamed."""
    names = ("cache", "past_key_values", "cache_params")
    known = inspect.signature(model.forward).parameters
    return next((name for name in names if name in known), "past_key_values")


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
        with recorder, Listening(recorder):
            cache = DynamicCache(config=built.config)
            CacheSeam(cache, recorder)
            given: dict[str, Any] = {_cache_name(built.model): cache, "use_cache": True}
            if context > new:
                with recorder.muted():
                    built.model(input_ids=ids[:, : context - new], **given)
            recorder.events.clear()
            built.model(input_ids=ids[:, context - new :], **given)
    return recorder.events
