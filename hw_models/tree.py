"""Walking a spec: entries by dotted path, and copies with some entries replaced.

A node is a `Part`, a dict or a tuple; everything else is a leaf. Items of a tuple count from 0:
the second trip of the governor is `thermal.governor.trip_c.1`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from hw_models.laws import Numbers
from hw_models.part import Part
from hw_models.provenance import Parameter, Source

_NOWHERE: Final = object()
"""Where a path leads that a spec has not; None is an entry that is switched off."""


def leaves(node: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Return (dotted path, leaf) for all but the sources; a tuple comes before its items."""
    found: list[tuple[str, Any]] = []
    _collect(node, prefix, found)
    return iter(found)


def _collect(node: Any, prefix: str, found: list[tuple[str, Any]]) -> None:
    children = _children(node)
    if children is None or isinstance(node, tuple):
        found.append((prefix, node))
    for name, child in (children or {}).items():
        if not isinstance(child, Source):
            _collect(child, f"{prefix}.{name}" if prefix else name, found)


def has_entry(node: Any, path: str) -> bool:
    """Return whether a dotted path leads to an entry of a spec, a leaf or a part that is there."""
    return _entry(node, path) is not _NOWHERE


def has_parameter(node: Any, path: str) -> bool:
    """Return whether a dotted path leads to a parameter of a spec."""
    return isinstance(_entry(node, path), Parameter)


def _entry(node: Any, path: str) -> Any:
    for name in path.split("."):
        node = (_children(node) or {}).get(name, _NOWHERE)
    return node


def to_tree(node: Any, write: Callable[[Any], Any] = lambda leaf: leaf) -> Any:
    """Copy a spec as dicts and lists, each leaf passed through `write`."""
    children = _children(node)
    if children is None:
        return write(node)
    copies = {name: to_tree(child, write) for name, child in children.items()}
    return list(copies.values()) if isinstance(node, tuple) else copies


def set_entry(tree: Any, path: str, value: Any) -> None:
    """Replace the entry at an existing dotted path of a tree of dicts and lists, in place."""
    *parents, name = path.split(".")
    for parent in parents:
        tree = tree[int(parent)] if isinstance(tree, list) else tree[parent]
    tree[int(name) if isinstance(tree, list) else name] = value


def moved(node: Any, values: Mapping[str, Numbers | Parameter]) -> Any:
    """Copy a spec with the parameters at dotted paths moved to other values (SI), or replaced."""
    return moved_each(node, {path: (value,) for path, value in values.items()}, 1)[0]


def moved_each(
    node: Any, values: Mapping[str, Sequence[Numbers | Parameter]], copies: int
) -> list[Any]:
    """Copy a spec `copies` times, the parameters at dotted paths moved to their values in each.

    A parameter in place of a value stands there as it is, where there was none, too.

    What no path leads to is shared by all copies.
    """
    if "" in values:
        return [
            value if isinstance(value, Parameter) else node.moved_to(value) for value in values[""]
        ]
    by_name: dict[str, dict[str, Sequence[Numbers | Parameter]]] = {}
    for path, column in values.items():
        name, _, rest = path.partition(".")
        by_name.setdefault(name, {})[rest] = column
    children = _children(node) or {}
    changed = {name: moved_each(children[name], below, copies) for name, below in by_name.items()}
    rows = zip(*changed.values(), strict=True) if changed else [()] * copies
    return [_with_children(node, dict(zip(changed, row, strict=True))) for row in rows]


def _with_children(node: Any, changed: Mapping[str, Any]) -> Any:
    """Copy a node with some children replaced; what follows one of them moves with it."""
    children = _children(node) or {}
    found = dict(changed)
    for name, child in children.items():
        follows = child.follows if isinstance(child, Parameter) else None
        if follows is not None and follows.of in changed and name not in changed:
            found[name] = child.moved_to(follows.value(changed[follows.of].value))
    if isinstance(node, Part):
        return node.model_copy(update=found)
    copies = children | found
    return tuple(copies.values()) if isinstance(node, tuple) else copies


def _children(node: Any) -> dict[str, Any] | None:
    if isinstance(node, Part):
        return {name: getattr(node, name) for name in type(node).model_fields}
    if isinstance(node, tuple):
        return {str(index): item for index, item in enumerate(node)}
    return node if isinstance(node, dict) else None
