"""The reference leaves no command, schema, key or name of the API out."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from types import FunctionType

import pytest

import sim
from sim import load_scenario, simulate
from sim.cli.commands import app_for
from sim.documents import summary_document
from sim.results import Result

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "reference"
INTERNAL = {"andesim.exhibit/1", "andesim.host_exhibit/1"}  # files of this repository only


def page(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def test_every_command_is_on_the_page_in_its_own_words():
    """The page is run, so that what it shows of a command is what the command says."""
    groups = {"": app_for()} | {
        f"{group.name} ": group.typer_instance for group in app_for().registered_groups
    }
    for name, group in groups.items():
        for command in group.registered_commands:
            called = command.name or command.callback.__name__
            assert f"$ andesim {name}{called} --help" in page("cli.md")


def test_every_schema_is_named():
    sources = [path for part in ("sim", "workloads") for path in (ROOT / part).rglob("*.py")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    schemas = set(re.findall(r"\bandesim\.[a-z_]+/\d\b", text)) - INTERNAL
    pages = page("json.md") + page("trace.md")
    assert sorted(schema for schema in schemas if schema not in pages) == []


def test_every_key_of_a_summary_is_named():
    small = ["model=smollm2-135m", "session={turns: [{prompt_tokens: 8, output_tokens: 2}]}"]
    document = summary_document(simulate(load_scenario(None, small)))
    words = set(re.findall(r"\w+", page("json.md")))
    assert sorted(set(document) - words) == []


@pytest.mark.parametrize("name", sim.__all__)
def test_what_sim_exports_is_listed_as_it_is_called(name):
    value = getattr(sim, name)
    called = f"{name}{shown(value)}" if isinstance(value, FunctionType) else name
    assert called in page("python.md")


def test_every_member_of_a_result_is_listed():
    members = [name for name in dir(Result) if not name.startswith("_")]
    fields = list(Result.__dataclass_fields__)
    words = set(re.findall(r"\w+", page("python.md")))
    assert sorted(set(members + fields) - words) == []


def shown(function: FunctionType) -> str:
    """The parameters of a function without their types."""
    given = inspect.signature(function).parameters.values()
    bare = [item.replace(annotation=inspect.Parameter.empty) for item in given]
    return str(inspect.Signature(bare)).replace("'", '"')
