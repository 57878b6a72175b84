"""Keys of what is worked out once: a part of a trace by being that part, sizes by their bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from workloads.extent import Size

FrozenSizes = tuple[tuple[str, int | bytes], ...]
"""Named sizes that can be a key: whole numbers, and columns of them as their bytes."""

Part = TypeVar("Part")


@dataclass(frozen=True, slots=True, eq=False)
class Same(Generic[Part]):
    """A part of a trace as a key: equal to itself only, so that nothing inside is compared."""

    part: Part

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.part is other.part

    def __hash__(self) -> int:
        return id(self.part)


def frozen(sizes: Mapping[str, Size]) -> FrozenSizes:
    """Return sizes as a key.

    >>> thawed(frozen({"T": 3, "S": np.array([4, 5])}))
    {'T': 3, 'S': array([4, 5])}
    """
    return tuple(
        (name, size if isinstance(size, int) else size.astype(np.int64, copy=False).tobytes())
        for name, size in sizes.items()
    )


def thawed(sizes: FrozenSizes) -> dict[str, Size]:
    """Return the sizes of a key."""
    return {
        name: size if isinstance(size, int) else np.frombuffer(size, dtype=np.int64)
        for name, size in sizes
    }
