"""Fenced blocks of Markdown pages, and how each is run.

A fence names its language. An HTML comment on the line before it says what else there is to know:

==========================  ====================================================================
``<!-- not run: why -->``   the block is only shown
``<!-- file: NAME -->``     the block is written to NAME, for the commands that follow
``<!-- exits 1 -->``        the last command ends with this code
==========================  ====================================================================

``console``: lines that begin with ``$`` are commands and what follows each is what it prints,
standard output first, then standard error. ``sh``: commands only. ``python``: executed; one
namespace per page. ``yaml``: loaded as what its keys say it is. ``text``: diagrams and formulas.
"""

from __future__ import annotations

import doctest
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
RUN = ("console", "sh", "python", "yaml")
SHOWN = ("text", "json", "csv", "mermaid")

FENCE = re.compile(
    r"^(?:<!-- (?P<note>[^\n]*?) -->\n)?```(?P<language>[^\n]*)\n(?P<body>.*?)^```$", re.M | re.S
)
RECIPE = re.compile(r"^(\w+):[^\n]*\n\t@\$\(BIN\)/(andesim [^\n]*) \$\(ARGS\)$", re.M)
INLINE = re.compile(r"(?<!`)`(andesim [a-z][^`]*)`(?!`)")


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, text, first line, and the note before it."""

    language: str
    body: str
    line: int
    note: str

    def noted(self, key: str) -> str:
        """Return what the note says after ``key``, or nothing."""
        return self.note.removeprefix(key).strip() if self.note.startswith(key) else ""

    @property
    def runs(self) -> bool:
        """Whether a test runs the block."""
        return self.language in RUN and not self.noted("not run:")


@dataclass(frozen=True)
class Command:
    """One command line and what the page says it prints; ``None`` where it says nothing."""

    arguments: tuple[str, ...]
    prints: str | None


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            found["language"],
            found["body"],
            text.count("\n", 0, found.start("body")),
            found["note"] or "",
        )
        for found in FENCE.finditer(text)
    ]


def inline_commands(page: Path) -> list[str]:
    """Return the `andesim ...` commands in running text and tables."""
    return INLINE.findall(FENCE.sub("", page.read_text(encoding="utf-8")))


def commands(block: Block) -> list[Command]:
    """Return the commands of a ``console`` or ``sh`` block.

    >>> commands(Block("console", "$ andesim models x  # one\\nfound\\n", 1, ""))
    [Command(arguments=('andesim', 'models', 'x'), prints='found\\n')]
    """
    body = block.body.replace("\\\n", " ")
    if block.language == "sh":
        return [Command(words(line), None) for line in body.splitlines() if line.strip()]
    _, *parts = re.split(r"^\$ ", body, flags=re.M)
    return [
        Command(words(line), rest) for line, _, rest in (part.partition("\n") for part in parts)
    ]


def words(line: str) -> tuple[str, ...]:
    """Return the words of a command line; `make TARGET` becomes its recipe in the Makefile."""
    found = tuple(shlex.split(line, comments=True))
    if found[:1] == ("make",):
        recipes = dict(RECIPE.findall((ROOT / "Makefile").read_text(encoding="utf-8")))
        found = tuple(shlex.split(recipes[found[1]]))
    return (found[0].removeprefix(".venv/bin/"), *found[1:])


def same(expected: str, printed: str) -> bool:
    """Whether a page shows what was printed.

    Spaces at the ends of lines do not count, and ``...`` on a page stands for any text. That is
    all: figures of a simulation do not depend on the machine.
    """
    wanted, got = (re.sub(r"[ \t]+$", "", text.strip(), flags=re.M) for text in (expected, printed))
    checker = doctest.OutputChecker()
    return checker.check_output(wanted + "\n", got + "\n", doctest.ELLIPSIS)
