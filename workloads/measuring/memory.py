"""Count the bytes of live tensors while a phase runs, as an allocator would.

Every storage that an operator returns counts from then until nothing holds it. Storages that exist
before (weights, cache, constants) do not count. Not seen: temporaries inside a kernel.
"""

# mypy: disable-error-code="misc, no-any-return, no-untyped-call"
# (PyTorch's dispatch mode is not typed)

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveBytes(TorchDispatchMode):
    """Bytes of tensors that were made while it is active and still live.

    Arguments:
        existing: tensors that do not count.
    """

    def __init__(self, existing: Iterable[Tensor]) -> None:
        super().__init__()
        self.now_bytes = 0
        self.peak_bytes = 0
        self._known = {tensor.untyped_storage()._cdata for tensor in existing}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run the operator and count the storages that are new."""
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, Tensor):
                self._count(leaf)
        self.peak_bytes = max(self.peak_bytes, self.now_bytes)
        return out

    def _count(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage._cdata in self._known:
            return
        self._known.add(storage._cdata)
        self.now_bytes += storage.nbytes()
        weakref.finalize(storage, self._release, storage._cdata, storage.nbytes())

    def _release(self, key: int, size_bytes: int) -> None:
        self._known.discard(key)
        self.now_bytes -= size_bytes


def tensor_bytes(tensors: Iterable[Tensor]) -> int:
    """Return the bytes of the distinct storages behind some tensors."""
    sizes = {t.untyped_storage()._cdata: t.untyped_storage().nbytes() for t in tensors}
    return sum(sizes.values())


def weight_bytes(model: nn.Module) -> int:
    """Return the bytes of a model's parameters, a tied table counted once."""
    return tensor_bytes(model.parameters())
