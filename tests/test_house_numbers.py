"""The house numbers: no file above 400 lines, no function above 40, docstrings counted."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from sim.packaging import PACKAGES

ROOT = Path(__file__).parents[1]
FILE_LINES, FUNCTION_LINES = 400, 40
FOLDERS = (*PACKAGES, "benchmarks", "tests", "docs")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


def long_functions(text: str) -> list[str]:
    found = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef))
    return [node.name for node in found if (node.end_lineno or 0) - node.lineno >= FUNCTION_LINES]


def test_a_function_of_forty_one_lines_is_long():
    body = "    pass\n" * (FUNCTION_LINES - 1)
    assert long_functions(f"def f():\n{body}") == []
    assert long_functions(f"def f():\n    pass\n{body}") == ["f"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_and_its_functions_are_short(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= FILE_LINES
    assert long_functions(text) == []
