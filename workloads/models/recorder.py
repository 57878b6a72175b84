"""Record the operators that a phase calls, with the sizes of one call.

A `Recorder` sits between PyTorch's front end and its kernels. Under ``inference_mode`` linear,
norm and attention arrive whole instead of in pieces. Views are passed over; a tensor's role follows
from its storage (parameter, cache, constant), so an alias cannot hide a weight or a cache read.

Not seen: work outside PyTorch, and what a compiler would fuse.
"""

# mypy: disable-error-code="no-any-return, no-untyped-call"
# (PyTorch's dispatch mode is not typed)

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from workloads.errors import WorkloadError, did_you_mean
from workloads.extent import Extent
from workloads.models.andesvl import LanguageModel
from workloads.operator_rules import RULES
from workloads.trace import Operator, TensorRef

_LAYOUT = {"aten.reshape", "aten.flatten", "aten.contiguous"}


class Recorder(TorchDispatchMode):
    """Collects `Operator`s with constant sizes.

    Arguments:
        model: names of modules and parameters are relative to it.
        cache: tensors of the KV cache.
        constants: tensors a static graph keeps on chip.
    """

    def __init__(
        self, model: nn.Module, cache: Iterable[Tensor], constants: Iterable[Tensor]
    ) -> None:
        super().__init__()
        self._operators: list[Operator] = []
        self._model = model
        self._parameters = {_storage(p): name for name, p in model.named_parameters()}
        self._cache = _storages(cache)
        self._constants = _storages(constants)
        self._calls: list[tuple[str, nn.Module]] = []
        self._hooks: list[Any] = []

    def __enter__(self) -> Recorder:
        for name, module in self._model.named_modules():
            self._hooks += [
                module.register_forward_pre_hook(lambda m, _, n=name: self._calls.append((n, m))),
                module.register_forward_hook(self._returned),
            ]
        super().__enter__()
        return self

    def __exit__(self, *failure: Any) -> None:
        super().__exit__(*failure)
        for hook in self._hooks:
            hook.remove()

    def take(self) -> list[Operator]:
        """Return what was recorded since the last call."""
        taken, self._operators = self._operators, []
        return taken

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run the operator, and note it unless a module stands for it or it is a view."""
        out = self.call(func, args, kwargs or {})
        if func is torch.ops.aten.scaled_dot_product_attention.default:
            out = _token_major(out)
        if not any(hasattr(module, "fused_operator") for _, module in self._calls):
            self._note("aten." + func.__name__.partition(".")[0], (args, kwargs), out)
        return out

    def call(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """Run one operator; a subclass may watch it."""
        return func(*args, **kwargs)

    def _note(self, name: str, arguments: Any, out: Any) -> None:
        inputs = [leaf for leaf in tree_leaves(arguments) if isinstance(leaf, Tensor)]
        outputs = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
        if name == "aten.copy_":
            self._record("aten.copy", inputs[1:], inputs[:1])
        elif name.endswith("_") or not _storages(outputs) & _storages(inputs):
            self._record("aten.clone" if name in _LAYOUT else name, inputs, outputs)

    def _returned(self, module: nn.Module, inputs: Any, output: Any) -> None:
        fused = getattr(module, "fused_operator", None)
        if fused is not None:
            self._record(fused, inputs, [output])
        self._calls.pop()

    def _record(self, name: str, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> None:
        path, module = self._calls[-1] if self._calls else ("model", self._model)
        if name not in RULES:
            hint = did_you_mean(name, RULES)
            raise WorkloadError(f"{path} must call known operators. Got {name}. {hint}")
        attention = RULES[name].kind == "attention"
        self._operators.append(
            Operator(
                name=name,
                module=path,
                kind=RULES[name].kind,
                inputs=tuple(self._reference(tensor, path, "kv_read") for tensor in inputs),
                outputs=tuple(self._reference(tensor, path, "kv_write") for tensor in outputs),
                causal=attention and bool(getattr(module, "causal", False)),
            )
        )

    def _reference(self, tensor: Tensor, path: str, cache_role: str) -> TensorRef:
        shape = tuple(Extent.of(size) for size in tensor.shape)
        dtype = str(tensor.dtype).removeprefix("torch.")
        storage = _storage(tensor)
        if storage in self._parameters:
            parameter = self._parameters[storage]
            owner = path if path == "lm_head" else parameter
            return TensorRef(shape, dtype, "weight", parameter, tensor_class(owner))
        if storage in self._cache:
            return TensorRef(shape, dtype, cache_role)
        return TensorRef(shape, dtype, "constant" if storage in self._constants else "activation")


def _token_major(out: Tensor) -> Tensor:
    """Give attention's result the layout that PyTorch's flash kernels write; meta has another.

    Merging the heads after it is then a view, as it is on a device.
    """
    return out.transpose(1, 2).contiguous().transpose(1, 2)


def tensor_class(name: str) -> str:
    """Return the class of a parameter or module name.

    >>> tensor_class("model.layers.0.self_attn.q_proj.weight")
    'body'
    """
    if ".lora_" in name:
        return "adapter"
    top, _, rest = name.partition(".")
    if top in ("vision", "projector"):
        return "vision"
    if top == "lm_head":
        return "lm_head"
    return "embedding" if rest.startswith("embed_tokens") else "body"


@torch.inference_mode()
def record_text(model: LanguageModel, new: int, context: int) -> dict[str, list[Operator]]:
    """Record prefill and decode of ``new`` tokens that see ``context``, themselves included.

    The layers are the same calls; prefill needs the logits of its last token only.
    """
    cache = model.cache(context)
    span = model.model.span(context - new, new)
    ids = torch.zeros(new, dtype=torch.long, device=cache.keys.device)
    with Recorder(model, (cache.keys, cache.values), span.constants) as recorder:
        hidden = model.hidden(ids, cache, span)
        layers = recorder.take()
        model.logits(hidden[-1:])
        last = recorder.take()
        model.logits(hidden)
    return {"prefill": layers + last, "decode": layers + recorder.take()}


@torch.inference_mode()
def record_vision(model: LanguageModel, patches: int, rows: int) -> dict[str, list[Operator]]:
    """Record the encoding of an image of ``patches`` patches in ``rows`` rows."""
    grid = model.vision.grid(rows, patches // rows)
    weight = model.vision.patch_embed.weight
    pixels = weight.new_empty((patches, *weight.shape[1:]))
    with Recorder(model, (), grid.constants) as recorder:
        model.encode(pixels, grid)
    return {"vision": recorder.take()}


def _storages(tensors: Iterable[Tensor]) -> set[int]:
    return {_storage(tensor) for tensor in tensors}


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata
