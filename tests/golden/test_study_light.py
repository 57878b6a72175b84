"""The study of the guessed light architecture is what its script writes.

After a change that is meant: python docs/studies/light_architecture.py
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sim.cli.studying import FOLDER, load_script

NUMBER = re.compile(r"\d+(?:\.\d+)?")


def test_the_study_of_the_light_architecture_is_current() -> None:
    script = load_script(FOLDER / "light_architecture.py")
    [written] = script.written(draws=20).values()
    kept = Path(FOLDER / "light_architecture.md").read_text(encoding="utf-8")
    first, then = (re.sub(r"\[[^\]]*to[^\]]*\]|of \d+ draws", "", text) for text in (kept, written))
    assert NUMBER.sub("#", first) == NUMBER.sub("#", then)
    numbers = [[float(text) for text in NUMBER.findall(page)] for page in (first, then)]
    assert numbers[0] == pytest.approx(numbers[1], rel=0.02)
