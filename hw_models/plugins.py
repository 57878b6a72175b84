"""What other packages add to the hardware side, found by entry point.

An entry that cannot be loaded is named in one sentence, with its package, and nothing else is lost.
"""

import warnings
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from hw_models.errors import HardwareError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


@cache
def _installed() -> tuple["EntryPoint", ...]:
    """Return every entry point of ours in all packages, read once: 3 ms where there are none."""
    from importlib.metadata import distributions

    texts = ((found, found.read_text("entry_points.txt") or "") for found in distributions())
    return tuple(
        point for found, text in texts if "[andesim." in text for point in found.entry_points
    )


@cache
def packages() -> tuple[str, ...]:
    """Return name and version of every other package that adds something, sorted."""
    others = {point.dist for point in _installed() if point.dist is not None}
    return tuple(sorted(f"{found.name} {found.version}" for found in others))


@cache
def entries(group: str) -> "Mapping[str, EntryPoint]":
    """Return the entry points of a group by name; of two with one name the first installed."""
    return {point.name: point for point in reversed(_installed()) if point.group == group}


def load(point: "EntryPoint", kind: type) -> Any:
    """Return what an entry point names; `HardwareError` if it cannot be loaded or is no `kind`."""
    try:
        found = point.load()
    except Exception as error:
        found, got = None, f"{type(error).__name__}: {error}"
    else:
        got = repr(found)
    if isinstance(found, kind):
        return found
    package = point.dist.name if point.dist else "an unknown package"
    raise HardwareError(
        f"{point.group} entry {point.name!r} of {package} must name an importable {kind.__name__}. "
        f"Got {got:.200}. Mend or remove {package}."
    )


def load_all(group: str, kind: type) -> Iterator[Any]:
    """Yield what the entries of a group name; those that cannot be loaded become warnings."""
    for point in entries(group).values():
        try:
            yield load(point, kind)
        except HardwareError as fault:
            warnings.warn(str(fault), stacklevel=2)
