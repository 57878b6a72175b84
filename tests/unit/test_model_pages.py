"""The pages of models: they say what the traces say, every type is named, and most types trace."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from workloads.shipped_ids import model_ids

DOCS = Path(__file__).parents[2] / "docs"
# quick types, of every way to attend, to remember and to mix
QUICK = [
    *("marian", "blenderbot-small", "gpt_bigcode", "bloom", "electra", "bert"),
    *("jais2", "biogpt", "internlm3", "aria_text", "falcon", "codegen"),
]


def load(name):
    """A module of the documentation's folder, which is no package."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_page_of_models_is_what_the_traces_say():
    models = load("models")
    page = (DOCS / "models.md").read_text()
    seconds = models.standing_seconds(page)
    assert page == models.page(seconds)
    assert set(seconds) <= set(model_ids())


def test_figures_stand_beside_equal_expected_ones():
    page = (DOCS / "models.md").read_text()
    pairs = re.findall(r"\| ([\d,.]+) / ([\d,.]+) ", page)
    assert len(pairs) > 100
    assert [pair for pair in pairs if pair[0] != pair[1]] == []


def test_the_page_of_types_names_every_type_and_160_of_196_trace():
    page = (DOCS / "models_breadth.md").read_text()
    listed = re.findall(r"^\| (?!type|---)(\S+) \|", page, re.M)
    assert len(listed) == len(set(listed)) >= 196
    assert page.count("| not tried yet |") == 0
    traced, types = map(int, re.search(r"^(\d+) of the (\d+)", page, re.M).groups())
    assert types == len(listed)
    assert traced >= 160


@pytest.mark.torch
@pytest.mark.parametrize("model_type", QUICK)
def test_quick_types_trace_at_their_defaults(model_type):
    pytest.importorskip("transformers")
    found = load("breadth").attempt(model_type)
    assert found.reason == ""
    assert found.parameters > 0
    assert found.cache_bytes > 0
