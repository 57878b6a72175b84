"""Host exhibits: measurements of one machine with their checksums, and the device fitted to them.

A folder ``host_*/`` holds ``manifest.yaml``, measurement files and the fitted ``device.yaml``.
Roles are fixed in the manifest before anything is judged. Loading fails when a file is not the one
the manifest describes, or when one model both calibrates and validates.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hw_models.soc import SocSpec, load_soc
from sim.analysis.host.calibration import MeasuredFile
from sim.analysis.host.judge import HostRow, judge_all
from sim.analysis.measuring.document import parse_measurement
from sim.errors import SimError
from sim.simulation import Engine
from workloads.errors import WorkloadError
from workloads.files import read_text, read_yaml

ROOT: Final = Path(__file__).parents[3] / "validation_data"
MANIFEST: Final = "manifest.yaml"
SIZE_LIMIT_BYTES: Final = 16 * 2**20

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Share = Annotated[float, Field(gt=0.0, le=1.0)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RunFile(_Strict):
    """A measurement file, its role, and the trace of a model that is not in the catalogue."""

    file: str
    role: Literal["calibration", "validation"]
    sha256: Sha256
    trace: str | None = None


class HostManifest(_Strict):
    """What a person must know before using the runs.

    Attributes
    ----------
    split
        The rule that assigned the roles.
    tolerances
        Per phase: mean absolute relative error that still counts as agreeing.
    """

    schema_: Annotated[Literal["andesim.host_exhibit/1"], Field(alias="schema")]
    title: str
    conditions: str
    split: str
    device: str
    tolerances: Mapping[str, Share]
    runs: Annotated[tuple[RunFile, ...], Field(min_length=1)]
    notes: str = ""


@dataclass(frozen=True)
class HostExhibit:
    """A manifest, its checked measurements by role, and the device fitted to the calibration."""

    folder: Path
    manifest: HostManifest
    calibration: tuple[MeasuredFile, ...]
    validation: tuple[MeasuredFile, ...]
    soc: SocSpec

    def rows(self, engine: Engine = "maxplus") -> list[HostRow]:
        """Return a row for each case of the validation runs."""
        return judge_all(self.validation, self.soc, engine=engine)


def host_exhibits(root: Path = ROOT) -> list[HostExhibit]:
    """Return every host exhibit under ``root``, checked, in the order of their names."""
    return [load_host_exhibit(path.parent) for path in sorted(root.glob(f"host_*/{MANIFEST}"))]


def load_host_exhibit(folder: Path) -> HostExhibit:
    """Return the exhibit in a folder, checked."""
    manifest = read_manifest(folder)
    runs: dict[str, list[MeasuredFile]] = {"calibration": [], "validation": []}
    for run in manifest.runs:
        measurement = parse_measurement(_verified(folder, run), f"{folder.name}/{run.file}")
        trace = str(folder / run.trace) if run.trace else None
        runs[run.role].append(MeasuredFile(measurement, trace))
    fitted = {item.measurement.config_digest for item in runs["calibration"]}
    for item in runs["validation"]:
        if item.measurement.config_digest in fitted:
            raise SimError(
                f"{folder.name}: {item.measurement.model} must not both calibrate and validate."
            )
    soc = load_soc(folder / manifest.device)
    return HostExhibit(folder, manifest, tuple(runs["calibration"]), tuple(runs["validation"]), soc)


def read_manifest(folder: Path) -> HostManifest:
    """Return the manifest of a folder."""
    try:
        return HostManifest.model_validate(read_yaml(folder / MANIFEST))
    except WorkloadError as error:
        raise SimError(str(error)) from None
    except ValidationError as error:
        faults = [
            f"{folder.name}/{MANIFEST}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}."
            for fault in error.errors(include_url=False)
        ]
        raise SimError("\n".join(faults)) from None


def _verified(folder: Path, run: RunFile) -> str:
    try:
        text = read_text(folder / run.file, SIZE_LIMIT_BYTES)
    except WorkloadError as error:
        raise SimError(str(error)) from None
    digest = hashlib.sha256(text.encode()).hexdigest()
    if digest != run.sha256:
        raise SimError(f"{folder.name}/{run.file} must have SHA-256 {run.sha256}. Got {digest}.")
    return text
