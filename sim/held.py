"""What a stack keeps resident of a model, beyond what its tensors take in their formats.

Classes are those of the ledger. Not modelled: pages of a mapped file that leave again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hw_models.schema import Stack
from workloads.program import StepGroup


def held_by(stack: Stack, tensor_bytes: Mapping[str, float]) -> dict[str, float]:
    """Return the resident bytes of each class on a stack [B], given those of the tensors.

    A table whose rows are looked up in the file counts with the share that is touched; packed
    copies stand beside the weights; every compiled graph keeps its buffers; the runtime comes on
    top. What nobody knows of a stack is not counted.
    """
    memory, held = stack.memory, dict(tensor_bytes)
    if memory.embedding_share and "embedding" in held:
        held["embedding"] = held["embedding"] * memory.embedding_share.value
    if memory.packed_share:
        held["packed"] = held["weights"] * memory.packed_share.value
    if memory.graph_buffer:
        graphs = stack.graphs_per_step.value * max(1, len(stack.cache_buckets_tokens))
        held["graph_buffers"] = memory.graph_buffer.value * graphs
    held["runtime"] = stack.runtime.value if stack.runtime else 0.0
    return held


def activations_held(groups: Sequence[StepGroup]) -> Iterator[float]:
    """Yield what is allocated for activations while each group runs, with one beside it [B]."""
    ahead_bytes = 0.0
    for group in groups:
        yield group.activation_bytes + (0.0 if group.images_needed is None else ahead_bytes)
        ahead_bytes = group.activation_bytes
