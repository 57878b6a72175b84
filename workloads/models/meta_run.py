"""Run a module on ``meta`` tensors while its integers stay real.

Floating-point tensors have shapes and no data. Integers and booleans that do not come from
floating-point data (ids, positions, window lengths, image grids) stay real on the CPU, so that
code which branches on them, or sizes tensors by them, runs as it would on a device.

Not covered: code whose branches depend on floating-point values; PyTorch then says that a ``meta``
tensor has no data.
"""

# mypy: disable-error-code="no-any-return, no-untyped-call"
# (PyTorch's dispatch mode is not typed)

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

META, CPU = torch.device("meta"), torch.device("cpu")
_INDEXING = ("index", "index_put", "index_put_", "_unsafe_index")


class MetaRun(TorchDispatchMode):
    """Keeps integers real and everything else on ``meta``; a subclass may watch each call.

    With ``real`` set nothing is moved: a model with weights is watched as it runs.
    """

    real = False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run one operator with its operands and its result where the rule wants them."""
        kwargs = dict(kwargs or {})
        if not self.real:
            args, kwargs = self._placed(func, args, kwargs)
        return self.called(func, args, kwargs, self.ran(func, args, kwargs))

    def ran(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """Run one call; a subclass may time it."""
        return func(*args, **kwargs)

    def called(self, func: Any, args: Any, kwargs: dict[str, Any], out: Any) -> Any:
        """Return the result of one call; a subclass notes it."""
        return out

    def moved(self, real: Tensor, shape_only: Tensor) -> None:
        """Be told that a real tensor entered a call on ``meta``."""

    def _placed(self, func: Any, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        on_meta = any(tensor.device == META for tensor in tensors)
        args, kwargs = self._aimed(func, args, kwargs, tensors, on_meta)
        if not on_meta or all(tensor.device == META for tensor in tensors):
            return args, kwargs
        if func.__name__.partition(".")[0] in _INDEXING:
            args = tuple(map(_positions_of, args))
        return tree_map(self._to_meta, args), tree_map(self._to_meta, kwargs)

    def _to_meta(self, leaf: Any) -> Any:
        if not isinstance(leaf, Tensor) or leaf.device == META:
            return leaf
        shape_only = leaf.to(META)
        self.moved(leaf, shape_only)
        return shape_only

    def _aimed(
        self, func: Any, args: Any, kwargs: dict[str, Any], tensors: list[Tensor], on_meta: bool
    ) -> tuple[Any, dict[str, Any]]:
        """Send integer results to the CPU and floating-point ones to ``meta``."""
        device = kwargs.get("device")
        wanted = _destination(func, args, kwargs, tensors)
        if wanted is None:
            return args, kwargs
        if device is not None and device != wanted:
            kwargs["device"] = wanted
        elif device is None and wanted == CPU and on_meta:
            kwargs["device"] = CPU
        moves = [isinstance(leaf, torch.device) and leaf != wanted for leaf in tree_leaves(args)]
        if any(moves):
            args = tree_map(lambda leaf: wanted if isinstance(leaf, torch.device) else leaf, args)
        return args, kwargs


def _destination(
    func: Any, args: Any, kwargs: dict[str, Any], tensors: list[Tensor]
) -> torch.device | None:
    """Return where a call that makes or moves a tensor should put it; None: not such a call."""
    name = func.__name__.partition(".")[0]
    dtype = kwargs.get("dtype")
    if name in ("to", "_to_copy"):
        source = tensors[0]
        given = [leaf for leaf in tree_leaves(args) if isinstance(leaf, torch.dtype)]
        target = dtype or (given[0] if given else source.dtype)
        return CPU if source.device == CPU and not _floating(target) else META
    if name in _MAKERS:
        like = tensors[0].dtype if tensors and name not in ("full",) else None
        return CPU if not _floating(dtype or like or _default_dtype(name, args)) else META
    return None


_MAKERS: frozenset[str] = frozenset(
    {
        "arange",
        "zeros",
        "ones",
        "full",
        "empty",
        "eye",
        "linspace",
        "scalar_tensor",
        "tril_indices",
        "triu_indices",
        "rand",
        "randn",
        "randint",
        "zeros_like",
        "ones_like",
        "full_like",
        "empty_like",
        "new_zeros",
        "new_ones",
        "new_full",
        "new_empty",
        "new_tensor",
        "empty_strided",
    }
)


def _default_dtype(name: str, args: Any) -> torch.dtype:
    """Return what PyTorch makes of a call without a dtype."""
    numbers = [leaf for leaf in tree_leaves(args) if isinstance(leaf, int | float)]
    if name in ("arange", "full", "scalar_tensor", "randint", "tril_indices", "triu_indices"):
        value = numbers[-1] if name in ("full", "scalar_tensor") else sum(numbers)
        return torch.float32 if isinstance(value, float) else torch.int64
    return torch.float32


def _floating(dtype: torch.dtype) -> bool:
    return dtype.is_floating_point or dtype.is_complex


def _positions_of(leaf: Any) -> Any:
    """Return the places where a real mask is true; a mask without data can not index."""
    if isinstance(leaf, list | tuple) and any(_is_mask(part) for part in leaf):
        parts: list[Any] = []
        for part in leaf:
            parts += part.nonzero(as_tuple=True) if _is_mask(part) else [part]
        return type(leaf)(parts)
    return leaf


def _is_mask(part: Any) -> bool:
    return isinstance(part, Tensor) and part.device == CPU and part.dtype == torch.bool
