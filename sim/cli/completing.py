"""What the Tab key offers: ids that ship and, where a file may stand in their place, files.

Each list loads no more than its own names, since a person waits for it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, MutableMapping
from contextlib import contextmanager, redirect_stdout
from glob import escape, glob
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Final

import typer

from sim.cli.commands import ASKED

IN_PIECES: Final = "complete_bash"
"""A shell that takes what stands before and behind a sign of its own for two words."""
FILES: Final = ("*.yaml", "*.yml")


def device_ids(begun: str) -> list[str]:
    """Return devices whose ids begin so, and device files."""
    from hw_models.files import device_ids as ids

    return offered(begun, ids(), FILES)


def model_ids(begun: str) -> list[str]:
    """Return models and networks whose ids begin so, and configurations."""
    from workloads.shipped_ids import composition_ids, network_ids
    from workloads.shipped_ids import model_ids as ids

    return offered(begun, (*ids(), *network_ids(), *composition_ids()), ("*.json", "*.gguf"))


def format_ids(begun: str) -> list[str]:
    """Return weight formats whose ids begin so, and format files."""
    from workloads.weight_formats import catalogue

    return offered(begun, catalogue(), FILES)


def scenario_ids(begun: str) -> list[str]:
    """Return scenarios whose ids begin so, and scenario files."""
    from workloads.scenario import scenario_ids as ids

    return offered(begun, ids(), FILES)


def metrics(begun: str) -> list[str]:
    """Return metrics whose names begin so; a limit is for the person to say."""
    from sim.metrics import known_metrics

    return offered(begun, known_metrics())


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


def importer_names(begun: str) -> list[str]:
    """Return the formats of measured files."""
    from sim.evidence.importers.registry import importers

    return offered(begun, importers())


def columns(begun: str) -> list[str]:
    """Return our columns behind the name of theirs."""
    from sim.evidence.measured import COLUMNS

    theirs, equals, ours = begun.partition("=")
    return [f"{theirs}={name}" for name in offered(ours, COLUMNS)] if equals else []


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


def offered(begun: str, names: Iterable[str], patterns: Iterable[str] = ()) -> list[str]:
    """Return names that begin so, then files of the patterns and folders that do."""
    found = sorted(name for name in names if name.startswith(begun))
    if patterns:
        folders = [f"{path}/" for path in glob(f"{escape(begun)}*") if Path(path).is_dir()]
        files = [path for one in patterns for path in glob(f"{escape(begun)}{one}")]
        found += sorted({*folders, *files})
    return found
