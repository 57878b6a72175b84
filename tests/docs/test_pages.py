"""Every example of the documentation runs and prints what the page says."""

from __future__ import annotations

import difflib
import doctest
import shutil
from pathlib import Path

import pytest
import typer
import yaml

from sim.cli.commands import app_for
from sim.explore.designs import load_sweep
from sim.reports.matrix import read_matrix
from tests.docs.pages import (
    PAGES,
    ROOT,
    RUN,
    SHOWN,
    Block,
    blocks,
    commands,
    inline_commands,
    same,
    words,
)
from workloads.scenario import Scenario

MOST_NOT_RUN = 6
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
RUNNABLE = [name for name in NAMES if any(block.runs for block in blocks(ROOT / name))]


@pytest.mark.parametrize("name", RUNNABLE)
def test_every_example_of_a_page_runs(name, andesim, tmp_path, monkeypatch):
    shutil.copytree(ROOT / "docs" / "examples", tmp_path / "docs" / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    namespace: dict[str, object] = {}
    for block in blocks(ROOT / name):
        where = f"{name}:{block.line}"
        if block.title:
            Path(block.title).write_text(block.body, encoding="utf-8")
        if not block.runs:
            continue
        if block.language == "python":
            exec(compile(block.body, where, "exec"), namespace)
        elif block.language == "pycon":
            run_session(block, namespace, where)
        elif block.language == "yaml":
            load(block, block.title or "block.yaml")
        else:
            run_commands(block, andesim, where)


def load(block: Block, file: str) -> None:
    """Load a YAML block as what it is: a sweep, a device, or a scenario."""
    Path(file).write_text(block.body, encoding="utf-8")
    keys = yaml.safe_load(block.body)
    if "phones" in keys:
        assert read_matrix(Path(file)).phones
    elif "base" in keys:
        assert load_sweep(Path(file)).points > 0
    elif "session" in keys:  # device files are read by the commands that follow them
        assert Scenario.from_mapping(keys).session


def run_session(block: Block, namespace: dict[str, object], where: str) -> None:
    """Run a Python session as a doctest that sees what the page did before."""
    session = doctest.DocTestParser().get_doctest(block.body, namespace, where, where, block.line)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert runner.run(session, clear_globs=False).failed == 0
    namespace.update(session.globs)


def run_commands(block: Block, andesim, where: str) -> None:
    """Run the commands of a block and compare what they print."""
    wanted = commands(block)
    assert wanted, where
    for command in wanted:
        program, *arguments = command.arguments
        if program == "cp":  # from the repository
            shutil.copy(ROOT / arguments[0], arguments[1])
            continue
        assert program == "andesim", f"{where}: {program} is not run; mark the block."
        outcome = andesim(*arguments)
        assert outcome.code == command.code, f"{where}: {outcome.err}"
        if command.prints is not None:
            printed = outcome.out + outcome.err
            assert same(command.prints, printed), difference(where, command.prints, printed)


def difference(where: str, expected: str, printed: str) -> str:
    """Return the lines in which a page and the program differ."""
    lines = difflib.unified_diff(
        expected.splitlines(), printed.splitlines(), where, "printed", lineterm=""
    )
    return "\n".join([*lines, "python -m tests.docs.refresh writes what is printed."])


@pytest.mark.parametrize("name", NAMES)
def test_every_fence_says_what_it_is(name):
    for block in blocks(ROOT / name):
        assert block.language in (*RUN, *SHOWN), f"{name}:{block.line}"
    fences = (ROOT / name).read_text(encoding="utf-8").count("```")
    assert fences == 2 * len(blocks(ROOT / name))


@pytest.mark.parametrize("name", NAMES)
def test_commands_in_running_text_parse(name):
    main = typer.main.get_command(app_for())
    for line in inline_commands(ROOT / name):
        _, command, *arguments = words(line)
        assert command in main.commands, line
        if arguments[1:]:  # a bare `andesim validate --out` only names the option
            main.commands[command].make_context(command, arguments)


def test_few_blocks_are_not_run():
    marked = [
        f"{name}:{block.line}" for name in NAMES for block in blocks(ROOT / name) if block.why
    ]
    assert 0 < len(marked) <= MOST_NOT_RUN, marked


def test_a_page_that_says_something_else_is_caught():
    assert same("a  \n1.5 s\n", "a\n1.5 s\n\n")
    assert same("first\n...\nlast\n", "first\n2\n3\nlast\n")
    assert not same("1.5 s\n", "1.6 s\n")
    assert not same("", "Warning\n")
