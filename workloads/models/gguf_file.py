"""Read the header of a ``.gguf`` file: the architecture, and how each class of tensors is stored.

Metadata become the configuration of the ``transformers`` class (its own table of names is used);
of the tensors only names, types and sizes are read. Needs the ``trace`` extra.

Not modelled: tensors of one class in several types; the type with most bytes stands for them.
"""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from workloads.errors import WorkloadError


def read_gguf(path: Path) -> dict[str, Any]:
    """Return the entry of a ``.gguf`` file.

    Raises `WorkloadError` where the file is cut or its architecture has no class.
    """
    if not path.is_file():
        raise WorkloadError(f"a .gguf file must exist. Got {path}.")
    try:
        from gguf import GGUFReader
        from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint
    except ModuleNotFoundError as error:
        raise WorkloadError(
            f"{path.name} must be read with {error.name}, which is not installed. "
            "Remedy: pip install '.[trace]' in andesim's folder."
        ) from None
    try:
        reader = GGUFReader(path)
        entry = dict(load_gguf_checkpoint(str(path), return_tensors=False)["config"])
    except Exception as error:
        said = " ".join(str(error).split())[:160]
        raise WorkloadError(
            f"{path.name} must be a whole .gguf file of a known kind. {said}"
        ) from None
    if not isinstance(entry.get("model_type"), str):
        raise WorkloadError(f"{path.name}: general.architecture must be given.")
    kept = {key: value for key, value in entry.items() if not key.startswith("_")}
    return {**kept, "stored_as": _types(reader)}


def _types(reader: Any) -> dict[str, str]:
    """Return the type with most bytes for the layers, the LM head and the embedding table."""
    held: dict[str, Counter[str]] = {}
    for tensor in reader.tensors:
        if len(tensor.shape) < 2 or int(tensor.shape[1]) == 1:
            continue
        named = {"token_embd.weight": "embedding", "output.weight": "lm_head"}
        place = named.get(tensor.name, "body")
        held.setdefault(place, Counter())[tensor.tensor_type.name] += int(tensor.n_bytes)
    most = {place: types.most_common(1)[0][0] for place, types in held.items()}
    most.setdefault("lm_head", most.get("embedding", most.get("body", "F16")))
    return {place: _format(name) for place, name in most.items()}


def _format(name: str) -> str:
    return {"F32": "w16", "F16": "w16", "BF16": "w16"}.get(name, name.lower())
