"""Other machines in miniature: the last bits of what the laws return are moved at random."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from hw_models import compute, dram, flash, kernels, power
from hw_models.thermal import RcChain

LAWS = (compute, dram, flash, kernels, power)
LAST_BITS = 1e-15
"""About what libraries for linear algebra differ by from processor to processor, relative."""


def perturbed(law: Callable[..., Any], rng: np.random.Generator) -> Callable[..., Any]:
    """Return a law whose floats come out multiplied by 1 - `LAST_BITS` or 1 + `LAST_BITS`."""

    def moved(*args: Any, **named: Any) -> Any:
        found = law(*args, **named)
        if not isinstance(found, float | np.ndarray) or np.asarray(found).dtype.kind != "f":
            return found
        return found * (1.0 + LAST_BITS * rng.choice([-1.0, 1.0], size=np.shape(found)))

    return moved


@pytest.fixture(params=["this machine", "other last bits"])
def machine(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run a test as it is, and once more with the last bits of every law moved."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param != "this machine":
            rng = np.random.default_rng(1)
            for module in LAWS:
                for name, law in inspect.getmembers(module, inspect.isfunction):
                    if law.__module__ == module.__name__ and not name.startswith("_"):
                        patch.setattr(module, name, perturbed(law, rng))
            for name in ("steady_state_c", "towards"):
                patch.setattr(RcChain, name, perturbed(getattr(RcChain, name), rng))
        yield request.param
