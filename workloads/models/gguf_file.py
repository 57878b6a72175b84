"""Read the header of a ``.gguf`` file: the architecture, and how each class of tensors is stored.

Metadata become the configuration of the ``transformers`` class (its own table of names is used);
of the tensors only names, types and sizes are read. A class stored in one type takes that format;
one stored in several (``Q4_K_M`` is two) takes its exact bits per weight. Needs the
``trace`` extra.

Not modelled: vectors (norms, biases), which stay in 32 bit and are a thousandth of the bytes.
"""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
    except MemoryError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())[:160]
        raise WorkloadError(
            f"{path.name} must be a whole .gguf file of a known kind. Its header does not read: "
            f"{said}."
        ) from None
    if not isinstance(entry.get("model_type"), str):
        raise WorkloadError(f"{path.name}: general.architecture must be given.")
    kept = {key: value for key, value in entry.items() if not key.startswith("_")}
    return {**kept, "stored_as": _types(stored_tensors(reader))}


@dataclass(frozen=True)
class StoredTensor:
    """One tensor of a file.

    Attributes
    ----------
    name, type
        As the file says, such as ``blk.0.attn_q.weight`` and ``Q4_K``.
    tensor_class
        body, lm_head or embedding.
    elements, bytes
        Its weights, and the bytes they take in the file.
    """

    name: str
    type: str
    tensor_class: str
    elements: int
    bytes: int


def stored_tensors(reader: Any) -> list[StoredTensor]:
    """Return the matrices of a file that a ``gguf.GGUFReader`` has open, in its order."""
    named = {"token_embd.weight": "embedding", "output.weight": "lm_head"}
    return [
        StoredTensor(
            tensor.name,
            tensor.tensor_type.name,
            named.get(tensor.name, "body"),
            int(tensor.n_elements),
            int(tensor.n_bytes),
        )
        for tensor in reader.tensors
        if len(tensor.shape) > 1 and int(tensor.shape[1]) > 1
    ]


def _types(tensors: Sequence[StoredTensor]) -> dict[str, str]:
    """Return the format of each class; a tied LM head is stored as the embedding table."""
    held: dict[str, list[StoredTensor]] = {}
    for tensor in tensors:
        held.setdefault(tensor.tensor_class, []).append(tensor)
    held.setdefault("lm_head", held.get("embedding", held.get("body", [])))
    return {place: _stored(group) for place, group in held.items() if group}


def _stored(group: Sequence[StoredTensor]) -> str:
    """Return the one type of a group, or the exact bits per weight of several."""
    types = {tensor.type for tensor in group}
    if len(types) == 1:
        return _format(types.pop())
    bits = 8 * sum(tensor.bytes for tensor in group) / sum(tensor.elements for tensor in group)
    return f"bpw{bits:.6f}"


def _format(name: str) -> str:
    return {"F32": "w16", "F16": "w16", "BF16": "w16"}.get(name, name.lower())
