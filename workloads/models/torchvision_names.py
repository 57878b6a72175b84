"""Let ``torchvision`` be imported beside a PyTorch that its compiled library was not made for.

The wheel of a package index is compiled for CUDA. Beside a PyTorch without CUDA its library does
not load, ``import torchvision`` raises, and ``transformers`` and ``timm`` with it, though neither
calls that library to build a model. Two of its operators are named while it is imported; here they
are declared without anything behind, so a call of one still fails.
"""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Final

from torch import library

NAMED: Final = ("nms", "qnms")
"""Operators that ``torchvision._meta_registrations`` names whether they are there or not."""
_declared: list[library.Library] = []


def import_torchvision() -> None:
    """Import torchvision where it is installed, its operators declared where they are missing."""
    if "torchvision" in sys.modules or find_spec("torchvision") is None:
        return
    try:
        import_module("torchvision")
    except RuntimeError:  # operator torchvision::nms does not exist
        names = library.Library("torchvision", "FRAGMENT")
        for name in NAMED:
            names.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _declared.append(names)
        import_module("torchvision")
