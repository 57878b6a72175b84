"""Walking a spec: entries by dotted path, and copies with some entries replaced.

A node is a `Part`, a dict or a tuple; everything else is a leaf. Items of a tuple count from 0:
the second trip of the governor is `thermal.governor.trip_c.1`.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hw_models.provenance import Parameter, Source
from hw_models.schema import Part


def leaves(node: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (dotted path, leaf) for all but the sources; a tuple is yielded before its items."""
    children = _children(node)
    if children is None or isinstance(node, tuple):
        yield prefix, node
    for name, child in (children or {}).items():
        if not isinstance(child, Source):
            yield from leaves(child, f"{prefix}.{name}" if prefix else name)


def to_tree(node: Any, write: Callable[[Any], Any] = lambda leaf: leaf) -> Any:
    """Copy a spec as dicts and lists, each leaf passed through `write`."""
    children = _children(node)
    if children is None:
        return write(node)
    copies = {name: to_tree(child, write) for name, child in children.items()}
    return list(copies.values()) if isinstance(node, tuple) else copies


def set_entry(tree: Any, path: str, value: Any) -> None:
    """Replace the entry at a dotted path of a tree of dicts and lists, in place."""
    *parents, name = path.split(".")
    for parent in parents:
        tree = tree[int(parent)] if isinstance(tree, list) else tree[parent]
    tree[int(name) if isinstance(tree, list) else name] = value


def moved(node: Any, values: Mapping[str, float]) -> Any:
    """Copy a spec with the parameters at dotted paths moved to other values (SI)."""
    by_name: dict[str, dict[str, float]] = {}
    for path, value in values.items():
        name, _, rest = path.partition(".")
        by_name.setdefault(name, {})[rest] = value
    if isinstance(node, Parameter):
        return node.moved_to(values[""])
    children = _children(node) or {}
    changed = {name: moved(children[name], below) for name, below in by_name.items()}
    if isinstance(node, Part):
        return node.model_copy(update=changed)
    copies = children | changed
    return tuple(copies.values()) if isinstance(node, tuple) else copies


def _children(node: Any) -> dict[str, Any] | None:
    if isinstance(node, Part):
        return {name: getattr(node, name) for name in type(node).model_fields}
    if isinstance(node, tuple):
        return {str(index): item for index, item in enumerate(node)}
    return node if isinstance(node, dict) else None
