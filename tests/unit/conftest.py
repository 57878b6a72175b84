"""What several unit tests share."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from sim.evidence.given import Given, read_runs
from sim.evidence.measured import MeasuredRun


@pytest.fixture(scope="session")
def packages_read_once():
    """Let Streamlit look through the installed packages for components once, not in every app."""
    from streamlit.components.v2 import manifest_scanner

    with pytest.MonkeyPatch.context() as patched:
        scan = cache(manifest_scanner.scan_component_manifests)
        patched.setattr(manifest_scanner, "scan_component_manifests", scan)
        yield


@pytest.fixture
def read(tmp_path):
    """Return a function that reads text as a file."""

    def reading(text: str, **given: Any) -> list[MeasuredRun]:
        path = tmp_path / "f.txt"
        path.write_text(text, encoding="utf-8")
        return read_runs([path], Given(**given))

    return reading
