"""Write every file and its first sentence into docs/code_map.md: ``python docs/code_map.py``."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "code_map.md"
PACKAGES = ("sim", "hw_models", "workloads", "dashboard")
HEAD = "## Every file\n"
TOLD = f"""{HEAD}
By the first sentence of each, written by `python docs/code_map.py`.
"""


def written(text: str) -> str:
    """Return the page with the files of today behind what is written by hand."""
    before, _, _ = text.partition(HEAD)
    return "\n".join([before.rstrip() + "\n", TOLD, *_tables()])


def _tables() -> Iterator[str]:
    """Yield a table per folder."""
    files = (path for name in PACKAGES for path in ROOT.glob(f"{name}/**/*.py"))
    by_folder = sorted(
        files, key=lambda path: (PACKAGES.index(path.relative_to(ROOT).parts[0]), path.parent, path)
    )
    for folder, members in groupby(by_folder, key=lambda path: path.parent):
        rows = [f"| `{path.name}` | {said} |" for path in members if (said := _sentence(path))]
        if rows:
            title = f"### {folder.relative_to(ROOT).as_posix()}"
            yield "\n".join([title, "", "| file | what it is |", "|---|---|", *rows, ""])


def _sentence(path: Path) -> str:
    """Return the first line of a module's docstring, as a cell."""
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return said.partition("\n")[0].rstrip(":").replace("|", "\\|").replace("``", "`")


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
