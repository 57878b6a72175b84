import doctest
import importlib

import pytest

MODULES = [
    "measured",
    "measured_checks",
    "importers.base",
    "importers.names",
    "importers.chrome_trace",
]


@pytest.mark.parametrize("module", MODULES)
def test_doctests(module):
    result = doctest.testmod(importlib.import_module(f"sim.analysis.{module}"))
    assert result.attempted > 0
    assert result.failed == 0
