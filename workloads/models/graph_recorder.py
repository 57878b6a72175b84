"""Record what any PyTorch module calls, with the role of every tensor found from the run itself.

A weight is the storage of a parameter; a cache read is a tensor that the cache returned; a constant
is what is computed from constants alone (rotary tables, masks); all else is an activation. Views
move nothing and are passed over, and so are conversions of a dtype, which kernels fuse.

Not seen: work outside PyTorch, and what a compiler would fuse.
"""

# mypy: disable-error-code="no-any-return, no-untyped-call"
# (PyTorch's dispatch mode is not typed)

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from workloads.errors import WorkloadError, did_you_mean
from workloads.models.events import Event, Seen
from workloads.models.meta_run import META, MetaRun
from workloads.operator_rules import RULES

ALIASES = frozenset({"aten.to", "aten._to_copy", "aten.type_as", "aten.detach", "aten.float"})
"""Conversions: the same tensor in another dtype or place."""
LAYOUT = frozenset(
    {"aten.reshape", "aten.reshape_as", "aten.flatten", "aten.contiguous", "aten._unsafe_view"}
)


class GraphRecorder(MetaRun):
    """Collects the `Event`s of a call.

    Arguments:
        model: names of modules and parameters are relative to it.
        inputs: tensors the caller gives the model; they are activations, also where they are real.
    """

    def __init__(self, model: nn.Module, inputs: Iterable[Tensor] = ()) -> None:
        super().__init__()
        self.events: list[Event] = []
        self._model = model
        self._kept: list[Any] = []  # storages that are alive keep their number
        self._numbers: dict[int, int] = {}
        self._roles: dict[int, tuple[str, str | None]] = {}
        self._windows: dict[int, int | None] = {}
        self._alias: dict[int, int] = {}
        self._muted = 0
        self._paths: list[str] = []
        self._hooks: list[Any] = []
        for name, parameter in model.named_parameters():
            self.tag(parameter, "weight", name)
        for _, buffer in model.named_buffers():
            self.tag(buffer, "constant")
        for tensor in inputs:
            self.tag(tensor, "activation")

    def __enter__(self) -> GraphRecorder:
        for name, module in self._model.named_modules():
            self._hooks += [
                module.register_forward_pre_hook(
                    lambda m, a, k, n=name: self._entered(n, m), with_kwargs=True
                ),
                module.register_forward_hook(self._left, with_kwargs=True),
            ]
        super().__enter__()
        return self

    def __exit__(self, *failure: Any) -> None:
        super().__exit__(*failure)
        for hook in self._hooks:
            hook.remove()

    @property
    def path(self) -> str:
        """Path of the module that is running."""
        return self._paths[-1] if self._paths else ""

    @property
    def is_muted(self) -> bool:
        """Whether calls are passed over."""
        return self._muted > 0

    @contextmanager
    def muted(self) -> Iterator[None]:
        """Note nothing inside."""
        self._muted += 1
        try:
            yield
        finally:
            self._muted -= 1

    @contextmanager
    def aside(self) -> Iterator[list[Event]]:
        """Collect what is noted inside in a list of its own, which is given."""
        kept, self.events = self.events, []
        try:
            yield self.events
        finally:
            self.events = kept

    def tag(self, tensor: Tensor, role: str, parameter: str | None = None) -> None:
        """Give the storage of a tensor its role."""
        self._roles[self._number(tensor)] = (role, parameter)

    def role(self, tensor: Tensor) -> str:
        """Return the role of a tensor; one that nobody made in this run is a constant."""
        return self._roles.get(self._number(tensor), ("constant", None))[0]

    def moved(self, real: Tensor, shape_only: Tensor) -> None:
        """Keep the role of a real tensor that enters a call on ``meta``."""
        self._same(shape_only, real)

    def _same(self, copy: Tensor, source: Tensor) -> None:
        """Take one tensor for another; two that share their memory are one already."""
        mine, other = self._number(copy), self._number(source)
        if mine != other:
            self._alias[mine] = other

    def called(self, func: Any, args: Any, kwargs: dict[str, Any], out: Any) -> Any:
        """Note one call unless it is a view, a conversion or a constant."""
        name = "aten." + func.__name__.partition(".")[0]
        inputs = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        outputs = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
        if name in ALIASES:
            self._same(outputs[0], inputs[0])
            return out
        in_place = name.endswith("_") and not name.endswith("__")
        if not in_place and self._is_view(inputs, outputs):
            return out
        known = {"activation", "kv_read", "state", "weight"}
        if not any(self.role(tensor) in known for tensor in inputs):
            return out
        if name == "aten.copy_":
            self.note("aten.copy", inputs[1:], inputs[:1])
        elif outputs:
            name = "aten.clone" if name in LAYOUT else name.rstrip("_") if in_place else name
            self.note(name, inputs, outputs, work=_stated_work(name, args, inputs, outputs))
        return out

    def _is_view(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> bool:
        made = {self._raw(tensor) for tensor in outputs}
        return bool(made & {self._raw(tensor) for tensor in inputs})

    def note(
        self,
        name: str,
        inputs: Sequence[Tensor],
        outputs: Sequence[Tensor],
        **attributes: Any,
    ) -> None:
        """Append one event, unless muted; its results become activations."""
        if self._muted:
            for tensor in outputs:
                if self.role(tensor) == "constant":
                    self.tag(tensor, "activation")
            return
        if name not in RULES:
            hint = did_you_mean(name, RULES)
            raise WorkloadError(
                f"{self.path or 'the model'} must call known operators. Got {name}. {hint}"
            )
        for tensor in outputs:
            if self.role(tensor) == "constant":
                self.tag(tensor, "activation")
        self.events.append(
            Event(
                name,
                self.path,
                tuple(self.seen(tensor) for tensor in inputs),
                tuple(self.seen(tensor) for tensor in outputs),
                **attributes,
            )
        )

    def seen(self, tensor: Tensor) -> Seen:
        """Return a tensor as this call sees it."""
        storage = self._number(tensor)
        role, parameter = self._roles.get(storage, ("constant", None))
        pairs = list(zip(tensor.shape, tensor.stride(), strict=True))
        shape = tuple(1 if stride == 0 and size > 1 else size for size, stride in pairs)
        last = sum((size - 1) * stride for size, stride in pairs if size > 0)
        first = tensor.storage_offset()
        held = tensor.untyped_storage().nbytes() // max(1, tensor.element_size())
        dtype = str(tensor.dtype).removeprefix("torch.")
        return Seen(
            storage, shape, (int(first), int(first + last + 1)), held, dtype, role, parameter
        )

    def _raw(self, tensor: Tensor) -> int:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key not in self._numbers:
            self._numbers[key] = len(self._numbers)
            self._kept.append(storage)
        return self._numbers[key]

    def _number(self, tensor: Tensor) -> int:
        number = self._raw(tensor)
        while number in self._alias:
            number = self._alias[number]
        return number

    def _entered(self, name: str, module: nn.Module) -> None:
        self._paths.append(name)
        self._muted += is_norm(module)

    def _left(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        if is_norm(module):
            self._muted -= 1
            given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
            weights = list(module.parameters(recurse=False))
            centred = "LayerNorm" in type(module).__name__ or len(weights) > 1
            if any(self.role(t) not in ("constant",) for t in given):
                name = "aten.layer_norm" if centred else "aten.rms_norm"
                made = [leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor)]
                self.note(name, [*given, *weights], made)
        self._paths.pop()


def is_norm(module: nn.Module) -> bool:
    """Return whether a module is a normalisation over features: vectors for weights, nothing in it.

    Batch and group normalisation of images call operators of their own.
    """
    name = type(module).__name__
    if "Norm" not in name or "BatchNorm" in name or "GroupNorm" in name:
        return False
    flat = all(parameter.dim() <= 1 for parameter in module.parameters(recurse=False))
    return flat and not any(True for _ in module.children())


def _stated_work(
    name: str, args: Any, inputs: Sequence[Tensor], outputs: Sequence[Tensor]
) -> tuple[int, int] | None:
    """Return the work of a call whose operands do not tell it.

    An einsum by its equation; a pooling reads its whole window for each output.
    """
    if name == "aten.linalg_solve_triangular":
        rows = inputs[0].shape[-1]  # row j subtracts j products from each of its columns
        return rows * outputs[0].numel(), 0
    if name in ("aten.max_pool1d", "aten.max_pool2d", "aten.avg_pool1d", "aten.avg_pool2d"):
        window = args[1] if isinstance(args[1], list | tuple) else [args[1]]
        sides = [*window] * (int(name[-2]) if len(window) == 1 else 1)
        return 0, outputs[0].numel() * math.prod(sides)
    if name != "aten.einsum":
        return None
    sizes: dict[str | int, int] = {}
    terms = args[0].replace(" ", "").partition("->")[0].split(",")
    for term, tensor in zip(terms, inputs, strict=True):
        sizes |= dict(zip(_letters(term, tensor.dim()), tensor.shape, strict=True))
    return 2 * math.prod(sizes.values()) * max(1, len(terms) - 1), 0


def _letters(term: str, dimensions: int) -> list[str | int]:
    """Return what an einsum calls the dimensions of an operand, those of an ellipsis by number."""
    left, dots, right = term.partition("...")
    hidden = dimensions - len(left) - len(right) if dots else 0
    return [*left, *range(-hidden, 0), *right]


__all__ = ["META", "GraphRecorder", "is_norm", "torch"]
