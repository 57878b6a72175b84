"""Every example in a docstring of the packages runs and prints what it says."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path

import pytest

from sim.packaging import PACKAGES

ROOT = Path(__file__).parents[2]
EXAMPLE = re.compile(r"^ *>>> ", re.MULTILINE)
TORCH = re.compile(r"workloads\.(behaviour|models|measuring)\.")


def modules() -> list[str]:
    """Name the modules that hold an example."""
    files = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))
    found = (path for path in files if EXAMPLE.search(path.read_text(encoding="utf-8")))
    names = (".".join(path.relative_to(ROOT).with_suffix("").parts) for path in found)
    return [name.removesuffix(".__init__") for name in names]


@pytest.mark.parametrize("name", [name for name in modules() if not TORCH.match(name)])
def test_examples(name):
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted
    assert not found.failed


@pytest.mark.torch
@pytest.mark.parametrize("name", [name for name in modules() if TORCH.match(name)])
def test_examples_beside_pytorch(name):
    pytest.importorskip("torch")
    test_examples(name)
