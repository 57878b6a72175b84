"""Exhibits: published measurements kept with their manifest, checksum and role.

A folder ``<source>/<role>/`` holds ``run.yaml`` and ``samples.csv``. Loading fails when a file is
not the one its manifest describes, when a row is in two exhibits, or when one network both
calibrates and validates the same stack of the same device. Not checked: whether the published
numbers are true.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sim.analysis.measured import MeasuredRun, Quantity, parse_measured
from sim.errors import SimError
from workloads.errors import WorkloadError
from workloads.files import read_text, read_yaml

ROOT: Final = Path(__file__).parents[2] / "validation_data"
MANIFEST: Final = "run.yaml"

Fraction = Annotated[float, Field(gt=0.0, le=1.0)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DataFile(_Strict):
    """A file beside the manifest, by what it must be."""

    file: str
    rows: Annotated[int, Field(ge=1)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Manifest(_Strict):
    """What a person must know before using the numbers.

    Attributes
    ----------
    role
        ``calibration`` fits, ``validation`` judges, ``context`` does neither.
    definitions
        Per metric: what the source timed.
    tolerances
        Per metric: relative error at which a simulation still counts as agreeing;
        ``tolerance_basis`` says where that comes from.
    """

    schema_: Annotated[Literal["andesim.exhibit/1"], Field(alias="schema")]
    title: str
    role: Literal["calibration", "validation", "context"]
    conditions: str
    sources: tuple[str, ...]
    devices: tuple[str, ...]
    stacks: tuple[str, ...]
    definitions: Mapping[str, str]
    tolerances: Mapping[str, Fraction] = {}
    tolerance_basis: str = ""
    notes: str = ""
    licence: str
    samples: DataFile
    series: DataFile | None = None


class SeriesPoint(_Strict):
    """One instant of a run that slows down; ``rows`` are the ids of the rows it belongs to."""

    run: str
    rows: str
    time_s: Quantity
    tokens_per_s: Quantity | None = None
    skin_c: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Exhibit:
    """A manifest and what it vouches for; ``name`` is a folder such as ``mnn/context``."""

    name: str
    manifest: Manifest
    runs: tuple[MeasuredRun, ...]
    series: tuple[SeriesPoint, ...] = ()


def load_exhibits(root: Path = ROOT) -> list[Exhibit]:
    """Return every exhibit under ``root``, checked, in the order of their names."""
    found = [_load(path.parent, root) for path in sorted(root.rglob(MANIFEST))]
    faults = [*_duplicates(found), *_leaks(found)]
    if faults:
        raise SimError("\n".join(faults))
    return found


def runs_in_role(exhibits: Sequence[Exhibit], role: str) -> list[MeasuredRun]:
    """Return the runs of all exhibits with one role."""
    return [run for exhibit in exhibits if exhibit.manifest.role == role for run in exhibit.runs]


def _load(folder: Path, root: Path) -> Exhibit:
    name = folder.relative_to(root).as_posix()
    try:
        manifest = Manifest.model_validate(read_yaml(folder / MANIFEST))
        samples = _verified(folder, manifest.samples, name)
        series = _series(_verified(folder, manifest.series, name)) if manifest.series else ()
    except WorkloadError as error:
        raise SimError(str(error)) from None
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        place = ".".join(map(str, fault["loc"]))
        raise SimError(f"{name}/{MANIFEST}: {place}: {fault['msg']}.") from None
    runs = parse_measured(samples, f"{name}/{manifest.samples.file}")
    wrong = [run.id for run in runs if run.role != manifest.role]
    if wrong or len(runs) != manifest.samples.rows:
        raise SimError(
            f"{name} must hold {manifest.samples.rows} rows in role {manifest.role}. "
            f"Got {len(runs)}, with another role in {', '.join(wrong) or 'none'}."
        )
    described = {"definitions": dict(manifest.definitions), "source_format": "exhibit"}
    return Exhibit(name, manifest, tuple(r.model_copy(update=described) for r in runs), series)


def _verified(folder: Path, file: DataFile, name: str) -> str:
    """Return the text of a data file that matches its checksum."""
    text = read_text(folder / file.file)
    digest = hashlib.sha256(text.encode()).hexdigest()
    if digest != file.sha256:
        raise SimError(f"{name}/{file.file} must have SHA-256 {file.sha256}. Got {digest}.")
    return text


def _series(text: str) -> tuple[SeriesPoint, ...]:
    rows = csv.DictReader(io.StringIO(text))
    return tuple(
        SeriesPoint.model_validate({key: cell for key, cell in row.items() if cell}) for row in rows
    )


def _duplicates(exhibits: Sequence[Exhibit]) -> Iterator[str]:
    first: dict[str, str] = {}
    for exhibit in exhibits:
        for run in exhibit.runs:
            if run.id in first:
                yield f"row {run.id} must be in one exhibit. It is in {first[run.id]}, too."
            first.setdefault(run.id, exhibit.name)


def _leaks(exhibits: Sequence[Exhibit]) -> Iterator[str]:
    """Yield a fault for each network that both fits and judges one stack of one device."""
    fitted = {_case(run): run.id for run in runs_in_role(exhibits, "calibration")}
    for run in runs_in_role(exhibits, "validation"):
        if _case(run) in fitted:
            yield (
                f"row {run.id} must not validate {' / '.join(_case(run))}: "
                f"row {fitted[_case(run)]} calibrates it."
            )


def _case(run: MeasuredRun) -> tuple[str, str, str]:
    return run.device, run.stack, run.model
