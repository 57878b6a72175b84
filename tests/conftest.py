"""What several test files share: the command line, run in this process."""

from __future__ import annotations

import os

# One thread per process: tests run side by side, and PyTorch's threads would fight over the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("ANDESIM_NO_CACHE", "1")  # a test sees no trace of an earlier run

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import settings

from sim.cli import main

settings.register_profile("untimed", deadline=None)  # a busy machine is no fault of the code
settings.load_profile("untimed")


@dataclass(frozen=True)
class Outcome:
    """Exit code, standard output and standard error of one command."""

    code: int
    out: str
    err: str


Command = Callable[..., Outcome]


@pytest.fixture
def andesim(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Return a function that runs `andesim` with the given arguments."""

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["andesim", *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        written = capsys.readouterr()
        return Outcome(code, written.out, written.err)

    return run


@pytest.fixture(autouse=True)
def main_module_stays() -> Iterator[None]:
    """Put the main module back: Streamlit's AppTest replaces it, and spawned workers import it."""
    main_module = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main_module


@pytest.fixture
def flat() -> Callable[[Any], dict[str, Any]]:
    """Return a function that turns nested answers into one mapping of dotted paths."""

    def flatten(value: Any, path: str = "") -> dict[str, Any]:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        found: dict[str, Any] = {}
        for key, inner in items:
            here = f"{path}.{key}"
            nested = isinstance(inner, dict | list | tuple)
            found |= flatten(inner, here) if nested else {here: inner}
        return found

    return flatten
