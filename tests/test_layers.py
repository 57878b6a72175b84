"""Who may import whom: kept by import-linter, and by a look at every import statement."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest

from sim.packaging import PACKAGES

ROOT = Path(__file__).parents[1]
FORBIDDEN = {
    "hw_models": {"workloads", "sim", "dashboard"},
    "workloads": {"hw_models", "sim", "dashboard"},
    "sim": {"dashboard"},
    "dashboard": set(),
}


@functools.cache
def imports(path: Path) -> dict[str, int]:
    """Top-level name and relative level of every import in a file, wherever it stands."""
    found: dict[str, int] = {}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {item.name.partition(".")[0]: 0 for item in node.names}
        elif isinstance(node, ast.ImportFrom):
            found[(node.module or "").partition(".")[0]] = node.level
    return found


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_only_what_lies_below_it(package):
    for path in modules(package):
        assert not set(imports(path)) & FORBIDDEN[package], path


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_are_absolute(package):
    assert [path for path in modules(package) if any(imports(path).values())] == []


def test_no_module_imports_one_that_imports_it():
    grimp = pytest.importorskip("grimp")
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    below = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    while leaves := {name for name, imported in below.items() if not imported & below.keys()}:
        below = {name: imported for name, imported in below.items() if name not in leaves}
    assert not below


def test_only_sim_has_a_clock():
    users = [
        package
        for package in PACKAGES
        if any("simpy" in imports(path) for path in modules(package))
    ]
    assert users == ["sim"]


@pytest.mark.parametrize("package", ["hw_models", "dashboard"])
def test_supply_and_dashboard_never_see_torch(package):
    for path in modules(package):
        assert not set(imports(path)) & {"torch", "fvcore"}, path


def test_import_linter_keeps_its_contracts():
    command = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    process = subprocess.run(
        [sys.executable, "-c", command, "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert process.returncode == 0, process.stdout
    assert "0 broken" in process.stdout
