"""The examples in the docstrings of models and traces are true."""

import doctest
import importlib

import pytest

MODULES = ["capture", "catalogue", "errors", "extent", "files", "images", "operators"]


def check(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0


@pytest.mark.parametrize("module", MODULES)
def test_doctests(module):
    check(f"workloads.{module}")


@pytest.mark.torch
def test_doctests_that_need_pytorch():
    pytest.importorskip("torch")
    check("workloads.models.recorder")
