"""What other packages add, found by entry point and loaded only when it is asked for.

    [project.entry-points."andesim.eviction_policies"]
    half = "my_package.policies:Half"

The name of an entry is what a scenario says. An entry that cannot be loaded is named in one
sentence, with its package; nothing else of that package or of ours is lost.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from workloads.errors import WorkloadError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


@cache
def _installed() -> tuple[EntryPoint, ...]:
    """Return every entry point of ours in all packages, read once: 3 ms where there are none."""
    from importlib.metadata import distributions

    texts = ((found, found.read_text("entry_points.txt") or "") for found in distributions())
    return tuple(
        point for found, text in texts if "[andesim." in text for point in found.entry_points
    )


@cache
def entries(group: str) -> Mapping[str, EntryPoint]:
    """Return the entry points of a group by name; of two with one name the first installed."""
    return {point.name: point for point in reversed(_installed()) if point.group == group}


def load(point: EntryPoint, *kinds: type) -> Any:
    """Return what an entry point names, an instance or a subclass of one of ``kinds``.

    Raises `WorkloadError`, a sentence with the package and the entry, where it is neither or where
    importing it fails in whatever way.
    """
    names = " or ".join(kind.__name__ for kind in kinds)
    try:
        found = point.load()
    except Exception as error:
        got = f"{type(error).__name__}: {error}"
    else:
        if isinstance(found, kinds) or (isinstance(found, type) and issubclass(found, kinds)):
            return found
        got = repr(found)
    package = point.dist.name if point.dist else "an unknown package"
    raise WorkloadError(
        f"{point.group} entry {point.name!r} of {package} must name an importable {names}. "
        f"Got {got:.200}. Mend or remove {package}."
    )


def load_all(group: str, *kinds: type) -> dict[str, Any]:
    """Return everything a group names, by entry; what cannot be loaded is left out with a warning.

    For lists and for what is found by its looks. What a person asks for by name is for `load`.
    """
    found = {}
    for name, point in entries(group).items():
        try:
            found[name] = load(point, *kinds)
        except WorkloadError as fault:
            warnings.warn(str(fault), stacklevel=2)
    return found
