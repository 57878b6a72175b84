"""A model as people have it: a ``config.json``, a folder that holds one, or a ``.gguf`` file.

An entry is the mapping of the file, with the keys of Hugging Face. Formats in which the weights are
stored are read apart (`workloads.models.stored_formats`): they change bytes, not operators.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workloads.errors import WorkloadError
from workloads.files import parse_json, read_text, read_yaml
from workloads.shipped_ids import composition_ids, model_ids, network_ids

TEXT_KEYS = ("text_config", "llm_config", "language_config", "thinker_config")
BOOKKEEPING = frozenset(
    {
        "_name_or_path",
        "architectures",
        "attention_dropout",
        "auto_map",
        "bos_token_id",
        "dtype",
        "eos_token_id",
        "id",
        "initializer_range",
        "pad_token_id",
        "parameters",
        "sources",
        "torch_dtype",
        "transformers_version",
        "use_cache",
        "attn_implementation",
        "_attn_implementation",
        "_attn_implementation_autoset",
        "output_attentions",
        "output_hidden_states",
        "return_dict",
        "quantization_config",
        "quantization",
        "rope_scaling",
        "rope_parameters",
        "rope_theta",
        "rms_norm_eps",
        "layer_norm_eps",
        "max_position_embeddings",
        "chunk_size_feed_forward",
        "preprocessor_config",
        "problem_type",
        "id2label",
        "label2id",
        "stored_bytes",
    }
)
"""Keys that change neither an operator nor the size of a tensor."""


INDEX = "model.safetensors.index.json"
"""Beside a config.json whose weights lie in several files: the size of all tensors."""


def is_model_path(name: str) -> bool:
    """Return whether a model is named by a file or folder rather than by a catalogue id.

    A folder may be named as it is, unless what ships has that name.
    """
    if name.endswith((".json", ".yaml", ".yml", ".gguf")) or os.sep in name or "/" in name:
        return True
    return os.path.isdir(name) and name not in {*model_ids(), *network_ids(), *composition_ids()}


def called(path: str) -> str:
    """Return what a model of a file is called: the file's name, its folder's for a config.json.

    >>> called("runs/my_llama/config.json"), called("runs/my_llama/"), called("llama.gguf")
    ('my_llama', 'my_llama', 'llama.gguf')
    """
    given = Path(path)
    folder = given.parent if given.name == "config.json" else given
    return folder.name or Path(os.path.abspath(folder)).name or given.name


def read_entry(name: str) -> dict[str, Any]:
    """Return the configuration in a file or folder.

    Raises `WorkloadError` where there is none, and for a name like ``org/model``, which is a
    repository to download from.
    """
    path = Path(name)
    if os.path.isdir(path):
        if not (path / "config.json").is_file():
            found = sorted(file.name for file in path.glob("*.gguf"))
            hint = f" It holds {', '.join(found[:3])}: give one." if found else ""
            raise WorkloadError(f"a model folder must hold a config.json. Got {name}.{hint}")
        path = path / "config.json"
    elif not os.path.exists(path) and _is_hub_id(name):
        raise WorkloadError(
            f"a model must be a catalogue id or a path. Got {name!r}, a repository of a hub, it "
            f"seems; nothing is downloaded. Remedy: save https://huggingface.co/{name}/raw/main/"
            "config.json and give its path."
        )
    if path.suffix == ".gguf":
        from workloads.models.gguf_file import read_gguf

        return read_gguf(path)
    if path.suffix in (".yaml", ".yml"):
        entry: Any = read_yaml(path)
    else:
        entry = parse_json(read_text(path), str(path))
    if not isinstance(entry, dict):
        raise WorkloadError(f"{name} must hold a mapping. Got {type(entry).__name__}.")
    beside = _preprocessor(path) if "vision_config" in entry else {}
    stored = _stored_bytes(path.parent / INDEX) if path.name == "config.json" else None
    return entry | beside | ({"stored_bytes": stored} if stored else {})


PREPROCESSOR = "preprocessor_config.json"


def _preprocessor(config: Path) -> dict[str, Any]:
    """Return the settings of the image processor in the file beside a configuration, if any."""
    file = config.with_name(PREPROCESSOR)
    if not file.is_file():
        return {}
    settings: Any = parse_json(read_text(file), str(file))
    if not isinstance(settings, dict):
        raise WorkloadError(f"{file} must hold a mapping. Got {type(settings).__name__}.")
    return {"preprocessor_config": settings}


def _stored_bytes(index: Path) -> int | None:
    """Return the bytes of all tensors that an index of weight files states; None: it does not."""
    if not index.is_file():
        return None
    stated: Any = parse_json(read_text(index), str(index))
    metadata = stated.get("metadata") if isinstance(stated, dict) else None
    total = metadata.get("total_size") if isinstance(metadata, dict) else None
    return total if isinstance(total, int) and total > 0 else None


def _is_hub_id(name: str) -> bool:
    parts = name.split("/")
    is_file = Path(name).suffix in (".json", ".yaml", ".yml", ".gguf")
    return len(parts) == 2 and all(parts) and "." not in parts[0] and not is_file


def text_part(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the configuration of the language model, ties of the parent included."""
    for key in TEXT_KEYS:
        part = entry.get(key)
        if isinstance(part, Mapping):
            tied = entry.get("tie_word_embeddings")
            return part if tied is None else {"tie_word_embeddings": tied, **part}
    return entry


