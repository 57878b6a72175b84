"""The examples in the docstrings of `hw_models` hold."""

import doctest
import importlib
import pkgutil

import pytest

import hw_models

MODULES = [module.name for module in pkgutil.iter_modules(hw_models.__path__, "hw_models.")]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
