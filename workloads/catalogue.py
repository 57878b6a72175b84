"""The models that ship, and the trace of any model: by catalogue id, or by a user's own file.

A catalogue entry is a Hugging Face configuration with its sources and published parameter total;
its trace ships with it, so simulating needs no PyTorch. A configuration, a folder or a ``.gguf``
file of the user's own is captured when first asked for and kept in the user's cache folder; without
PyTorch it is answered from a shipped or kept trace of the same content.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from workloads import trace_cache
from workloads.errors import WorkloadError, did_you_mean
from workloads.files import read_text, read_yaml
from workloads.models import entry as entries
from workloads.models.config import ModelConfig
from workloads.models.config_file import read_model
from workloads.models.encoder_types import is_network
from workloads.models.stored_formats import stored_formats
from workloads.shipped_ids import COMPOSITIONS, MODELS, composition_ids, model_ids, network_ids
from workloads.trace import NETWORK, Trace
from workloads.trace_file import FOLDER as TRACES
from workloads.trace_file import load_trace, parse_trace, save_trace

_OWN_TOWERS = ("aimv2", "siglip2")
"""Vision encoders of AndesVL, which has modules of its own."""


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


def list_models() -> list[ModelCard]:
    """Return a card for every model of the catalogue."""
    return [_card(model) for model in model_ids()]


def get_entry(model: str) -> dict[str, Any]:
    """Return the configuration of a model, by catalogue id or by path.

    Raises `WorkloadError` for an unknown id, and for a file that can not be read.
    """
    if entries.is_model_path(model):
        return _with_decoder(entries.read_entry(model), Path(model).name)
    _check_known(model)
    if model in model_ids():
        return _with_decoder(read_yaml(MODELS / f"{model}.yaml"), model)
    if model in composition_ids():
        return dict(read_yaml(COMPOSITIONS / f"{model}.yaml"))
    from workloads.networks import network_entry

    return network_entry(model)


def _check_known(model: str) -> None:
    others = [*network_ids(), *composition_ids()]
    _check_id(model, "a model must be a catalogue id or a configuration file.", others)


def _check_id(model: str, rule: str, others: Sequence[str] = ()) -> None:
    known = [*model_ids(), *others]
    if model not in known:
        raise WorkloadError(f"{rule} Got {model!r}. {did_you_mean(model, known)}")


def get_model(model: str) -> ModelConfig:
    """Return the configuration of a model that can be run here with weights (`andesim measure`).

    Raises `WorkloadError` for an unknown id, for a file that can not be read or is at fault, and
    for an architecture that only a trace can be made of.

    >>> get_model("andesvl-4b").decoder.layers
    36
    """
    entry = get_entry(model)
    name = entries.called(model) if entries.is_model_path(model) else model
    config = read_model(entry, name)
    if entries.is_model_path(model):
        return config
    return replace(config, parameters=entry["parameters"], sources=tuple(entry["sources"]))


def position_limit(model: str | os.PathLike[str]) -> int | None:
    """Return the longest sequence a model was made for in tokens; ``None``: not known.

    A trace file holds operators and not positions, so of a trace alone nothing is known.
    """
    name = os.fspath(model)
    return _limit_in(name) if entries.is_model_path(name) else _shipped_limit(name)


def _limit_in(name: str) -> int | None:
    entry = get_entry(name)
    is_language = "schema" not in entry and not is_network(entry)
    return entries.positions(entry) if is_language else None


_shipped_limit = cache(_limit_in)
"""What ships does not change, and every variant of a device asks for it."""


def trace_for(model: str | os.PathLike[str]) -> Trace:
    """Return the trace of a model.

    Arguments:
        model: catalogue id (the shipped trace), path of a trace file, or path of a ``config.json``,
            a folder, a ``config.yaml`` or a ``.gguf`` file (captured the first time, which needs
            the ``trace`` extra).

    Raises `WorkloadError` for an unknown id, and for a file that is neither or that lacks what a
    run needs.
    """
    name = os.fspath(model)
    if not entries.is_model_path(name):
        return _shipped_trace(name)
    entry = get_entry(name)
    if "schema" in entry:
        return _runnable(parse_trace(read_text(name), name), name)
    if entries.is_composition(entry):
        from workloads.composed_models import Catalogue, trace_of_composition

        found = Catalogue(get_entry, trace_for, trace_of)
        return trace_of_composition(entry, entries.called(name), Path(name).parent, found)
    return trace_of(entry, entries.called(name))


def is_of_words(model: str | os.PathLike[str]) -> bool:
    """Return whether a model decodes and sees no image; raises as `trace_for` does."""
    trace = trace_for(model)
    return "decode" in trace.phases and trace.vision is None


def trace_of(entry: Mapping[str, Any], name: str) -> Trace:
    """Return the trace of a configuration, captured now or kept from an earlier time.

    Raises `WorkloadError` where it is at fault, and where it must be captured without the ``trace``
    extra.
    """
    from workloads.capture import made_by, version

    key = f"{entries.digest(entry)[:32]}-{made_by()}"
    found = _MEMORY.get(key) or trace_cache.recall(key)
    if found is None and version() is None:
        from workloads.networks import same_network

        found = same_network(entry) or _same_content(entry, name)
    if found is None:
        found = _captured(entry, name)
        trace_cache.keep(key, found)
    _say_what_is_odd(entry, found, name)
    _MEMORY[key] = found
    while len(_MEMORY) > REMEMBERED:
        del _MEMORY[next(iter(_MEMORY))]
    found = _with_preprocessor(found, entry)
    return replace(found, model=name) if found.model != name else found


def _with_preprocessor(trace: Trace, entry: Mapping[str, Any]) -> Trace:
    """Return the trace with the numbers of the image processor's file beside a configuration."""
    settings = entry.get("preprocessor_config")
    if trace.image_rule is None or not isinstance(settings, Mapping):
        return trace
    return replace(trace, image_rule=trace.image_rule.with_preprocessor(settings))


