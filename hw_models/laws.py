"""What the cost laws have in common: they take numbers or numpy arrays and broadcast."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Numbers: TypeAlias = float | NDArray[np.float64]
"""A number or an array of numbers; a law returns an array if any argument is one."""
