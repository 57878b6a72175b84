"""Exhibits: measurements kept with their manifest, checksums and roles, of phones and of hosts.

A folder ``<source>/<role>/`` holds published rows of phones: ``run.yaml`` and ``samples.csv``. A
folder ``host_*/`` holds ``manifest.yaml``, files of `andesim measure` of one machine, and the
``device.yaml`` fitted to those that calibrate. Loading fails when a file is not the one its
manifest describes, when a row is in two exhibits, or when one network both calibrates and
validates: by its shapes for the same stack of the same phone, by its configuration for a host.
Not checked: whether the numbers are true.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, ValidationError

from hw_models.soc import SocSpec, load_soc
from sim.errors import SimError
from sim.evidence.manifests import Fraction, Sha256, Strict, faults, read_manifest, verified_text
from sim.evidence.measured import MeasuredRun, Quantity, parse_measured
from sim.evidence.measured_metrics import ROOT
from sim.evidence.measuring.document import SIZE_LIMIT_BYTES as MEASUREMENT_LIMIT_BYTES
from sim.evidence.measuring.document import MeasuredFile, parse_measurement
from workloads.files import SIZE_LIMIT_BYTES

MANIFEST: Final = "run.yaml"
HOST_MANIFEST: Final = "manifest.yaml"

Case = tuple[str, ...]
"""What a fit must not have seen of a row that judges it."""
SAME_SHAPES: Final = {"llama-3-8b": "llama-3.1-8b"}
"""Networks that count as the other because all their shapes are equal."""


class Listed(Strict):
    """A file beside the manifest, by what it must be."""

    file: str
    sha256: Sha256


class DataFile(Listed):
    """A CSV file."""

    rows: Annotated[int, Field(ge=1)]


class RunFile(Listed):
    """A measurement, its role, and the trace of a model that is not in the catalogue."""

    role: Literal["calibration", "validation"]
    trace: str | None = None


class Manifest(Strict):
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


class HostManifest(Strict):
    """What a person must know before using the measurements of a host.

    Attributes
    ----------
    split
        The rule that assigned the roles, before anything was judged.
    device
        File of the device that the calibration runs gave.
    tolerances
        Per phase: mean absolute relative error that still counts as agreeing.
    """

    schema_: Annotated[Literal["andesim.host_exhibit/1"], Field(alias="schema")]
    title: str
    conditions: str
    split: str
    device: str
    tolerances: Mapping[str, Fraction]
    runs: Annotated[tuple[RunFile, ...], Field(min_length=1)]
    notes: str = ""


class SeriesPoint(Strict):
    """One instant of a run that slows down; ``rows`` are the ids of the rows it belongs to.

    ``skin_c`` is the temperature of the body [C].
    """

    run: str
    rows: str
    time_s: Quantity
    tokens_per_s: Quantity | None = None
    skin_c: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Exhibit:
    """A manifest and the rows it describes; ``name`` is a folder such as ``mnn/context``."""

    name: str
    manifest: Manifest
    runs: tuple[MeasuredRun, ...]
    series: tuple[SeriesPoint, ...] = ()


@dataclass(frozen=True)
class HostExhibit:
    """A manifest, its checked measurements by role, and the device fitted to the calibration."""

    folder: Path
    manifest: HostManifest
    calibration: tuple[MeasuredFile, ...]
    validation: tuple[MeasuredFile, ...]
    soc: SocSpec


def load_exhibits(root: Path = ROOT) -> list[Exhibit]:
    """Return every exhibit under ``root``, checked, in the order of their names.

    Raises `SimError` with what is wrong with a file, or with the exhibits taken together.
    """
    found = [_load(path.parent, root) for path in sorted(root.rglob(MANIFEST))]
    wrong = [*_duplicates(found), *_leaks(found)]
    if wrong:
        raise SimError("\n".join(wrong))
    return found


def runs_in_role(exhibits: Sequence[Exhibit], role: str) -> list[MeasuredRun]:
    """Return the runs of all exhibits with one role."""
    return [run for exhibit in exhibits if exhibit.manifest.role == role for run in exhibit.runs]


def same_shapes(model: str) -> str:
    """Return the network that a model counts as."""
    return SAME_SHAPES.get(model, model)


def _load(folder: Path, root: Path) -> Exhibit:
    name = folder.relative_to(root).as_posix()
    manifest = read_manifest(Manifest, folder / MANIFEST, f"{name}/{MANIFEST}")
    series = _series(folder, manifest.series, name) if manifest.series else ()
    samples = _verified(folder, manifest.samples, name)
    runs = parse_measured(samples, f"{name}/{manifest.samples.file}")
    wrong = [run.id for run in runs if run.role != manifest.role]
    if wrong or len(runs) != manifest.samples.rows:
        raise SimError(
            f"{name} must hold {manifest.samples.rows} rows in role {manifest.role}. "
            f"Got {len(runs)}, with another role in {', '.join(wrong) or 'none'}."
        )
    described = {"definitions": dict(manifest.definitions), "source_format": "exhibit"}
    return Exhibit(name, manifest, tuple(r.model_copy(update=described) for r in runs), series)


def load_host_exhibits(root: Path = ROOT) -> list[HostExhibit]:
    """Return every host exhibit under ``root``, checked, in the order of their names."""
    folders = sorted(path.parent for path in root.glob(f"host_*/{HOST_MANIFEST}"))
    return [load_host_exhibit(folder) for folder in folders]


def load_host_exhibit(folder: Path) -> HostExhibit:
    """Return the host exhibit in a folder, checked.

    Raises `SimError` where a file is not what the manifest says, or a model has both roles;
    `HardwareError` where the device is none.
    """
    name = folder.name
    manifest = read_manifest(HostManifest, folder / HOST_MANIFEST, f"{name}/{HOST_MANIFEST}")
    runs: dict[str, list[MeasuredFile]] = {"calibration": [], "validation": []}
    for run in manifest.runs:
        text = _verified(folder, run, name, MEASUREMENT_LIMIT_BYTES)
        trace = str(folder / run.trace) if run.trace else None
        measurement = parse_measurement(text, f"{name}/{run.file}")
        runs[run.role].append(MeasuredFile(measurement, trace))
    networks = {role: [_network(file) for file in files] for role, files in runs.items()}
    wrong = list(_on_both_sides(networks["calibration"], networks["validation"]))
    if wrong:
        raise SimError("\n".join(f"{name}: {fault}" for fault in wrong))
    soc = load_soc(folder / manifest.device)
    return HostExhibit(folder, manifest, tuple(runs["calibration"]), tuple(runs["validation"]), soc)


def _network(file: MeasuredFile) -> tuple[str, Case]:
    return file.measurement.model, (file.measurement.config_digest,)


def _verified(folder: Path, file: Listed, name: str, limit_bytes: int = SIZE_LIMIT_BYTES) -> str:
    return verified_text(folder / file.file, file.sha256, f"{name}/{file.file}", limit_bytes)


def _series(folder: Path, file: DataFile, name: str) -> tuple[SeriesPoint, ...]:
    """Return the instants of a series, as many as the manifest says."""
    rows = list(csv.DictReader(io.StringIO(_verified(folder, file, name))))
    if len(rows) != file.rows:
        raise SimError(f"{name}/{file.file} must hold {file.rows} rows. Got {len(rows)}.")
    return tuple(_instant(row, f"{name}/{file.file}, row {n}") for n, row in enumerate(rows, 1))


def _instant(row: Mapping[str, str], place: str) -> SeriesPoint:
    try:
        return SeriesPoint.model_validate({key: cell for key, cell in row.items() if cell})
    except ValidationError as error:
        raise SimError("\n".join(faults(error, place))) from None


def _duplicates(exhibits: Sequence[Exhibit]) -> Iterator[str]:
    first: dict[str, str] = {}
    for exhibit in exhibits:
        for run in exhibit.runs:
            if run.id in first:
                yield f"row {run.id} must be in one exhibit. It is in {first[run.id]}, too."
            first.setdefault(run.id, exhibit.name)


def _leaks(exhibits: Sequence[Exhibit]) -> Iterator[str]:
    """Yield a fault for each row whose network also fits the same stack of the same device."""
    sides = (
        [(f"row {run.id}", _case(run)) for run in runs_in_role(exhibits, role)]
        for role in ("calibration", "validation")
    )
    return _on_both_sides(*sides)


def _on_both_sides(
    calibrating: Iterable[tuple[str, Case]], validating: Iterable[tuple[str, Case]]
) -> Iterator[str]:
    """Yield a fault for each of the named cases that judges what another of its kind fits."""
    fitted = {case: name for name, case in calibrating}
    for name, case in validating:
        if case in fitted:
            yield f"{name} must not validate {' / '.join(case)}: {fitted[case]} calibrates it."


def _case(run: MeasuredRun) -> Case:
    return run.device, run.stack, same_shapes(run.model)
