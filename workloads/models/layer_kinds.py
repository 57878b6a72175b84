"""Find a model's layers and run one of each kind, so that a deep model costs no more.

Two layers are of one kind when their classes, their parameters' shapes and every plain setting of
their modules but the layer's number are equal.
"""

# mypy: disable-error-code="no-any-return, no-untyped-call"

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from torch import Tensor, nn

_NUMBER = re.compile(r"(layer|block)_?(idx|id|index|number|num)$|^(idx|index|layer)$|_layer_index$")


def find_layers(model: nn.Module, wanted: int | None) -> tuple[str, nn.ModuleList] | None:
    """Return the path and the list of the model's layers; None where it has no list of layers.

    ``wanted`` is the number the configuration gives; of several lists the first of that length
    counts, else the one with most parameters.
    """
    lists = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList) and len(module)
    ]
    exact = [item for item in lists if len(item[1]) == wanted]
    if exact:
        return max(exact, key=_weight)
    return max(lists, key=_weight, default=None)


def _weight(item: tuple[str, nn.ModuleList]) -> int:
    return sum(parameter.numel() for parameter in item[1].parameters())


def first_of_kind(layers: nn.ModuleList) -> list[int]:
    """Return for each layer the number of the first layer of its kind."""
    seen: dict[str, int] = {}
    return [seen.setdefault(_signature(layer), index) for index, layer in enumerate(layers)]


def _signature(layer: nn.Module) -> str:
    parts: list[Any] = []
    for name, module in layer.named_modules():
        settings = {
            key: value
            for key, value in vars(module).items()
            if not key.startswith("_") and _plain(value) and not _NUMBER.search(key)
        }
        parts.append((name, type(module).__name__, sorted(settings.items())))
    shapes = [(name, tuple(p.shape), str(p.dtype)) for name, p in layer.named_parameters()]
    return repr((parts, shapes))


def _plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


@contextmanager
def one_of_each(layers: nn.ModuleList, kinds: list[int]) -> Iterator[None]:
    """Let layers that repeat an earlier one pass their first argument through.

    A layer that returns more than its hidden state returns the rest as the first of its kind did.
    """
    returned: dict[int, Any] = {}
    skipped = [index for index, kind in enumerate(kinds) if kind != index]
    hooks = [
        layers[kind].register_forward_hook(partial(_kept, returned, kind)) for kind in set(kinds)
    ]
    for index in skipped:
        layers[index].forward = partial(_passed, returned, kinds[index])
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for index in skipped:
            del layers[index].forward


def _kept(returned: dict[int, Any], kind: int, module: nn.Module, args: Any, out: Any) -> None:
    returned[kind] = out


def _passed(returned: dict[int, Any], kind: int, *args: Any, **kwargs: Any) -> Any:
    first = args[0] if args else kwargs.get("hidden_states")
    if not isinstance(first, Tensor):
        raise TypeError("a layer must take its hidden state first")
    like = returned[kind]
    return first if isinstance(like, Tensor) else (first, *like[1:])
