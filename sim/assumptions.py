"""The least certain assumption that matters most: one-at-a-time over the parameters of a run.

Each uncertain parameter of the stack, its unit, the memory is moved to its low and its high value,
all else equal; the parameter whose range moves the metric most is named.

Not modelled here: interactions between parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hw_models.provenance import Parameter
from hw_models.soc import SocSpec
from sim.engine.maxplus import step_seconds
from sim.engine.pricing import Pricing
from workloads.program import Program

if TYPE_CHECKING:
    from sim.results import Result

MIN_SPREAD = 1.05
"""Parameters whose range is narrower than 5 % are not worth a run."""


@dataclass(frozen=True, slots=True)
class Swing:
    """How far one parameter moves the time of a reply.

    Attributes
    ----------
    low_s, high_s
        Seconds of the whole reply with the parameter at its low and at its high value [s].
    """

    path: str
    parameter: Parameter
    source: str
    low_s: float
    high_s: float

    @property
    def width_s(self) -> float:
        """Distance between the two outcomes [s]."""
        return abs(self.high_s - self.low_s)

    def sentence(self) -> str:
        """Return the assumption and what it does, for people."""
        item = self.parameter
        fastest, slowest = sorted((self.low_s, self.high_s))
        unit = "" if item.unit in ("fraction", "count") else f" {item.unit}"
        return (
            f"{self.path} = {item.value:g}{unit} ({item.kind}, {item.low:g} to {item.high:g}) "
            f"puts the whole reply between {fastest:.2f} and {slowest:.2f} s."
        )


def uncertain_paths(soc: SocSpec, stack: str) -> dict[str, Parameter]:
    """Return the uncertain parameters that can change the times of a run on a stack."""
    unit = soc.stack(stack).unit
    prefixes = (f"stacks.{stack}.", f"units.{unit}.", "dram.efficiency.")
    return {
        path: item
        for path, item in soc.parameters().items()
        if path.startswith(prefixes) and item.unit != "count" and item.high > MIN_SPREAD * item.low
    }


def reply_seconds(program: Program, soc: SocSpec, stack: str) -> float:
    """Return the seconds all steps of a program take together on a device [s]."""
    timed = Pricing(soc, soc.stack(stack)).program(program)
    return float(sum(step_seconds(group).sum() for group in timed.groups))


def swings(result: Result) -> list[Swing]:
    """Return the swing of each uncertain parameter, widest first."""
    found = []
    for path, item in uncertain_paths(result.soc, result.stack).items():
        low_s, high_s = (
            reply_seconds(result.program, result.soc.with_values({path: value}), result.stack)
            for value in (item.low, item.high)
        )
        source = result.soc.sources[item.source].title
        found.append(Swing(path, item, source, low_s, high_s))
    return sorted(found, key=lambda swing: -swing.width_s)


def least_certain(result: Result) -> Swing | None:
    """Return the widest swing, or ``None`` where nothing is uncertain."""
    found = swings(result)
    return found[0] if found and not np.isclose(found[0].width_s, 0.0) else None
