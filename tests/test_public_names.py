"""Names people rely on: `__all__`, the metrics page, and the examples in docstrings."""

from __future__ import annotations

import ast
import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from types import ModuleType

import pytest

import sim
from sim.metrics import METRICS, page_rows
from sim.packaging import PACKAGES
from sim.summary import Summary

ROOT = Path(__file__).parents[1]
EXPORTING = sorted(
    path
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if re.search(r"^__all__\b", path.read_text(encoding="utf-8"), re.MULTILINE)
)


def module_of(path: Path) -> ModuleType:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return importlib.import_module(".".join(part for part in parts if part != "__init__"))


def in_order(names: list[str]) -> list[str]:
    """Constants, then classes, then functions, each sorted."""
    return sorted(names, key=lambda name: (not name.isupper(), name.islower(), name))


@pytest.mark.parametrize("path", EXPORTING, ids=lambda path: str(path.relative_to(ROOT)))
def test_all_is_sorted_and_every_name_exists(path):
    module = module_of(path)
    assert list(module.__all__) == in_order(module.__all__)
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


def test_sim_is_a_table_of_contents():
    imported = {
        alias.name: node.module
        for node in ast.walk(ast.parse(Path(str(sim.__file__)).read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module.startswith(tuple(PACKAGES))
        for alias in node.names
    }
    assert imported == sim.CONTENTS
    assert set(sim.__all__) == set(sim.CONTENTS)
    assert all(callable(getattr(sim, name)) for name in sim.CONTENTS)


def test_importing_sim_loads_nothing_heavy():
    code = "import sim, sys; print([m for m in ('numpy', 'pydantic', 'rich') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_metrics_page_is_written_from_the_table():
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert [line for line in page.splitlines() if line.startswith(tuple(page_rows()))] == (
        page_rows()
    )
    assert list(METRICS) == [field.name for field in fields(Summary)]


UNITS = {"_s": "s", "_bytes": "B", "_j": "J", "_w": "W", "_c": "°C", "_tokens": "tokens"}
SPELLED = {"tokens_per_s": "tokens/s", "sustained_tokens_per_s": "tokens/s"}


@pytest.mark.parametrize("name", METRICS)
def test_the_unit_of_a_metric_is_that_in_its_name(name):
    expected = SPELLED.get(name) or next(
        (text for suffix, text in UNITS.items() if name.endswith(suffix)), METRICS[name].unit
    )
    assert METRICS[name].unit == expected
    assert METRICS[name].words
    assert METRICS[name].text


CORE = ["sim", *(f"sim.{item.name}" for item in pkgutil.iter_modules(sim.__path__))]
ENGINE = [f"sim.engine.{path.stem}" for path in sorted((ROOT / "sim" / "engine").glob("[a-z]*.py"))]


@pytest.mark.parametrize("name", [name for name in CORE + ENGINE if not name.endswith("__main__")])
def test_examples_in_docstrings_are_true(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
