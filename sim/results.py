"""Result: a run, and everything people ask of one.

``summary()`` gives the metrics, ``to_frame()`` a row per task, ``to_perfetto()`` a trace for
ui.perfetto.dev. All of it derives from `sim.run.Run`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.metrics import headlines, metric_values, named, summarise
from sim.run import Run
from sim.summary import Summary

if TYPE_CHECKING:
    import pandas as pd

    from sim.sessions import SessionSummary

Intervals = Mapping[str, Mapping[str, float]]
"""Percentiles ``p10``, ``p50`` and ``p90`` of each metric."""


@dataclass(frozen=True)
class Result(Run):
    """A run with its views; see `sim.run.Run` for what it holds."""

    def summary(self) -> Summary:
        """Return the metrics that ship."""
        return summarise(self.facts)

    def metrics(self) -> dict[str, Any]:
        """Return every metric by name, users' included; ``None`` where it was never reached."""
        return metric_values(self.facts)

    def __getitem__(self, name: str) -> Any:
        """Return a metric by name; `SimError` names the nearest where there is none."""
        return named(name).value(self.facts)

    def unit(self, name: str) -> str:
        """Return the unit of a metric, such as ``tokens/s``."""
        return named(name).unit

    def draws(self, samples: int, seed: int = 0) -> Any:
        """Return the same run on devices that are drawn, as `sim.explore.uncertainty.Draws`."""
        return _above("sim.explore.uncertainty").drawn_runs(self, samples, seed)

    def sources(self) -> pd.DataFrame:
        """Return the numbers of the device that the run stands on, with kind, range and source.

        A row per parameter, its dotted path the index; values in SI.
        """
        import pandas as pd

        behind = _above("sim.explore.sensitivity").parameters_behind(self)
        rows = [item.to_record(self.soc.sources) for item in behind.values()]
        return pd.DataFrame(rows, index=pd.Index(behind, name="parameter"))

    def evidence(self) -> pd.DataFrame:
        """Return the nearest measured rows, per aspect of the answer, with its status."""
        import pandas as pd

        found = _above("sim.trust").trust_document(self)
        return pd.DataFrame(
            {"aspect": name, "status": item["status"]} | row
            for name, item in found.items()
            for row in item["nearest"]
        )

    def __str__(self) -> str:
        """Return what the command line prints."""
        text: str = _above("sim.showing").text_of(self)
        return text

    def __repr__(self) -> str:
        """Return the run in one line."""
        from sim.wording import shown

        names = (*headlines(self.scenario), "peak_dram_bytes")
        told = ", ".join(f"{name} {shown(name, self[name]).text}" for name in names)
        return f"<Result {self.program.model} on {self.soc.id} ({self.stack}): {told}>"

    def session_summary(self) -> SessionSummary:
        """Return waits and replies per client, sustained rates, battery and the verdict."""
        return self._session_summary

    @cached_property
    def _session_summary(self) -> SessionSummary:
        from sim.sessions import summarise_session

        return summarise_session(self)

    def to_turn_frame(self) -> pd.DataFrame:
        """Return a row per turn: client, outcome, arrival, start, first token, end [s]."""
        import pandas as pd

        return pd.DataFrame([asdict(turn) for turn in self.turns])

    def to_step_frame(self) -> pd.DataFrame:
        """Return a row per step: records aggregated over its operators, none left out."""
        import pandas as pd

        rows = zip(self.groups, self.dynamic_j, strict=True)
        parts = [
            pd.DataFrame(
                {
                    "turn": times.group.turn,
                    "phase": times.group.phase,
                    "step": times.group.first + np.arange(times.group.steps),
                    "start_s": times.starts_s,
                    "end_s": times.ends_s,
                    "tokens": times.group.committed_tokens,
                    "dynamic_j": dram_j + compute_j,
                    "records": sum(repeat for _, repeat in times.group.tasks()),
                }
            )
            for times, (dram_j, compute_j) in rows
        ]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()

    def to_heat_frame(self) -> pd.DataFrame:
        """Return a row per reading of the sensor: temperatures, level, power."""
        import pandas as pd

        return pd.DataFrame([asdict(reading) for reading in self.heat.readings])

    def to_frame(self) -> pd.DataFrame:
        """Return the records as a pandas frame, a row per task."""
        import pandas as pd

        return pd.DataFrame(self.records.columns)

    def to_perfetto(self, path: str | Path) -> None:
        """Write the run as Chrome trace JSON, which ui.perfetto.dev opens."""
        from sim.perfetto import write_trace

        write_trace(self, Path(path))


def _above(module: str) -> ModuleType:
    """Return a module that itself knows results; it is looked up when it is asked for."""
    return import_module(module)
