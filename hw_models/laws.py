"""What the cost laws have in common: they take numbers or numpy arrays and broadcast."""

from collections.abc import Iterable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Numbers: TypeAlias = float | NDArray[np.float64]
"""A number or an array of numbers; a law returns an array if any argument is one."""


def in_a_row(numbers: Iterable[Numbers]) -> NDArray[np.float64]:
    """Return the numbers of devices one after the other; a column stands for several devices.

    >>> in_a_row([1.0, np.array([[2.0], [3.0]])]).tolist()
    [1.0, 2.0, 3.0]
    """
    return np.concatenate([np.ravel(number) for number in numbers]).astype(np.float64)


def in_rows(numbers: Iterable[Numbers]) -> NDArray[np.float64]:
    """Return numbers of one device, or columns for several, as rows: (numbers, devices).

    >>> in_rows([1.0, np.array([[2.0], [3.0]])]).tolist()
    [[1.0, 1.0], [2.0, 3.0]]
    """
    return np.stack(np.broadcast_arrays(*(np.ravel(number) for number in numbers))).astype(float)
