"""Sweep specifications: which points of a space of scenarios are run, in which order.

    base: scenario.yaml            # or a scenario inline
    axes:
      session.turns.0.prompt_tokens: {log: [128, 8192], count: 7}
      deployment.weights.body: [w4, w8]
    design: grid                   # or lhs, sobol with samples: N
    seed: 0

A grid runs every combination, the last axis fastest, but token counts fastest of all: runs that
differ in nothing else share one pass. `lhs` and `sobol` fill the space evenly with `samples`
points: a range is read at a continuous place, a list at equal shares.

Not done here: adaptive designs that choose points by what earlier ones gave.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)

from sim.errors import SimError
from workloads.errors import WorkloadError
from workloads.explain import sentences
from workloads.files import read_mapping, read_yaml
from workloads.scenario import DEFAULT, Scenario, counted_from, scenario_file, with_override
from workloads.session import Strict

MAX_POINTS = 10_000_000
TOKEN_PATHS = ("session.turns.0.prompt_tokens", "session.turns.0.output_tokens")
"""Axes along which points can share a pass; see `sim.explore.sweep_batch`."""

Axis = tuple[Any, ...]
"""Values of an axis; also the values of a point, one for each axis."""


class Range(Strict):
    """An axis given by its ends: `count` values, equally spaced or equally spaced in logarithm.

    Values are whole numbers where both ends are written so, rounded and without repeats.
    """

    linear: tuple[int | float, int | float] | None = None
    log: tuple[int | float, int | float] | None = None
    count: Annotated[int, Field(ge=1, le=1_000_000)] = 11

    @model_validator(mode="after")
    def _one_kind_of_range(self) -> Range:
        if (self.linear is None) == (self.log is None):
            raise ValueError("either linear: [low, high] or log: [low, high]")
        low, high = self.ends
        if low > high or (self.log is not None and low <= 0.0):
            raise ValueError("a range from low up to high, above 0 if log")
        return self

    @property
    def ends(self) -> tuple[int | float, int | float]:
        """Lowest and highest value."""
        return self.linear or self.log or (0.0, 0.0)

    def at(self, share: float) -> float | int:
        """Return the value at a share of the way from low to high.

        >>> Range(log=(128, 8192)).at(0.5)
        1024
        """
        low, high = self.ends
        value = low * (high / low) ** share if self.log else low + share * (high - low)
        value = min(max(value, low), high)
        return round(value) if isinstance(low, int) and isinstance(high, int) else value

    def values(self) -> Axis:
        """Return the values of a grid.

        >>> Range(linear=(1, 2), count=5).values()
        (1, 2)
        """
        shares = np.linspace(0.0, 1.0, self.count) if self.count > 1 else np.array([0.5])
        return tuple(dict.fromkeys(self.at(float(share)) for share in shares))


def _form_of(axis: Any) -> str:
    return "range" if isinstance(axis, Mapping | Range) else "list"


AnyAxis = Annotated[
    Annotated[Axis, Field(min_length=1), Tag("list")] | Annotated[Range, Tag("range")],
    Discriminator(_form_of),
]


class SweepSpec(Strict):
    """A sweep, complete.

    Attributes
    ----------
    base
        Scenario every point starts from: a mapping; in a file also the name of a scenario file
        beside it, or a shipped id.
    axes
        Dotted path to the values it takes.
    design
        Every combination (`grid`), a Latin hypercube (`lhs`; McKay, Beckman, Conover 1979), or a
        Sobol sequence (`sobol`; Sobol 1967, scrambled after Matousek 1998), which is balanced where
        `samples` is a power of two.
    samples
        Points of an `lhs` or `sobol` design.
    targets
        Each row is judged by these, such as `tokens_per_s>15`.
    uncertainty
        Draws of the device for the probability of a verdict; 0: the run itself is judged.
    minutes
        Minute of decoding without a pause that targets must hold for.
    """

    base: Mapping[str, Any] = DEFAULT
    axes: Annotated[Mapping[str, AnyAxis], Field(min_length=1)]
    design: Literal["grid", "lhs", "sobol"] = "grid"
    samples: Annotated[int, Field(ge=1, le=MAX_POINTS)] = 256
    seed: Annotated[int, Field(ge=0)] = 0
    targets: tuple[str, ...] = ()
    uncertainty: Annotated[int, Field(ge=0)] = 0
    minutes: Annotated[int, Field(ge=1)] = 10

    @model_validator(mode="after")
    def _axes_are_few_enough(self) -> SweepSpec:
        if self.points > MAX_POINTS:
            raise ValueError(f"at most {MAX_POINTS:,} points together; these are {self.points:,}")
        return self

    @property
    def paths(self) -> tuple[str, ...]:
        """Dotted paths, in the order of the file."""
        return tuple(self.axes)

    @property
    def points(self) -> int:
        """Number of points."""
        if self.design != "grid":
            return self.samples
        return math.prod(len(values) for values in self._grid_values())

    @property
    def rows_alike(self) -> int:
        """How many points follow each other that differ in token counts only."""
        others = [path for path in self.paths if path not in TOKEN_PATHS]
        if not others:
            return self.points
        if self.design != "grid":
            return 1
        lengths = zip(self.paths, self._grid_values(), strict=True)
        return math.prod(len(values) for path, values in lengths if path in TOKEN_PATHS)

    def rows(self, start: int, stop: int) -> list[Axis]:
        """Return points `start` to `stop`, each its values in the order of `paths`."""
        stop = min(stop, self.points)
        axes = list(self.axes.values())
        if self.design != "grid":
            places = _unit_cube(self.design, self.samples, len(axes), self.seed)[start:stop]
            return [tuple(map(_value_at, axes, place)) for place in places.tolist()]
        values = self._grid_values()
        slow_first = sorted(range(len(axes)), key=lambda i: self.paths[i] in TOKEN_PATHS)
        sizes = [len(values[i]) for i in slow_first]
        indices = np.stack(np.unravel_index(np.arange(start, stop), sizes), axis=1)[
            :, np.argsort(slow_first)
        ]
        return [
            tuple(axis[i] for axis, i in zip(values, row, strict=True)) for row in indices.tolist()
        ]

    def mapping(self, values: Sequence[Any]) -> dict[str, Any]:
        """Return the scenario of one point, as a mapping."""
        changed = dict(self.base)
        for path, value in zip(self.paths, values, strict=True):
            changed = with_override(changed, path, value)
        return changed

    def _grid_values(self) -> list[Axis]:
        return [axis.values() if isinstance(axis, Range) else axis for axis in self.axes.values()]


def load_sweep(path: str | Path) -> SweepSpec:
    """Return the sweep of a YAML file; its `base` may name a scenario: a file beside it, or an id.

    Raises `SimError` with all faults of the sweep, `WorkloadError` where its base is no scenario.
    """
    return sweep_spec(with_base(read_mapping(path), path), str(path))


def with_base(given: Mapping[str, Any], path: str | Path) -> Mapping[str, Any]:
    """Return what a file holds with its `base` read, where that names a scenario.

    Raises `WorkloadError` where there is no such scenario.
    """
    folder, base = Path(path).parent, given.get("base")
    if isinstance(base, str):
        file = folder / base if os.path.exists(folder / base) else scenario_file(base)
        folder, base = file.parent, read_yaml(file)
    if isinstance(base, Mapping):
        base = counted_from(folder, base)
    return given if base is None else {**given, "base": base}


def sweep_spec(given: Mapping[str, Any], name: str = "sweep") -> SweepSpec:
    """Return the sweep of a mapping; raises `SimError` with all its faults."""
    try:
        spec = SweepSpec.model_validate(given)
    except ValidationError as error:
        faults = "\n  ".join(dict.fromkeys(map(str.lstrip, sentences(error, SweepSpec))))
        raise SimError(f"{name}:\n  {faults}") from None
    _check_paths(spec, name)
    return spec


def _check_paths(spec: SweepSpec, name: str) -> None:
    """Refuse axes whose path no scenario has; a bad value is the fault of its row alone."""
    faults = []
    for path in spec.paths:
        try:
            tried = with_override(spec.base, path, spec.rows(0, 1)[0][spec.paths.index(path)])
            Scenario.from_mapping(tried, name)
        except WorkloadError as error:
            faults += [line for line in str(error).splitlines() if "is not a known key" in line]
            if "--set" in str(error):
                faults.append(str(error).replace("--set", "axis"))
    if faults:
        raise SimError("\n".join([f"{name}: every axis must be a dotted path.", *faults]))


@cache
def _unit_cube(design: str, samples: int, dimensions: int, seed: int) -> NDArray[np.float64]:
    from scipy.stats import qmc

    if design == "lhs":
        hypercube = qmc.LatinHypercube(dimensions, rng=np.random.default_rng(seed))
        return np.asarray(hypercube.random(samples))
    sampler = qmc.Sobol(dimensions, rng=np.random.default_rng(seed))
    return np.asarray(sampler.random_base2(math.ceil(math.log2(samples)))[:samples])


def _value_at(axis: Axis | Range, share: float) -> Any:
    return axis.at(share) if isinstance(axis, Range) else axis[int(share * len(axis))]
