"""Questions of many measured runs: equal questions once, with all the values measured for them.

Two releases of one entry, or two people with one phone, ask the simulator the same thing. Their
values are joined by the median of logarithms, and the program is compiled once.

Not modelled: differences between releases that ask one question.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median
from typing import Final

from hw_models.soc import SocSpec
from sim.calibration.rows import Observation, Skipped, observe
from sim.evidence.exhibits import same_shapes
from sim.evidence.measured import MeasuredRun
from sim.evidence.measured_metrics import METRICS, TIMED_PHASES
from sim.evidence.questions import CannotSimulate

_OF_A_QUESTION: Final = (
    *("device", "stack", "model", "weights", "activations", "kv_dtype", "threads"),
    *("prompt_tokens", "output_tokens", "context_tokens", "depth_tokens", "image_px"),
)


@dataclass(frozen=True)
class Asked:
    """One question, and what was measured for it.

    Attributes
    ----------
    row
        The question; its measured value is the median one.
    ids
        Rows of the corpus that answer it.
    """

    row: Observation
    ids: tuple[str, ...]

    @property
    def log_measured(self) -> float:
        """Logarithm of the measured value."""
        return math.log(self.row.measured)

    @property
    def cell(self) -> tuple[str, str]:
        """Device and stack."""
        return self.row.device, self.row.stack

    @property
    def network(self) -> str:
        """The network; models of equal shapes are one."""
        return same_shapes(self.row.run.model)


def asked(
    runs: Iterable[MeasuredRun], device_of: Callable[[str], SocSpec]
) -> tuple[list[Asked], list[Skipped]]:
    """Return the questions of runs that can be simulated, and the others with the reason.

    Parameters
    ----------
    device_of
        Returns the device of an id; its error is the reason where there is none.
    """
    groups: dict[tuple[object, ...], list[MeasuredRun]] = {}
    for run in runs:
        for metric in TIMED_PHASES:
            if metric in run.metrics:
                others = dict.fromkeys(set(METRICS) - {metric})
                question = (metric, *(getattr(run, name) for name in _OF_A_QUESTION))
                groups.setdefault(question, []).append(run.model_copy(update=others))
    found: list[Asked] = []
    skipped: list[Skipped] = []
    for key, same in groups.items():
        metric = str(key[0])
        ids = tuple(run.id for run in same)
        try:
            found.append(_joined(metric, same, ids, device_of))
        except (CannotSimulate, ValueError) as error:
            skipped += [Skipped(name, " ".join(str(error).split())) for name in ids]
    return sorted(found, key=lambda item: (*item.cell, item.row.metric, item.ids)), skipped


def _joined(
    metric: str,
    same: list[MeasuredRun],
    ids: tuple[str, ...],
    device_of: Callable[[str], SocSpec],
) -> Asked:
    middle = median(math.log(run.metrics[metric]) for run in same)
    run = same[0].model_copy(update={metric: math.exp(middle)})
    return Asked(observe(run, metric, device_of(run.device)), ids)
