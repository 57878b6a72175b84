"""Examples in the docstrings of the behaviour package are true."""

import doctest
import importlib

import pytest

pytestmark = pytest.mark.torch

MODULES = [
    "eviction_rules",
    "record_speculation",
    "screens",
    "speculation_torch",
    "tokenizer",
    "weights",
]


@pytest.mark.parametrize("module", MODULES)
def test_doctests(module):
    result = doctest.testmod(importlib.import_module(f"workloads.behaviour.{module}"))
    assert result.attempted > 0
    assert result.failed == 0
