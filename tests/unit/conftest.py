"""What several unit tests share."""

from __future__ import annotations

from typing import Any

import pytest

from sim.evidence.given import Given, read_runs
from sim.evidence.measured import MeasuredRun


@pytest.fixture
def read(tmp_path):
    """Return a function that reads text as a file."""

    def reading(text: str, **given: Any) -> list[MeasuredRun]:
        path = tmp_path / "f.txt"
        path.write_text(text, encoding="utf-8")
        return read_runs([path], Given(**given))

    return reading
