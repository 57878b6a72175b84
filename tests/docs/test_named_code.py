"""Code that a page names is there."""

from __future__ import annotations

import re

import pytest

from docs.code_map import PAGE, written
from tests.docs.pages import ROOT

OTHERS = {"geniex_jobs.py"}
"""Files of other projects."""
FOLDERS = ("sim", "hw_models", "workloads", "dashboard", "tests", "benchmarks", "docs")
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
CODE = [
    path.relative_to(ROOT).as_posix() for name in FOLDERS for path in ROOT.glob(f"{name}/**/*.py")
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_files_that_a_page_names_exist(page):
    named = set(re.findall(r"`([\w/]+\.py)`", page.read_text())) - OTHERS
    assert [name for name in sorted(named) if not _is_there(name)] == []


def _is_there(name):
    return any(path == name or path.endswith(f"/{name}") for path in CODE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_modules_that_a_page_names_hold_what_it_names(page):
    pattern = rf"`((?:{'|'.join(FOLDERS)})(?:\.\w+)+)(?:\(\))?`"
    missing = [name for name in re.findall(pattern, page.read_text()) if not _is_defined(name)]
    assert missing == []


def _is_defined(name):
    """Whether a dotted name is a module, or a word in the module that its beginning names."""
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        stem = ROOT.joinpath(*parts[:count])
        for path in (stem.with_suffix(".py"), stem / "__init__.py"):
            if path.is_file():
                words = path.read_text()
                return all(re.search(rf"\b{word}\b", words) for word in parts[count : count + 1])
    return name.endswith(".py")


def test_the_map_of_the_code_holds_every_file():
    """Remedy: python docs/code_map.py"""
    assert PAGE.read_text() == written(PAGE.read_text())
