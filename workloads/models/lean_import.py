"""Import the base of ``transformers``' models without scipy's optimisers, a seventh of all imports.

Only the losses of object detection call ``scipy.optimize.linear_sum_assignment``, and their module
is loaded with every model. While it loads, a module stands in whose function loads scipy when it is
called; so who trains in the same process loses nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType
from typing import Any

OPTIMISERS = "scipy.optimize"


@contextmanager
def without_optimisers() -> Iterator[None]:
    """Let ``from scipy.optimize import linear_sum_assignment`` cost nothing until it is called."""
    if OPTIMISERS in sys.modules or find_spec("scipy") is None:
        yield
        return
    stand_in: Any = ModuleType(OPTIMISERS)
    stand_in.linear_sum_assignment = _linear_sum_assignment
    sys.modules[OPTIMISERS] = stand_in
    try:
        yield
    finally:
        if sys.modules.get(OPTIMISERS) is stand_in:
            del sys.modules[OPTIMISERS]


def _linear_sum_assignment(*args: Any, **kwargs: Any) -> Any:
    from scipy import optimize

    return optimize.linear_sum_assignment(*args, **kwargs)
