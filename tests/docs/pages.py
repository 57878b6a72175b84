"""Fenced blocks of Markdown pages, and how each is run.

==========================  ====================================================================
``console``                 lines that begin with ``$`` are commands; what follows each is what it
                            prints, standard output first, then standard error
``sh``                      commands only; ``# exit 1`` behind one says how it ends
``python``, ``pycon``       executed, or a doctest; one namespace per page
``yaml``                    loaded as what its keys say it is
``title="NAME"``            behind the language: the block is written to NAME, for what follows
``<!-- not run: why -->``   on the line before: the block is only shown
``text`` or nothing         diagrams and formulas
==========================  ====================================================================
"""

from __future__ import annotations

import doctest
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
RUN = ("console", "sh", "python", "pycon", "yaml")
SHOWN = ("", "text", "toml", "json", "csv", "mermaid")

FENCE = re.compile(
    r"^(?:<!-- not run: (?P<why>[^\n]+?) -->\n+)?"
    r"```(?P<language>\w*)(?: title=\"(?P<title>[^\"\n]+)\")?\n(?P<body>.*?)^```$",
    re.M | re.S,
)
EXIT = re.compile(r"\s+# exit (\d)$")
RECIPE = re.compile(r"^(\w+):[^\n]*\n\t@\$\(BIN\)/(andesim [^\n]*) \$\(ARGS\)$", re.M)
INLINE = re.compile(r"(?<!`)`(andesim [a-z][^`]*)`(?!`)")


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, text, first line, file, and why it is not run."""

    language: str
    body: str
    line: int
    title: str = ""
    why: str = ""

    @property
    def runs(self) -> bool:
        """Whether a test runs the block."""
        return self.language in RUN and not self.why


@dataclass(frozen=True)
class Command:
    """One command line, what the page says it prints, if it does, and how it ends."""

    arguments: tuple[str, ...]
    prints: str | None = None
    code: int = 0


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            found["language"],
            found["body"],
            text.count("\n", 0, found.start("body")),
            found["title"] or "",
            found["why"] or "",
        )
        for found in FENCE.finditer(text)
    ]


def inline_commands(page: Path) -> list[str]:
    """Return the `andesim ...` commands in running text and tables."""
    return INLINE.findall(FENCE.sub("", page.read_text(encoding="utf-8")))


def commands(block: Block) -> list[Command]:
    """Return the commands of a ``console`` or ``sh`` block.

    >>> commands(Block("console", "$ andesim models x  # exit 2\\nfound\\n", 1))
    [Command(arguments=('andesim', 'models', 'x'), prints='found\\n', code=2)]
    """
    body = block.body.replace("\\\n", " ")
    if block.language == "sh":
        return [command(line) for line in body.splitlines() if line.strip()]
    _, *parts = re.split(r"^\$ ", body, flags=re.M)
    split = (part.partition("\n") for part in parts)
    return [command(line, rest) for line, _, rest in split]


def command(line: str, prints: str | None = None) -> Command:
    """Return one command line as a `Command`."""
    ends = EXIT.search(line)
    return Command(words(line), prints, int(ends[1]) if ends else 0)


def words(line: str) -> tuple[str, ...]:
    """Return the words of a command line; `make TARGET` becomes its recipe in the Makefile."""
    found = tuple(shlex.split(line, comments=True))
    if found[:1] == ("make",):
        recipes = dict(RECIPE.findall((ROOT / "Makefile").read_text(encoding="utf-8")))
        found = tuple(shlex.split(recipes[found[1]]))
    return (found[0].removeprefix(".venv/bin/"), *found[1:])


def same(expected: str, printed: str) -> bool:
    """Whether a page shows what was printed.

    Spaces at the ends of lines do not count, nor does which fingerprint a run has: any change of a
    device's sources moves it. ``...`` on a page stands for any text. That is all: figures of a
    simulation do not depend on the machine.
    """
    wanted, got = (plain(text) for text in (expected, printed))
    checker = doctest.OutputChecker()
    return checker.check_output(wanted + "\n", got + "\n", doctest.ELLIPSIS)


def plain(text: str) -> str:
    """Return printed text without what does not count."""
    text = re.sub(r"fingerprint [0-9a-f]{16}", "fingerprint", text.strip())
    return re.sub(r"[ \t]+$", "", text, flags=re.M)
