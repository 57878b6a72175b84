"""Build the network that an entry describes: a ``transformers`` class, or a module of our own.

An entry is the mapping of a ``config.json``; besides its keys it may hold ``input``, the shapes of
the forward call (``1x3x224x224``, or by name ``{input_ids: 1x384:int}``), ``part``, the path of the
submodule that is the network, ``class``, the class to build, and ``module``, a module of ours
(`workloads.models.networks`) instead of a class. Needs the ``trace`` extra.
"""

# mypy: disable-error-code="no-any-return, no-untyped-call"

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from transformers import AutoModel, AutoModelForImageClassification

from workloads.errors import WorkloadError
from workloads.models.encoder_types import OWN_KEYS
from workloads.models.entry import digest
from workloads.models.from_transformers import TIMM, VERSION, read_config
from workloads.models.network import (
    NO_DECODER,
    as_input,
    count_parameters,
    made_module,
    network_phase,
    record_network,
)
from workloads.models.seams import NAME, register
from workloads.trace import Trace

OWN_MODULES = "workloads.models.networks"
LONGEST_TOKENS = 512
"""Tokens of an input whose length nobody says, where the model takes that many."""


def capture_network(entry: Mapping[str, Any], name: str) -> Trace:
    """Return the trace of the network that an entry describes.

    Raises `WorkloadError` where it cannot be built from these values, where the shape of its input
    is not known, and for an operator that is not known.
    """
    module = _built(entry, name)
    positional, named = _inputs(entry, module, name)
    operators = record_network(module, positional, named, name)
    own = "module" in entry
    return Trace(
        model=name,
        config_digest=digest(entry),
        torch_version=torch.__version__.partition("+")[0],
        decoder=NO_DECODER,
        vision=None,
        parameters={"body": count_parameters(module)},
        phases=network_phase(operators),
        captured_by="" if own else f"transformers {VERSION}",
    )


USUAL_INPUT = "1x3x224x224"


def capture_default(model_type: str) -> Trace:
    """Return the trace of an image classifier at its class's defaults.

    On an image of 224x224 where its configuration does not say the size. Raises as
    `capture_network`.
    """
    entry: dict[str, Any] = {"model_type": model_type}
    try:
        return capture_network(entry, model_type)
    except WorkloadError as error:
        if "input must give" not in str(error):
            raise
    return capture_network({**entry, "input": USUAL_INPUT}, model_type)


def _built(entry: Mapping[str, Any], name: str) -> nn.Module:
    """Return the module on ``meta``, as for inference."""
    if "module" in entry:
        return made_module(f"{OWN_MODULES}.{entry['module']}").eval()
    register()
    config = read_config({k: v for k, v in entry.items() if k not in OWN_KEYS}, name)
    kind, failure = _class(entry, config), ""
    for attention in (NAME, "eager"):
        try:
            with torch.device("meta"):
                made = kind._from_config(config, attn_implementation=attention)
            return made.eval().get_submodule(_part(entry))
        except MemoryError:
            raise
        except Exception as error:  # classes refuse bad values in many ways
            failure = failure or f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    raise WorkloadError(_unbuilt(entry, name, kind.__name__, failure))


def _unbuilt(entry: Mapping[str, Any], name: str, kind: str, failure: str) -> str:
    if entry.get("model_type") != "timm_wrapper":
        return f"{name}: the class {kind} must be built from these values. {failure}"
    made = str(entry.get("architecture") or "tiny_vit_5m_224")
    return (
        f"{name}: a network of timm must be built by timm, which transformers cannot do here "
        f"({failure.split('. ')[0]}). Remedy: {TIMM}, and trace it: a file mine.py with "
        f"`import timm` and `def net(): return timm.create_model({made!r})`, then "
        "andesim trace --module mine:net --input 1x3x224x224 --out net.json."
    )


def _part(entry: Mapping[str, Any]) -> str:
    """Return the path of the submodule that is the network; of Whisper its encoder."""
    whisper = "encoder" if entry.get("model_type") == "whisper" else ""
    return str(entry.get("part", whisper))


def _class(entry: Mapping[str, Any], config: Any) -> Any:
    """Return the class an entry names, else the image classifier, else the bare model."""
    asked = [entry.get("class"), *(entry.get("architectures") or ())]
    if entry.get("model_type") == "whisper":
        asked = ["WhisperModel"]
    for wanted in asked:
        if isinstance(wanted, str) and hasattr(transformers, wanted):
            return getattr(transformers, wanted)
    for mapping in (AutoModelForImageClassification._model_mapping, AutoModel._model_mapping):
        if type(config) in mapping:
            found = mapping[type(config)]
            return found[0] if isinstance(found, list | tuple) else found
    raise WorkloadError(f"{config.model_type!r} must have a class that is one graph. It has none.")


def _inputs(
    entry: Mapping[str, Any], module: nn.Module, name: str
) -> tuple[list[Tensor], dict[str, Tensor]]:
    """Return the arguments of the forward call: as the entry says, else as its sizes say."""
    given = entry.get("input")
    if isinstance(given, Mapping):
        return [], {key: as_input(str(text)) for key, text in given.items()}
    if given is not None:
        texts = given if isinstance(given, list) else [given]
        return [as_input(str(text)) for text in texts], {}
    wanted = _wanted(module)
    shape = _shape(wanted, getattr(module, "config", None))
    if shape is None:
        raise WorkloadError(
            f"{name}: input must give the shape of {wanted}, such as `input: 1x3x224x224`; the "
            "configuration does not say it."
        )
    return [], {wanted: as_input(shape)}


def _wanted(module: nn.Module) -> str:
    said = getattr(module, "main_input_name", None)
    names = list(inspect.signature(module.forward).parameters)
    return said if said in names else names[0]


def _shape(wanted: str, config: Any) -> str | None:
    """Return the shape of an input that a configuration says, or none."""
    if wanted == "pixel_values":
        vision = getattr(config, "vision_config", config)
        size = getattr(vision, "image_size", None)
        sides = list(size) if isinstance(size, list | tuple) else [size, size]
        channels = getattr(vision, "num_channels", 3)
        return f"1x{channels}x{sides[0]}x{sides[1]}" if sides[0] else None
    if wanted == "input_ids":
        longest = getattr(config, "max_position_embeddings", LONGEST_TOKENS)
        return f"1x{min(longest, LONGEST_TOKENS)}:int"
    if wanted == "input_features" and hasattr(config, "max_source_positions"):
        return f"1x{config.num_mel_bins}x{2 * config.max_source_positions}"
    return None
