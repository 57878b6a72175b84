"""The JSON page names every key of every document, and no key that none has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from fnmatch import translate
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from sim.cli.commands import app_for
from sim.evidence.measuring.document import read_measurement, write_measurement

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/json.md").read_text(encoding="utf-8")
MEASURED = ROOT / "validation_data/host_epyc_zen4/smollm2-135m.measurement.json"
WHOLE = ("run", "pareto[]", "closest[]", "meeting[].given_up")  # hold another table, or settings
SHORT = {
    "device": "dimensity_9500",
    "model": "andesvl-0.6b",
    "session": {
        "turns": [{"images_px": [[448, 448]], "prompt_tokens": 8, "output_tokens": 3}],
    },
}
LONG = {
    "device": "snapdragon_8_elite",
    "model": "smollm2-135m",
    "session": {"turns": [{"prompt_tokens": 8, "output_tokens": 3000}]},
}
TARGET = ("--target", "tokens_per_s>1", "--uncertainty", "2")


def leaves(node: Any, path: str = "") -> Iterator[str]:
    """Paths of what lies in a document, `[]` for each list of mappings on the way."""
    if isinstance(node, dict) and node:
        for key, child in node.items():
            yield from leaves(child, f"{path}.{key}" if path else key)
    elif isinstance(node, list) and any(isinstance(child, dict) for child in node):
        for child in node:
            yield from leaves(child, f"{path}[]")
    else:
        yield path


def said(*words: str) -> Any:
    return json.loads(CliRunner().invoke(app_for(), [*words, "--json"]).stdout)


def reported(folder: Path, *words: str) -> Any:
    path = folder / "report.json"
    CliRunner().invoke(app_for(), ["report", *words, "-o", str(path)])
    return json.loads(path.read_text(encoding="utf-8"))


def cut_short(path: Path) -> Any:
    """A measurement that left cases out."""
    found = read_measurement(MEASURED).model_copy(update={"skipped": ("prefill 512",)})
    write_measurement(found, path)
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def documents(tmp_path_factory):
    folder = tmp_path_factory.mktemp("json")
    one, other, long = (folder / f"{name}.yaml" for name in ("one", "other", "long"))
    long.write_text(yaml.safe_dump(LONG))
    one.write_text(yaml.safe_dump(SHORT))
    many = folder / "many.yaml"
    pair = {"phones": ["dimensity_9500", "none"], "models": ["andesvl-0.6b"]}
    many.write_text(yaml.safe_dump({"base": SHORT, "targets": [TARGET[1]], **pair}))
    more = {"deployment": {"weights": {"body": "w8"}}, "device": "dimensity_9300"}
    other.write_text(yaml.safe_dump(SHORT | more))
    free = ("--free", "deployment.weights.body=[w8, w4]")
    return {
        "summary": [
            said("simulate", str(one), "--uncertainty", "2"),
            said("simulate", str(long), "--set", "session={turns: [{}, {}]}"),
        ],
        "sizing": [
            said("size", str(one), *TARGET, *free),
            said("size", str(one), "--target", "tokens_per_s>1000000", *free),
        ],
        "comparison": [said("compare", str(one), str(other))],
        "report": [reported(folder, str(long), *TARGET)],
        "matrix": [reported(folder, str(many))],
        "validation": [said("validate")],
        "coverage": [said("evidence", "coverage", str(one), "--draws", "8")],
        "measurement": [cut_short(folder / "measurement.json")],
    }


def named(schema: str) -> list[str]:
    """The keys of a table, as the page writes them."""
    table = PAGE.partition(f"<!-- keys: {schema} -->\n")[2].partition("\n\n")[0]
    cells = [line.split(" | ")[0] for line in table.splitlines()[2:]]
    return [key for cell in cells for key in re.findall(r"`([^`]+)`", cell)]


def covers(key: str, path: str) -> bool:
    """Whether a key of the page stands for a path; a key in WHOLE for all below it, too."""
    if key in WHOLE:
        return path == key.removesuffix("[]") or path.startswith(f"{key}.")
    pattern = translate(key.removesuffix("[]").replace("[]", "[[]]"))
    return re.match(pattern, path) is not None


@pytest.mark.parametrize(
    "schema",
    [
        "summary",
        "sizing",
        "comparison",
        "report",
        "matrix",
        "coverage",
        "validation",
        "measurement",
    ],
)
def test_the_keys_of_the_page_are_those_of_the_documents(documents, schema):
    assert documents[schema]
    paths = {path for document in documents[schema] for path in leaves(document)}
    keys = named(schema)
    unnamed = {path for path in paths if not any(covers(key, path) for key in keys)}
    unused = {key for key in keys if not any(covers(key, path) for path in paths)}
    assert (sorted(unnamed), sorted(unused)) == ([], [])
