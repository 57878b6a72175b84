"""The models that ship, and the trace of any model: by catalogue id, or by a configuration file.

A catalogue entry is a Hugging Face configuration with its sources and published parameter total;
its trace ships with it, so simulating needs no PyTorch. A configuration file of the user's own is
captured when first asked for.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from workloads.errors import WorkloadError, did_you_mean
from workloads.files import parse_json, read_mapping, read_text, read_yaml
from workloads.models.config import ModelConfig
from workloads.models.config_file import read_model
from workloads.trace import Trace, kv_elements_per_token
from workloads.trace_file import FOLDER as TRACES
from workloads.trace_file import load_trace, parse_trace

FOLDER = Path(__file__).parent / "models" / "catalogue"
MODEL_SUFFIXES = (".json", ".yaml", ".yml")
CAPTURED = 8
"""Traces of configuration files that are remembered; capturing one takes seconds."""


@dataclass(frozen=True)
class ModelCard:
    """What the catalogue says of one model.

    Arguments:
        id: the name scenarios use.
        parameters: published total.
        kv_bytes_per_token_16bit: KV cache of one token over all layers, at 16 bit.
        layers: of the decoder.
        vision: it takes images.
        source: where the configuration was read, first one.
    """

    id: str
    parameters: int
    kv_bytes_per_token_16bit: int
    layers: int
    vision: bool
    source: str


def model_ids() -> list[str]:
    """Return the catalogue's ids, sorted."""
    return sorted(file.stem for file in FOLDER.glob("*.yaml"))


def list_models() -> list[ModelCard]:
    """Return a card for every model of the catalogue."""
    return [_card(get_model(model)) for model in model_ids()]


def get_model(model: str) -> ModelConfig:
    """Return a model's configuration, by catalogue id or by path of a configuration file.

    Raises `WorkloadError` for an unknown id, and for a file that can not be read or is at fault.

    >>> get_model("andesvl-4b").decoder.layers
    36
    """
    if model.endswith(MODEL_SUFFIXES):
        return _read_entry(read_mapping(model), Path(model).name)
    return _shipped_model(model)


@cache
def _shipped_model(model: str) -> ModelConfig:
    if model not in model_ids():
        hint = did_you_mean(model, model_ids())
        raise WorkloadError(
            f"a model must be a catalogue id or a configuration file. Got {model!r}. {hint}"
        )
    entry = read_yaml(FOLDER / f"{model}.yaml")
    config = _read_entry(entry, model)
    return replace(config, parameters=entry["parameters"], sources=tuple(entry["sources"]))


def position_limit(model: str | os.PathLike[str]) -> int | None:
    """Return the longest sequence a model was made for in tokens; ``None``: not known.

    A trace file holds operators and not positions, so of a trace alone nothing is known.
    """
    name = os.fspath(model)
    if name.endswith(".json") and "schema" in _mapping(parse_json(read_text(name), name)):
        return None
    return get_model(name).positions


def trace_for(model: str | os.PathLike[str]) -> Trace:
    """Return the trace of a model.

    Arguments:
        model: catalogue id (the shipped trace), path of a trace file, or path of a ``config.json``
            or ``config.yaml`` (captured the first time, which needs PyTorch).

    Raises `WorkloadError` for an unknown id, and for a file that is neither or that lacks what a
    run needs.
    """
    name = os.fspath(model)
    if not name.endswith(MODEL_SUFFIXES):
        return _shipped_trace(name)
    text = read_text(name)
    if name.endswith(".json") and "schema" in _mapping(parse_json(text, name)):
        return _runnable(parse_trace(text, name), name)
    return _capture(get_model(name))


def _runnable(trace: Trace, name: str) -> Trace:
    """Return a trace from a file if it holds what a run needs of a model."""
    missing = {"prefill", "decode"} - set(trace.phases)
    if missing:
        raise WorkloadError(
            f"{name}: a trace to run must have the phases prefill and decode. It lacks "
            f"{' and '.join(sorted(missing))}. Capture it without --phase."
        )
    if "body" not in trace.parameters:
        raise WorkloadError(f"{name}: parameters must give body, the weights of the layers.")
    if trace.adapter_rank:
        raise WorkloadError(
            f"{name}: adapter_rank must be 0 in a trace to run. Got {trace.adapter_rank}. "
            "Give adapters as deployment.lora."
        )
    return trace


@cache
def _shipped_trace(model: str) -> Trace:
    return load_trace(get_model(model).id)


def regenerate(directory: str | os.PathLike[str] = TRACES, models: list[str] | None = None) -> None:
    """Capture the catalogue's traces into ``directory``, with a manifest of what made them."""
    from workloads.capture import capture_to_file
    from workloads.trace_manifest import write_manifest

    for model in models or model_ids():
        capture_to_file(get_model(model), Path(directory) / f"{model}.json")
    write_manifest(directory)


@lru_cache(maxsize=CAPTURED)
def _capture(config: ModelConfig) -> Trace:
    try:
        from workloads.capture import capture

        return capture(config)
    except ModuleNotFoundError as error:
        raise WorkloadError(
            f"{config.id} must be captured from PyTorch, which is not installed "
            f"({error.name}). Remedy: pip install '.[trace]' in andesim's folder."
        ) from None


def _read_entry(entry: Mapping[str, Any], name: str) -> ModelConfig:
    """Resolve ``text_config: <catalogue id>``, which AndesVL's entries use."""
    decoder = entry.get("text_config")
    if isinstance(decoder, str):
        if decoder not in model_ids():
            hint = did_you_mean(decoder, model_ids())
            raise WorkloadError(f"{name}: text_config must be known. Got {decoder!r}. {hint}")
        entry = {**entry, "text_config": read_yaml(FOLDER / f"{decoder}.yaml")["text_config"]}
    return read_model(entry, name)


def _card(config: ModelConfig) -> ModelCard:
    decoder = config.decoder
    elements = kv_elements_per_token(decoder.layers, decoder.kv_heads, decoder.head_dim)
    return ModelCard(
        id=config.id,
        parameters=config.parameters or 0,
        kv_bytes_per_token_16bit=2 * elements,
        layers=decoder.layers,
        vision=config.vision is not None,
        source=config.sources[0],
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
