"""The tables of scenario, sweep and device files are the schema, or the test fails.

With ANDESIM_REFRESH_DOCS=1 they are written anew.
"""

from __future__ import annotations

import os
import re
import types
from collections.abc import Sequence
from inspect import cleandoc
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from pydantic import BaseModel, ByteSize
from pydantic_core import PydanticUndefined

from hw_models.schema import Part
from hw_models.soc import SocSpec
from sim.evidence.importers.registry import importers
from sim.evidence.measured import COLUMNS
from sim.explore.designs import Range, SweepSpec
from workloads.compression import WeightMap
from workloads.eviction_policies import EvictionPolicy
from workloads.scenario import Scenario
from workloads.session import Arrivals

FOLDER = Path(__file__).parents[2] / "docs" / "reference"
UNITS = {
    "per_s": "1/s", "_s": "s", "_px": "px", "_tokens": "tokens", "_bytes": "B", "_c": "°C",
    "_w": "W", "_wh": "Wh",
}  # fmt: skip
HIDDEN = {"source_format", "path"}


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The schema classes inside a type, in the order they are written."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    found = [model for inner in get_args(annotation) for model in models_in(inner)]
    return list(dict.fromkeys(found))


def limits(metadata: Sequence[Any]) -> str:
    """The bounds of a number in words: above 0, from 1 to 64."""
    flat = [item for given in metadata for item in (given, *getattr(given, "metadata", ()))]
    words = {"gt": "above", "ge": "from", "lt": "below", "le": "to"}
    found = [(words[name], getattr(item, name, None)) for name in words for item in flat]
    return "".join(f" {word} {value:,.12g}" for word, value in found if value is not None)


def type_text(annotation: Any) -> str:
    """A type in words: text, whole number, list of ..., the choices of a literal."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_text(inner[0]) + limits(inner[1:])
    if origin is Literal:
        return " or ".join(f"`{str(choice).lower()}`" for choice in inner)
    if origin in (Union, types.UnionType):
        texts = [type_text(choice) for choice in inner if choice is not type(None)]
        return " or ".join(dict.fromkeys(texts))
    if origin is tuple:
        return f"list of {type_text(inner[0])}"
    if origin is not None:
        return f"mapping to {type_text(inner[-1])}"
    plain = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    plain[ByteSize] = "bytes, such as 4 GiB"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    return plain.get(annotation, getattr(annotation, "__name__", "any value").lower())


def default_text(field: Any) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "its defaults"
    return "-" if value in (None, (), {}, PydanticUndefined) else f"`{value}`".replace("'", "")


def described(model: type[BaseModel]) -> dict[str, str]:
    """The Attributes of a docstring and its parents', and the text below a field."""
    found: dict[str, str] = {}
    for parent in reversed(model.__mro__):
        _, _, body = cleandoc(parent.__dict__.get("__doc__") or "").partition("----------\n")
        for match in re.finditer(r"^(\w[\w, ]*)\n((?: {4}.*\n|\n)+)", body + "\n", re.M):
            text = " ".join(match[2].split()).replace("``", "`")
            found |= {name.strip(): text for name in match[1].split(",")}
    return found


def unit(name: str, text: str) -> str:
    """The unit that the suffix of a key names, else the one its meaning gives in brackets."""
    named = re.search(r"\[(tokens|s|px|B)\]", text)
    suffix = next((UNITS[end] for end in UNITS if name.endswith(end)), "")
    return suffix or (named[1] if named else "")


def rows(model: type[BaseModel]) -> list[str]:
    texts = described(model)
    return [
        f"| `{name}` | {type_text(field.annotation)}{limits(field.metadata)} "
        f"| {unit(name, texts.get(name, ''))} | {default_text(field)} "
        f"| {texts.get(name) or field.description or ''} |".replace("  |", " |")
        for name, field in model.model_fields.items()
        if name not in HIDDEN
    ]


def reachable(*starts: Any) -> list[type[BaseModel]]:
    """Every schema class below the given ones, each once, outer ones first."""
    found: list[type[BaseModel]] = []
    waiting = [model for start in starts for model in models_in(start)]
    while waiting:
        model = waiting.pop(0)
        if model not in found:
            found.append(model)
            waiting += [m for f in model.model_fields.values() for m in models_in(f.annotation)]
    return found


def tables(*starts: Any) -> str:
    parts = []
    for model in reachable(*starts):
        summary = " ".join((model.__doc__ or "").split("\n\n")[0].split()).replace("``", "`")
        head = "| key | type | unit | default | meaning |\n|---|---|---|---|---|"
        parts.append("\n".join((f"### {model.__name__}\n\n{summary}\n\n{head}", *rows(model))))
    return "\n\n".join(parts)


PAGES = {
    "scenario.md": (Scenario, WeightMap, EvictionPolicy, Arrivals),
    "sweep.md": (SweepSpec, Range),
}


@pytest.mark.parametrize("name", PAGES)
def test_the_tables_of_a_page_are_the_schema(name):
    path = FOLDER / name
    head, mark, _ = path.read_text().partition("<!-- from the schema -->\n")
    want = f"{head}{mark}\n{tables(*PAGES[name])}\n"
    if os.environ.get("ANDESIM_REFRESH_DOCS"):
        path.write_text(want)
    assert path.read_text() == want


def test_every_key_of_a_scenario_says_what_it_means():
    """A key whose value is a part of its own means that part; method and policy name the kind."""
    kinds = {"method", "policy", "process"}
    silent = [
        f"{model.__name__}.{name}"
        for model in reachable(*PAGES["scenario.md"])
        for name, field in model.model_fields.items()
        if name not in HIDDEN | kinds and name not in described(model)
        if not field.description and not models_in(field.annotation)
    ]
    assert silent == []


def test_the_device_page_names_every_part_and_key():
    text = (FOLDER / "device.md").read_text()
    parts = [model for model in reachable(SocSpec) if issubclass(model, Part)]
    missing = [key for part in parts for key in part.model_fields if f"`{key}`" not in text]
    assert not missing


def test_the_measured_page_names_every_column():
    text = (FOLDER / "measured.md").read_text()
    assert [column for column in COLUMNS if f"`{column}`" not in text] == []


def test_the_measured_page_names_every_importer():
    path, head = FOLDER / "measured.md", "| `--format` | reads |\n|---|---|\n"
    before, _, rest = path.read_text().partition(head)
    table, _, after = rest.partition("\n\n")
    want = "\n".join(f"| `{name}` | {item.describes} |" for name, item in importers().items())
    if os.environ.get("ANDESIM_REFRESH_DOCS"):
        path.write_text(f"{before}{head}{want}\n\n{after}")
        table = want
    assert table == want
