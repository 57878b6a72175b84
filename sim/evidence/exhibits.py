"""Exhibits: published measurements kept with their manifest, checksum and role.

A folder ``<source>/<role>/`` holds ``run.yaml`` and ``samples.csv``. Loading fails when a file is
not the one its manifest describes, when a row is in two exhibits, or when one network, by its
shapes, both calibrates and validates the same stack of the same device. Not checked: whether the
published numbers are true.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, ValidationError

from sim.errors import SimError
from sim.evidence.manifests import (
    ROOT,
    Fraction,
    Sha256,
    Strict,
    faults,
    read_manifest,
    verified_text,
)
from sim.evidence.measured import MeasuredRun, Quantity, parse_measured

MANIFEST: Final = "run.yaml"

SAME_SHAPES: Final = {"llama-3-8b": "llama-3.1-8b"}
"""Networks that count as another for lack of any difference in shape."""


class DataFile(Strict):
    """A file beside the manifest, by what it must be."""

    file: str
    rows: Annotated[int, Field(ge=1)]
    sha256: Sha256


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
    """A manifest and what it vouches for; ``name`` is a folder such as ``mnn/context``."""

    name: str
    manifest: Manifest
    runs: tuple[MeasuredRun, ...]
    series: tuple[SeriesPoint, ...] = ()


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


def _verified(folder: Path, file: DataFile, name: str) -> str:
    return verified_text(folder / file.file, file.sha256, f"{name}/{file.file}")


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
    fitted = {_case(run): run.id for run in runs_in_role(exhibits, "calibration")}
    for run in runs_in_role(exhibits, "validation"):
        if _case(run) in fitted:
            yield (
                f"row {run.id} must not validate {' / '.join(_case(run))}: "
                f"row {fitted[_case(run)]} calibrates it."
            )


def _case(run: MeasuredRun) -> tuple[str, str, str]:
    return run.device, run.stack, same_shapes(run.model)
