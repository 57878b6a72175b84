"""Mutation testing: ``python -m tests.fuzz.mutants hw_models/dram.py tests/theory/test_x.py``.

Each mutant is the module with one operator, comparison, constant, condition or min/max changed. The
given tests run against it in a process of their own, on a copy of the tree. What they do not notice
is printed; a survivor is a missing test or an equivalent program.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

ROOT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(".*", "site", "docs", "browser")
LIMIT_S = 120
SWAPS: dict[type, type] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
NAMES = {"min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum", "ceil": "floor"}


def places(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield the field and the number of each node that can be changed; annotations are not."""
    skipped = {id(part) for node in ast.walk(tree) for part in _unmeant(node)}
    for number, node in enumerate(ast.walk(tree)):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.BinOp | ast.BoolOp) and type(node.op) in SWAPS:
            yield "op", number
        elif isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
            yield "ops", number
        elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
            yield "value", number
        elif isinstance(node, ast.If | ast.IfExp):
            yield "test", number
        elif isinstance(node, ast.Name) and node.id in NAMES:
            yield "id", number
        elif isinstance(node, ast.Attribute) and node.attr in NAMES:
            yield "attr", number


def _unmeant(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what lies in annotations, in raised errors and in guards of imports."""
    parts = [getattr(node, name, None) for name in ("annotation", "returns")]
    if isinstance(node, ast.Raise) or (isinstance(node, ast.If) and "TYPE_" in ast.dump(node.test)):
        parts.append(node)
    for part in parts:
        if isinstance(part, ast.AST):
            yield from ast.walk(part)


def changed(tree: ast.AST, field: str, number: int) -> tuple[str, int, str]:
    """Return the module's text with one node changed, the line, and what was changed."""
    tree = copy.deepcopy(tree)
    node = list(ast.walk(tree))[number]
    before = ast.unparse(node)
    value = getattr(node, field)
    if field == "op":
        new = SWAPS[type(value)]()
    elif field == "ops":
        new = [SWAPS[type(value[0])](), *value[1:]]
    elif field == "test":
        new = ast.UnaryOp(ast.Not(), value)
    elif field == "value":
        new = value + 1 if isinstance(value, int) else value * 2 + 0.5 * (value == 0.0)
    else:
        new = NAMES[value]
    setattr(node, field, new)
    ast.fix_missing_locations(tree)
    return ast.unparse(tree), node.lineno, f"{before}  ->  {ast.unparse(node)}"


def is_noticed(folder: Path, tests: list[str]) -> bool:
    """Run the tests in a child process; a crash and a hang are noticed, too."""
    child = os.fork()
    if child:
        status = os.waitpid(child, 0)[1]
        return status != 0
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    signal.alarm(LIMIT_S)
    import pytest

    os._exit(int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *tests])))


def _preload() -> None:
    """Import what tests need and mutants do not change, once for all children."""
    for name in ("hypothesis", "numpy", "pandas", "pydantic", "pytest", "scipy.stats", "simpy"):
        __import__(name)


def main() -> int:
    """Test the mutants of one module; exit code 1 where some survive."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("module")
    parser.add_argument("tests", nargs="+")
    parser.add_argument("--sample", type=int, default=10**6, help="mutants, drawn at random")
    options = parser.parse_args()
    tree = ast.parse((ROOT / options.module).read_text(encoding="utf-8"))
    found = list(places(tree))
    chosen = Random(0).sample(found, min(options.sample, len(found)))
    survivors = 0
    _preload()
    sys.dont_write_bytecode = True
    with tempfile.TemporaryDirectory() as place:
        folder = Path(shutil.copytree(ROOT, Path(place, "tree"), ignore=LEFT_OUT))
        if is_noticed(folder, options.tests):
            raise SystemExit("the tests must pass without a mutation")
        for field, number in chosen:
            text, line, change = changed(tree, field, number)
            (folder / options.module).write_text(text, encoding="utf-8")
            if not is_noticed(folder, options.tests):
                survivors += 1
                print(f"{options.module}:{line}: {change:.150}", flush=True)
    print(f"{options.module}: {survivors} of {len(chosen)} survive ({len(found)} possible)")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
