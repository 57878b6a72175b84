"""MEETING: demand and supply meet here, and only here runs a clock.

>>> import sim
>>> sim.simulate()["fits"]
True

What is named here is loaded when it is first used, so that ``import sim`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hw_models.soc import load_soc
    from sim.asking import calibrate, compare, draw, simulate, size, sweep, validate
    from sim.metrics import metric
    from sim.results import Result
    from workloads.scenario import Scenario, load_scenario

CONTENTS = {
    "simulate": "sim.asking",  # a scenario on a device -> Result
    "sweep": "sim.asking",  # many scenarios -> DataFrame, a row per point
    "size": "sim.asking",  # targets -> the settings that meet them
    "compare": "sim.asking",  # two scenarios -> why they differ
    "draw": "sim.asking",  # a device -> devices whose uncertain numbers are drawn
    "calibrate": "sim.asking",  # measured runs -> a fitted device
    "validate": "sim.asking",  # measured runs -> how far the simulator is off
    "metric": "sim.metrics",  # decorator: a formula over facts -> a metric of all of the above
    "load_scenario": "workloads.scenario",  # YAML file or id -> Scenario
    "load_soc": "hw_models.soc",  # YAML file or id -> SocSpec, each number with its source
    "Result": "sim.results",  # a run and everything people ask of it
    "Scenario": "workloads.scenario",  # model, deployment, environment, session, device
}
"""The table of contents: what a user imports, and where it lives."""
PARTS = ("evidence",)
"""Packages a user reaches as they stand: ``sim.evidence.read(file)``, a table of measured runs."""

__all__ = [
    "Result",
    "Scenario",
    "calibrate",
    "compare",
    "draw",
    "load_scenario",
    "load_soc",
    "metric",
    "simulate",
    "size",
    "sweep",
    "validate",
]


def __getattr__(name: str) -> Any:
    """Load what the table of contents names, or a part."""
    if name in PARTS:
        return import_module(f"sim.{name}")
    if name not in CONTENTS:
        raise AttributeError(f"module 'sim' has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(CONTENTS[name]), name)
    return found


def __dir__() -> list[str]:
    """Return the names of the table of contents beside those already there."""
    return sorted({*globals(), *CONTENTS, *PARTS})
