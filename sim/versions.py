"""The versions a result depends on."""

from __future__ import annotations

import platform
from functools import cache


@cache
def versions() -> dict[str, str]:
    """Return the versions of andesim, numpy and Python."""
    from importlib.metadata import version

    import numpy as np

    return {
        "andesim": version("andesim"),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