def _say_what_is_odd(entry: Mapping[str, Any], trace: Trace, name: str) -> None:
    """Warn of sizes that the class filled in, and of weight files of another size."""
    given = entries.text_part(entry)
    filled = [key for key in _SIZES if key in trace.config and key not in given]
    if filled:
        values = ", ".join(f"{key} {trace.config[key]}" for key in filled)
        warnings.warn(
            f"{name} does not give {' and '.join(filled)}: the defaults of its class are taken "
            f"({values}).",
            stacklevel=2,
        )
    stored = entry.get("stored_bytes")
    each = trace.total_parameters * (4 if "32" in str(entry.get("torch_dtype")) else 2)
    if stored and not trace.stored_as and abs(stored / each - 1) > UNEXPLAINED:
        warnings.warn(
            f"{name}: the weight files beside it hold {stored:,} bytes, the configuration makes "
            f"{each:,}. They may belong to different models.",
            stacklevel=2,
        )


_SIZES = ("hidden_size", "num_hidden_layers")
UNEXPLAINED = 0.05
"""Difference between stored and configured bytes that buffers and towers left out may explain."""
REMEMBERED = 8
"""Traces of configurations that one process keeps in memory."""
_MEMORY: dict[str, Trace] = {}


def _captured(entry: Mapping[str, Any], name: str) -> Trace:
    from workloads.capture import capture, capture_entry

    if is_network(entry):
        from workloads.models.encoders import capture_network

        return capture_network(entry, name)
    return capture(read_model(entry, name)) if is_own(entry) else capture_entry(entry, name)


def is_own(entry: Mapping[str, Any]) -> bool:
    """Return whether a configuration is AndesVL's: its decoder behind one of its two encoders."""
    vision = entry.get("vision_config")
    return isinstance(vision, Mapping) and vision.get("model_type") in _OWN_TOWERS


def _same_content(entry: Mapping[str, Any], name: str) -> Trace:
    """Return a shipped or kept trace of the model that ``entry`` describes.

    Raises `WorkloadError` where there is none, with what to install.
    """
    formats = stored_formats(entry, name)
    for model in model_ids():
        if not entries.gives(entry, get_entry(model)):
            continue
        shipped = load_trace(model)
        if shipped.config and entries.describes(entry, shipped.config):
            return replace(shipped, stored_as=formats)
    for trace in trace_cache.kept():
        if trace.config and trace.config_digest == entries.digest(entry):
            return trace
    raise WorkloadError(
        f"{name} must be captured with PyTorch and transformers, which are not installed, and no "
        "trace of the same content ships. Remedy: pip install '.[trace]' in andesim's folder."
    )


def _runnable(trace: Trace, name: str) -> Trace:
    """Return a trace from a file if it holds what a run needs of a model."""
    if NETWORK in trace.phases:
        return trace
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
    _check_known(model)
    if model in model_ids():
        return load_trace(model)
    if model in composition_ids():
        from workloads.composed_models import shipped_composition

        return shipped_composition(model)
    from workloads.networks import shipped_network

    return shipped_network(model)


def regenerate(directory: str | os.PathLike[str] = TRACES, models: list[str] | None = None) -> None:
    """Capture the catalogue's traces into ``directory``, with a manifest of what made them."""
    from workloads.trace_manifest import write_manifest

    for model in models or model_ids():
        save_trace(captured_model(model), Path(directory) / f"{model}.json")
    write_manifest(directory)


def captured_model(model: str) -> Trace:
    """Return the trace of a catalogue model, captured now."""
    trace = _captured(get_entry(model), model)
    return replace(trace, model=model) if trace.model != model else trace


def _with_decoder(entry: dict[str, Any], name: str) -> dict[str, Any]:
    """Resolve ``text_config: <catalogue id>``, which AndesVL's entries use."""
    decoder = entry.get("text_config")
    if not isinstance(decoder, str):
        return entry
    _check_id(decoder, f"{name}: text_config must be known.")
    return {**entry, "text_config": read_yaml(MODELS / f"{decoder}.yaml")["text_config"]}


def _card(model: str) -> ModelCard:
    entry, trace = read_yaml(MODELS / f"{model}.yaml"), _shipped_trace(model)
    return ModelCard(
        id=model,
        parameters=entry["parameters"],
        kv_bytes_per_token_16bit=2 * trace.kv_elements_per_token,
        layers=trace.decoder.layers,
        vision=trace.vision is not None,
        source=entry["sources"][0],
    )
