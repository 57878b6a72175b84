"""Write into the pages what their commands print: ``python -m tests.docs.refresh [PAGE ...]``.

Read the difference before you keep it: a changed figure needs a reason. Output that a page
shortens with ``...`` is left to its author.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.docs.pages import PAGES, ROOT, Block, blocks, commands, same

ENVIRONMENT = {**os.environ, "COLUMNS": "100", "PYTHONPATH": str(ROOT)}


def refresh(page: Path) -> None:
    """Run a page's commands in an empty folder and write what they print into the page."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "docs" / "examples", Path(folder, "docs", "examples"))
        for block in blocks(page):
            if block.title:
                Path(folder, block.title).write_text(block.body, encoding="utf-8")
            if block.runs and block.language in ("console", "sh"):
                body = shown(block, folder)
                page.write_text(page.read_text(encoding="utf-8").replace(block.body, body))


def shown(block: Block, folder: str) -> str:
    """Return the text of a block with the output of today."""
    body = block.body
    for command in commands(block):
        printed = output(command.arguments, folder)
        if command.prints is None or same(command.prints, printed):
            continue
        if "..." in command.prints:
            print(f"line {block.line}: shortened output differs:\n{printed}", file=sys.stderr)
        elif command.prints:
            body = body.replace(command.prints, tidy(printed))
        else:
            body += tidy(printed)
    return body


def output(arguments: tuple[str, ...], folder: str) -> str:
    """Return what a command prints on standard output, then on standard error."""
    if arguments[0] == "cp":
        shutil.copy(ROOT / arguments[1], Path(folder, arguments[2]))
        return ""
    line = [sys.executable, "-m", "sim", *arguments[1:]]
    done = subprocess.run(line, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)
    return done.stdout + done.stderr


def tidy(text: str) -> str:
    """Return text without spaces at the ends of its lines."""
    return "\n".join(line.rstrip() for line in text.strip().splitlines()) + "\n"


if __name__ == "__main__":
    for wanted in [Path(name).resolve() for name in sys.argv[1:]] or PAGES:
        refresh(wanted)