def positions(entry: Mapping[str, Any]) -> int | None:
    """Return the longest sequence the model was made for [tokens]; None where it is not said."""
    value = text_part(entry).get("max_position_embeddings")
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def digest(entry: Mapping[str, Any]) -> str:
    """SHA-256 of everything in an entry that shapes operators or bytes."""
    text = json.dumps(_shaping(entry, keep_formats=True), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _shaping(entry: Mapping[str, Any], keep_formats: bool = False) -> dict[str, Any]:
    kept = {"quantization_config", "quantization"} if keep_formats else set()
    return {
        key: _shaping(value, keep_formats) if isinstance(value, Mapping) else value
        for key, value in entry.items()
        if key not in BOOKKEEPING or key in kept
    }


def vision_part(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the configuration of the vision tower; empty where there is none."""
    part = entry.get("vision_config")
    return part if isinstance(part, Mapping) else {}


def gives(entry: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    """Return whether a user's file gives every key that a known model's entry gives, alike."""
    parts = [(_outer(text_part(entry)), _outer(text_part(given)))]
    parts += [(dict(vision_part(entry)), dict(vision_part(given)))]
    if vision_part(given):
        parts += [(_outer(entry), _outer(given))]  # what joins the two
    return all(
        key in mine and mine[key] == value
        for mine, known in ((_shaping(a), _shaping(b)) for a, b in parts)
        for key, value in known.items()
        if value is not None
    )


def describes(entry: Mapping[str, Any], full: Mapping[str, Any]) -> bool:
    """Return whether every key of a user's file has the value that a model was captured with.

    ``full`` has the defaults of the model's class filled in. Together with `gives` this says that
    the file is that model, without its class: what it leaves out is a default that is not at hand.
    """
    parts = ((_outer(text_part(entry)), full), (vision_part(entry), vision_part(full)))
    return all(
        known[key] == value
        for mine, known in ((_shaping(a), _shaping(b)) for a, b in parts)
        for key, value in mine.items()
        if key in known and key != "model_type"  # a flat file names the whole, not its part
    )


def is_composition(entry: Mapping[str, Any]) -> bool:
    """Return whether a mapping is a composition rather than a configuration."""
    return "language" in entry and "model_type" not in entry


def _outer(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration without the vision tower and the language model inside it."""
    inner = {*TEXT_KEYS, "vision_config"}
    return {key: value for key, value in entry.items() if key not in inner}
