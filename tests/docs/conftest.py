"""What the pages add to the table of metrics is gone when a test ends."""

from __future__ import annotations

import pytest

from sim.metrics import METRICS, ships


@pytest.fixture(autouse=True)
def _metrics_that_ship():
    yield
    for name in [name for name in METRICS if not ships(name)]:
        METRICS.pop(name)
