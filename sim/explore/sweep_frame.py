"""The frame that `sim.sweep` returns: a row per point, and metrics that were added after it ran.

A frame holds the metrics that were known when it ran. Another one is worked out when it is first
asked for: the points run again, since a sweep keeps no facts, and a row finds its value by the
fingerprint of its scenario, wherever it has been sorted or cut to.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from sim.explore.designs import SweepSpec
from sim.explore.sweep_rows import evaluate
from sim.metrics import known_metrics


class SweepFrame(pd.DataFrame):
    """Rows of a sweep; ``frame[name]`` also takes a metric that was added after it ran."""

    _metadata = ["spec"]  # noqa: RUF012, pandas hands it on to what is cut from a frame
    spec: SweepSpec | None = None

    @property
    def _constructor(self) -> type[SweepFrame]:
        return SweepFrame

    def __getitem__(self, key: Any) -> Any:
        """Return what pandas does; a metric that is no column yet is worked out and kept."""
        is_new = isinstance(key, str) and key not in self and "fingerprint" in self
        if self.spec and is_new and key in known_metrics():
            rows = evaluate(self.spec, 0, self.spec.points)
            found = {row["fingerprint"]: row.get(key) for row in rows}
            self[key] = super().__getitem__("fingerprint").map(found)
        return super().__getitem__(key)


def swept(spec: SweepSpec) -> SweepFrame:
    """Return every point of a sweep as a row."""
    frame = SweepFrame(evaluate(spec, 0, spec.points))
    frame.spec = spec
    return frame
