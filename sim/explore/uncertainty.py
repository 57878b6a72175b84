"""Draws of a run: the same run on devices that may be the true one, and intervals from them.

Every uncertain number of the device is drawn (`sim.explore.draws`) and the run is repeated on each
draw. Each metric gets its 10th, 50th and 90th percentile. The median need not be the nominal value:
an assumed number may lie anywhere in its range.

Not modelled: what the equations leave out; validation tells about that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hw_models.soc import SocSpec
from sim.errors import SimError
from sim.explore.draws import draw
from sim.explore.variants import MetricColumns, Values, variant_facts
from sim.facts import Facts, joined, sustained
from sim.heat.course import TENTH
from sim.metrics import known_metrics, metric_columns, named
from workloads.program import OnProgress, untold

if TYPE_CHECKING:
    import pandas as pd

    from sim.results import Result

PERCENTILES = {"p10": 10.0, "p50": 50.0, "p90": 90.0}


@dataclass(frozen=True, eq=False)
class DrawnDevices:
    """Devices whose uncertain numbers are drawn; ``devices[i]`` is a `SocSpec` of its own.

    Attributes
    ----------
    soc
        The device with its nominal numbers.
    values
        Dotted path to the number of each draw, SI, shape (samples,).
    """

    soc: SocSpec
    values: Values
    samples: int

    def __len__(self) -> int:
        return self.samples

    def __getitem__(self, index: int) -> SocSpec:
        if not -self.samples <= index < self.samples:
            raise IndexError(f"draws are numbered 0 to {self.samples - 1}. Got {index}.")
        return self.soc.with_values({path: float(col[index]) for path, col in self.values.items()})

    def __iter__(self) -> Iterator[SocSpec]:
        return (self[index] for index in range(self.samples))


@dataclass(frozen=True, eq=False)
class Draws:
    """One run on many draws of its device: ``draws["tokens_per_s"]`` is a pandas Series.

    Attributes
    ----------
    devices
        The device of each draw; a run on it gives the numbers of its row.
    facts
        What metrics are made of, as columns over draws.
    """

    devices: DrawnDevices
    facts: Facts

    def __len__(self) -> int:
        return len(self.devices)

    def __getitem__(self, name: str) -> pd.Series[float]:
        """Return a metric of every draw, NaN where a draw does not reach it."""
        import pandas as pd

        return pd.Series(named(name).column(self.facts), name=name)

    @property
    def columns(self) -> list[str]:
        """Names of the metrics."""
        return list(known_metrics())

    def to_frame(self) -> pd.DataFrame:
        """Return a row per draw, a column per metric."""
        import pandas as pd

        return pd.DataFrame(metric_columns(self.facts))

    def metrics(self) -> MetricColumns:
        """Return every metric as a column of floats, and the makespan as ``reply_s`` [s]."""
        columns = metric_columns(self.facts).items()
        found = {name: column.astype(float) for name, column in columns}
        return {"reply_s": self.facts.makespan_s, **found}

    def intervals(self) -> dict[str, dict[str, float]]:
        """Return ``{metric: {"p10", "p50", "p90"}}`` of all that every draw reaches.

        What is yes or no has none.
        """
        return intervals(metric_columns(self.facts))


def intervals(sampled: Mapping[str, NDArray[Any]]) -> dict[str, dict[str, float]]:
    """Return ``{metric: {"p10", "p50", "p90"}}`` of the metrics that every draw reaches."""
    found = {}
    for name, metric in known_metrics().items():
        if name in sampled and metric.kind is not bool and np.isfinite(sampled[name]).all():
            levels = np.percentile(sampled[name], list(PERCENTILES.values()))
            found[name] = dict(zip(PERCENTILES, levels.tolist(), strict=True))
    return found


def drawn_runs(
    result: Result,
    samples: int,
    seed: int = 0,
    minute: int = TENTH,
    on_progress: OnProgress = untold,
) -> Draws:
    """Return a run on draws of its device; all alike where nothing is uncertain.

    The sustained rate is that of a minute of decoding without a pause, the first being 1. Raises
    `SimError` where `samples` is below 1.
    """
    if samples < 1:
        raise SimError(f"--uncertainty must be at least 1 sample. Got {samples}.")
    values = draw(result.soc, result.stack, samples, seed)
    every = range(samples)
    if values:
        facts = variant_facts(result, values, minute, on_progress)
    else:
        facts = joined([(every, sustained(result.facts, result.scenario, result.soc, minute))])
    return Draws(DrawnDevices(result.soc, values, samples), facts)


def sampled_metrics(
    result: Result,
    samples: int,
    seed: int = 0,
    minute: int = TENTH,
    on_progress: OnProgress = untold,
) -> MetricColumns:
    """Return every metric on draws of the device, each of shape (samples,), NaN for None.

    ``on_progress`` is told how many draws are done, where they take long.
    """
    return drawn_runs(result, samples, seed, minute, on_progress).metrics()


def nominal_metrics(result: Result, minute: int = TENTH) -> MetricColumns:
    """Return every metric of the run itself as columns of length 1, NaN where it has none."""
    facts = sustained(result.facts, result.scenario, result.soc, minute)
    return {name: column.astype(float) for name, column in metric_columns(facts).items()}


def uncertainty(result: Result, samples: int, seed: int = 0) -> dict[str, dict[str, float]]:
    """Return the interval of each metric: ``{metric: {"p10", "p50", "p90"}}``."""
    return drawn_runs(result, samples, seed).intervals()
