"""Load the model and the texts, and record eviction and speculation."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch

from workloads.behaviour import weights
from workloads.behaviour.manifest import Subject, write_manifest
from workloads.behaviour.record_eviction import record_eviction
from workloads.behaviour.record_speculation import record_speculation
from workloads.behaviour.texts import TextKind, texts

SEED = 20
CACHE = Path.home() / ".cache" / "andesim"


def record(gguf: Path | None, directory: Path) -> None:
    """Write all recordings and their manifest, on one thread."""
    torch.set_num_threads(1)
    model, tokenizer = weights.load(gguf or weights.download(CACHE))
    chosen = texts()
    ids = {text.name: tokenizer.encode(text.content) for text in chosen}
    kinds: dict[TextKind, list[list[int]]] = {}
    for text in chosen:
        kinds.setdefault(text.kind, []).append(ids[text.name])
    directory.mkdir(parents=True, exist_ok=True)
    eviction = record_eviction(model, ids, directory)
    speculation = record_speculation(model, kinds, SEED, directory)
    digests = {
        text.name: (text.kind, hashlib.sha256(text.content.encode()).hexdigest()) for text in chosen
    }
    subject = Subject(
        model=weights.MODEL,
        weights_file=weights.FILE,
        weights_package=weights.PACKAGE,
        weights_sha256=weights.SHA256,
        texts=digests,
        torch_version=torch.__version__,
        seed=SEED,
    )
    write_manifest(directory, subject, eviction, speculation)
