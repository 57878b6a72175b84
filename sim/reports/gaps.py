"""What is not modelled, as the docstrings of the modules behind a run say it.

The sentence after "Not modelled:" of each module is taken, so a report cannot claim less than the
code admits. Modules that read, check or name things are left out: nothing in a run depends on them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
FOLDERS: Final = ("workloads", "hw_models", "sim", "sim/engine")
NOT_OF_A_RUN: Final = ("hw_models.provenance", "hw_models.units", "workloads.extent")
SENTENCE: Final = re.compile(r"Not modelled: (.+?\.)(?=\s|$)")


class Gap(NamedTuple):
    """One sentence on what a module leaves out."""

    module: str
    text: str


@cache
def gaps() -> tuple[Gap, ...]:
    """Return what the modules behind a run leave out, from workload to engine."""
    return tuple(_found())


def _found() -> Iterator[Gap]:
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).glob("*.py")):
            module = f"{folder.replace('/', '.')}.{path.stem}"
            said = SENTENCE.search(" ".join(_docstring(path).split()))
            if said and module not in NOT_OF_A_RUN:
                yield Gap(module, said[1][0].upper() + said[1][1:].replace("``", ""))


def _docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
