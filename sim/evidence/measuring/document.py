"""The file of a measurement, ``andesim.measurement/1``: raw repeats, never only their mean.

On a CPU the judged time is process CPU time of one thread, which other work on the machine hardly
touches; wall time stands beside it. On an accelerator it is wall time.

Not in it: energy and temperature, which nothing here can read.
"""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sim.errors import SimError
from sim.evidence.measuring.cases import Case
from sim.output import write_text
from workloads.errors import WorkloadError
from workloads.explain import sentences
from workloads.files import parse_json, read_text
from workloads.models.entry import is_model_path

SCHEMA: Final = "andesim.measurement/1"
HEAD_CHARACTERS: Final = 200
"""Where to look for the schema in a file that may be a large one of another kind."""
SIZE_LIMIT_BYTES: Final = 16 * 2**20
"""Largest file that is read [B]."""

Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
Quantity = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Rounds = Annotated[
    tuple[Annotated[tuple[Positive, ...], Field(min_length=1)], ...], Field(min_length=1)
]


class Record(BaseModel):
    """Base of the parts of the file: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Machine(Record):
    """What ran the model.

    Attributes
    ----------
    caches_bytes
        Size of each cache of the first core, by name such as ``L2`` [B].
    load_average
        Runnable processes, mean over the last minute, before and after.
    """

    cpu: str
    logical_cores: int
    caches_bytes: dict[str, int]
    memory_bytes: int
    system: str
    python: str
    torch: str
    accelerator: str = ""
    threads: int
    load_average: tuple[Quantity, Quantity]


class OperatorTimes(Record):
    """One operator: its module, PyTorch's name, and the seconds of a call in each round [s]."""

    module: str
    name: str
    seconds: Annotated[tuple[Quantity, ...], Field(min_length=1)]

    @property
    def median_s(self) -> float:
        """Median over the rounds [s]."""
        return statistics.median(self.seconds)


class SegmentTimes(Record):
    """Operators that run ``repeat`` times in a row, as in the trace."""

    name: str
    repeat: Annotated[int, Field(ge=1)]
    operators: tuple[OperatorTimes, ...]


class CaseTimes(Record):
    """One case: the seconds of every call, round by round.

    Attributes
    ----------
    sizes
        Sizes of the trace's extents.
    wall_s, cpu_s
        Seconds of each call, one tuple a round [s].
    peak_activation_bytes
        Most bytes of activations alive at one time [B].
    kv_bytes
        Bytes of the KV cache [B].
    """

    case: Case
    sizes: dict[str, int]
    wall_s: Rounds
    cpu_s: Rounds
    peak_activation_bytes: int
    kv_bytes: int
    segments: tuple[SegmentTimes, ...]

    def rounds(self, device: str) -> Rounds:
        """Return the judged seconds, those of the process on a CPU, of the clock elsewhere."""
        return self.cpu_s if device == "cpu" else self.wall_s

    def median_s(self, device: str) -> float:
        """Median over all calls [s]."""
        return statistics.median(seconds for calls in self.rounds(device) for seconds in calls)

    def minimum_s(self, device: str) -> float:
        """Shortest call [s]."""
        return min(seconds for calls in self.rounds(device) for seconds in calls)

    def noise(self, device: str) -> float:
        """How far a round's median lies from the other rounds', mean over rounds; a fraction."""
        return disagreement([statistics.median(calls) for calls in self.rounds(device)])


class Measurement(Record):
    """A real run of one model on one machine.

    Attributes
    ----------
    model
        Catalogue id, or path of the configuration file.
    created
        When, in UTC, ISO 8601.
    config_digest
        SHA-256 of the configuration; two names of one model share it.
    parameters, weight_bytes
        Of the module that ran [count, B].
    peak_resident_bytes
        Most memory the process held [B]; 0 where the system does not say.
    read_bytes_per_s
        What one thread reads from memory, measured beside the run [B/s].
    noise_floor
        Mean of the cases' noise: no claim below it means anything.
    skipped
        Cases left out to keep to a time budget.
    """

    schema_: Annotated[Literal["andesim.measurement/1"], Field(alias="schema")] = SCHEMA
    created: str
    model: str
    config_digest: str
    device: Literal["cpu", "cuda"]
    dtype: Literal["bf16", "fp32"]
    machine: Machine
    parameters: int
    weight_bytes: int
    peak_resident_bytes: int
    read_bytes_per_s: Positive
    noise_floor: Quantity
    cases: Annotated[tuple[CaseTimes, ...], Field(min_length=1)]
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MeasuredFile:
    """A measurement, and the path of its model's trace if the model is not in the catalogue."""

    measurement: Measurement
    trace: str | None = None

    @property
    def model(self) -> str:
        """What the model is simulated by: its trace, else its catalogue id."""
        return self.trace or self.measurement.model


def disagreement(values: Sequence[float]) -> float:
    """Return the mean relative distance of each value from the median of the others; 0 for one.

    >>> round(disagreement([1.0, 1.0, 1.3]), 3)
    0.187
    """
    if len(values) < 2:
        return 0.0
    errors = []
    for index, value in enumerate(values):
        others = statistics.median([*values[:index], *values[index + 1 :]])
        errors.append(abs(value - others) / others)
    return statistics.fmean(errors)


def is_measurement(path: str | Path) -> bool:
    """Tell a measurement file from the other files people validate with, by its first lines."""
    if not os.path.isfile(path):  # a pipe can be read once only
        return False
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return f'"{SCHEMA}"' in stream.read(HEAD_CHARACTERS)
    except OSError:
        return False


def read_measurement(path: str | Path) -> Measurement:
    """Read a measurement file; a `SimError` tells every fault at once."""
    try:
        text = read_text(path, SIZE_LIMIT_BYTES)
    except WorkloadError as error:
        raise SimError(str(error)) from None
    return parse_measurement(text, str(path))


def measured_file(path: Path) -> MeasuredFile:
    """Read a measurement; a model that is not in the catalogue is looked for beside the file.

    Its trace (``NAME.trace.json`` for ``NAME.json``) is taken if there is one, else its
    configuration, which needs PyTorch to be captured.
    """
    measurement = read_measurement(path)
    if not is_model_path(measurement.model):
        return MeasuredFile(measurement)
    given = Path(measurement.model)
    beside = path.parent / given.name
    places = (beside.with_suffix(".trace.json"), beside, given)
    found = next((place for place in places if place.is_file()), given)
    return MeasuredFile(measurement, str(found))


def parse_measurement(text: str, name: str = "text") -> Measurement:
    """Return the measurement in a JSON text; ``name`` stands in the `SimError` of its faults."""
    try:
        return Measurement.model_validate(parse_json(text, name))
    except WorkloadError as error:
        raise SimError(str(error)) from None
    except ValidationError as error:
        faults = (f"{name}: {text}" for text in sentences(error, Measurement))
        raise SimError("\n".join(faults)) from None


def write_measurement(measurement: Measurement, path: Path) -> None:
    """Write a measurement whole or not at all; `OutputError` where it cannot be."""
    document = measurement.model_dump(mode="json", by_alias=True)
    write_text(path, json.dumps(_rounded(document), indent=1, allow_nan=False) + "\n")


def _rounded(value: object) -> object:
    """Keep six digits of each number: clocks give no more."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list) else value
