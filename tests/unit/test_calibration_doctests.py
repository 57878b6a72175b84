"""The examples in the docstrings of calibration and validation run."""

from __future__ import annotations

import doctest
import importlib

import pytest

MODULES = (
    "sim.analysis.calibration",
    "sim.analysis.calibration_folds",
    "sim.cli.measured_files",
    "sim.analysis.conformal",
    "sim.analysis.scenario_of_run",
    "sim.analysis.validation_repeats",
    "sim.analysis.validation_tables",
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted
    assert found.failed == 0
