"""The house numbers: no file above 400 lines, no function body above 60, docstrings apart."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from sim.packaging import PACKAGES

ROOT = Path(__file__).parents[1]
FILE_LINES, FUNCTION_LINES = 400, 60
FOLDERS = (*PACKAGES, "benchmarks", "tests", "docs")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))


def long_functions(text: str) -> list[str]:
    found = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef))
    return [node.name for node in found if body_lines(node) > FUNCTION_LINES]


def body_lines(function: ast.FunctionDef) -> int:
    """Lines below the signature, without the docstring."""
    after_docstring = function.body[1:] if ast.get_docstring(function) else []
    body = after_docstring or function.body
    return (function.end_lineno or 0) - body[0].lineno + 1


def test_a_body_of_sixty_one_lines_is_long():
    body = "    pass\n" * FUNCTION_LINES
    assert long_functions(f'def f():\n    """Docstring."""\n{body}') == []
    assert long_functions(f"def f():\n    pass\n{body}") == ["f"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_and_its_functions_are_short(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= FILE_LINES
    assert long_functions(text) == []
