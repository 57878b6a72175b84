"""What the Tab key offers of what the rest of a line says: settings, their values, stacks."""

from __future__ import annotations

import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from itertools import pairwise
from typing import Final

import typer

from sim.cli.commands import ASKED
from sim.cli.offering import offered

IN_PIECES: Final = "complete_bash"
"""A shell that takes what stands before and behind a sign of its own for two words."""


def settings(begun: str) -> list[str]:
    """Return what `solve` calls by a short word."""
    from sim.explore.scales import OF_THE_TURN, PATHS

    return offered(begun, {*PATHS, *OF_THE_TURN, "bits"})


def solvable(ctx: typer.Context, begun: str) -> list[str]:
    """Return short words and dotted paths of settings that `solve` takes."""
    from sim.cli.completing_settings import Settings

    paths = (one.partition("=")[0] for one in Settings.on(ctx.params).paths(begun))
    return list(dict.fromkeys([*settings(begun), *paths]))


def assignments(ctx: typer.Context, begun: str) -> list[str]:
    """Return what ``PATH=VALUE`` may go on with: paths of a scenario, names behind the sign."""
    from sim.cli.completing_settings import Settings

    return Settings.on(ctx.params).assignments(begun)


def lists(ctx: typer.Context, begun: str) -> list[str]:
    """Return what ``PATH=[VALUES]`` may go on with."""
    from sim.cli.completing_settings import Settings

    return Settings.on(ctx.params).lists(begun)


def stack_ids(ctx: typer.Context, begun: str) -> list[str]:
    """Return the stacks of the device that the line names."""
    from sim.cli.completing_settings import Settings

    return Settings.on(ctx.params).values("stack", begun) if ctx.params.get("device") else []


@contextmanager
def asked_by_shell(environment: MutableMapping[str, str]) -> Iterator[list[str]]:
    """Let the command line see whole words of a line, and a shell what it completes of the last.

    Bash takes a word apart at every ``=`` and completes only what stands behind the last one.
    """
    words = joined_words(environment)
    if environment[ASKED] != IN_PIECES or "=" not in "".join(words[-1:]):
        yield words
        return
    shell, offers = sys.stdout, StringIO()
    try:
        with redirect_stdout(offers):
            yield words
    finally:
        found = (one.rpartition("=")[2] for one in offers.getvalue().splitlines())
        print(*found, sep="\n", file=shell)


def joined_words(environment: MutableMapping[str, str]) -> list[str]:
    """Join the words of a line that bash has taken apart at the sign ``=``, and return them.

    They lie in lines of their own; those behind the one that is completed are left out.

    >>> line = {"COMP_WORDS": "andesim\\n--set\\nstack\\n=\\nne", "COMP_CWORD": "4"}
    >>> joined_words(line), line["COMP_CWORD"]
    (['andesim', '--set', 'stack=ne'], '2')
    """
    line = environment.get("COMP_WORDS", "")
    if "\n" not in line:
        return line.split()
    words = line.split("\n")
    words = words[: int(environment.get("COMP_CWORD", 0)) + 1]
    kept = words[:1]
    for before, word in pairwise(words):
        if len(kept) > 1 and "=" in (before, word):
            kept[-1] += word
        else:
            kept.append(word)
    environment.update({"COMP_WORDS": "\n".join(kept), "COMP_CWORD": str(len(kept) - 1)})
    return kept
