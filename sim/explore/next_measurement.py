"""The measurement that would tell most: how much of an answer's variance one more number removes.

Devices are drawn once. The asked run and every run that could be measured are repeated on the same
draws. To first order, with a and h the logarithms of the asked and of the measured metric over the
draws and s the noise of a measurement
(`sim.calibration.figures`), measuring h removes this share of the variance of a::

    share = cov(a, h)^2 / (var(a) (var(h) + s^2))

Source: the update of a Gaussian by one linear observation (Rasmussen, Williams, *Gaussian Processes
for Machine Learning*, 2006, eq. 2.19, for one observation). Not modelled: what a fit leaves
unexplained and differs from network to network; it is drawn as one factor of a stack, so numbers of
other networks look a little more telling than they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hw_models.errors import HardwareError
from sim.calibration.figures import noise
from sim.errors import SimError
from sim.explore.uncertainty import sampled_metrics
from sim.results import Result
from sim.simulation import simulate
from sim.wording import label
from workloads.errors import WorkloadError
from workloads.scenario import Scenario
from workloads.shipped_ids import model_ids

ASKED: Final = ("time_to_first_token_s", "tokens_per_s")
"""What the answer's interval is of; of a network its one metric."""
MEASURED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "vision_encode_s": "vision_encode_s",
        "prefill_s": "prefill_tokens_per_s",
        "tokens_per_s": "tokens_per_s",
        "inference_s": "inference_s",
    }
)
"""What a person can time, and the figure whose noise it has."""
OTHERS: Final = ("qwen3-0.6b", "qwen3-1.7b", "qwen3-8b")
"""Networks that most runtimes ship for, small to large."""
SHORT: Final = 128
LONG: Final = 4096
SMALL_PX: Final = 448
DRAWS: Final = 100


@dataclass(frozen=True, slots=True)
class Worth:
    """A number that could be measured, and the share of each asked variance that it removes."""

    what: str
    metric: str
    shares: Mapping[str, float]

    @property
    def mean(self) -> float:
        """Mean of the shares: all asked metrics count alike."""
        return float(np.mean([*self.shares.values()]))


def worth_measuring(result: Result, draws: int = DRAWS, seed: int = 0) -> list[Worth]:
    """Return what could be measured on the run's device and stack, the most telling first."""
    asked = {
        name: column
        for name, column in _logs(result, draws, seed).items()
        if name in (ASKED if result.scenario.network is None else ("inference_s",))
    }
    found = [
        Worth(what, metric, _shares(asked, column, noise(MEASURED[metric])))
        for what, scenario in candidates(result)
        for metric, column in _measurable(scenario, draws, seed).items()
    ]
    return sorted(found, key=lambda item: (-item.mean, item.what, item.metric))


def _shares(
    asked: Mapping[str, NDArray[np.float64]], measured: NDArray[np.float64], deviation: float
) -> dict[str, float]:
    return {name: share(log, measured, deviation) for name, log in asked.items()}


def share(asked: NDArray[np.float64], measured: NDArray[np.float64], deviation: float) -> float:
    """Return the share of the variance of ``asked`` that measuring ``measured`` removes.

    >>> logs = np.array([-1.0, 0.0, 1.0])
    >>> share(logs, 2.0 * logs, 0.0), share(logs, np.array([1.0, -2.0, 1.0]), 0.1)
    (1.0, 0.0)
    """
    (var_a, both), (_, var_h) = np.cov(asked, measured, bias=True)
    if var_a <= 0.0 or var_h <= 0.0:
        return 0.0
    return round(float(both**2 / (var_a * (var_h + deviation**2))), 12)


def candidates(result: Result) -> Iterator[tuple[str, Scenario]]:
    """Yield runs that a person could measure on the run's device and stack, with their words."""
    scenario = result.scenario
    if scenario.network is not None:
        yield f"{result.program.model}, one inference", scenario
        return
    own = result.program.model
    turns = {"prompt_tokens": SHORT, "output_tokens": SHORT, "images_px": ()}
    yield f"{own}, prompt {SHORT}, output {SHORT}", _asking(scenario, turns)
    long = turns | {"prompt_tokens": LONG}
    yield f"{own}, prompt {LONG}, output {SHORT}", _asking(scenario, long)
    if any(group.phase == "vision" for group in result.program.groups):
        image = turns | {"images_px": ((SMALL_PX, SMALL_PX),)}
        yield f"{own}, one image {SMALL_PX}x{SMALL_PX}", _asking(scenario, image)
    known = set(model_ids())
    for model in (name for name in OTHERS if name in known and name != own):
        yield f"{model}, prompt {SHORT}, output {SHORT}", _asking(scenario, turns, model)


def _asking(scenario: Scenario, turn: Mapping[str, object], model: str = "") -> Scenario:
    """Return a plain run of one turn: what a benchmark does, without speculation or adapters."""
    tree = scenario.model_dump(mode="json", exclude_defaults=True)
    kept = {name: tree.get("deployment", {}).get(name) for name in ("weights", "activations")}
    deployment = {name: value for name, value in kept.items() if value is not None}
    return Scenario.model_validate(
        {
            "device": tree["device"],
            **({"stack": tree["stack"]} if tree.get("stack") else {}),
            "model": model or tree["model"],
            "deployment": deployment,
            "session": {"turns": [dict(turn)]},
        }
    )


def _measurable(scenario: Scenario, draws: int, seed: int) -> Mapping[str, NDArray[np.float64]]:
    """Return the logs of what can be timed of a scenario; nothing where it cannot run."""
    try:
        result = simulate(scenario)
    except (WorkloadError, HardwareError, SimError):
        return {}
    found = _logs(result, draws, seed)
    return {name: column for name, column in found.items() if name in MEASURED}


def _logs(result: Result, draws: int, seed: int) -> dict[str, NDArray[np.float64]]:
    """Return the logarithms of positive metrics over draws of the device."""
    columns = sampled_metrics(result, draws, seed)
    wanted = {*ASKED, *MEASURED}
    found = {name: np.asarray(columns[name], dtype=np.float64) for name in wanted & set(columns)}
    return {
        name: np.log(column)
        for name, column in found.items()
        if np.isfinite(column).all() and (column > 0.0).all()
    }


def best_sentence(found: Sequence[Worth]) -> str:
    """Return in words which measurement would tell most."""
    if not found:
        return "No run on this device and stack could be measured that tells more."
    best = found[0]
    parts = best.shares.items()
    told = " and ".join(f"{part:.0%} of the variance of {label(name)}" for name, part in parts)
    return f"Measuring {label(best.metric)} of {best.what} would remove {told}."
