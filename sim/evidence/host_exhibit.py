"""Host exhibits: measurements of one machine with their checksums, and the device fitted to them.

A folder ``host_*/`` holds ``manifest.yaml``, measurement files and the fitted ``device.yaml``.
Roles are fixed in the manifest before anything is judged. Loading fails when a file is not the one
the manifest describes, or when one model both calibrates and validates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field

from hw_models.soc import SocSpec, load_soc
from sim.errors import SimError
from sim.evidence.manifests import ROOT, Fraction, Sha256, Strict, read_manifest, verified_text
from sim.evidence.measuring.document import SIZE_LIMIT_BYTES, MeasuredFile, parse_measurement
from sim.simulation import Engine
from sim.validation.host_judging import HostRow, judge_all

MANIFEST: Final = "manifest.yaml"


class RunFile(Strict):
    """A measurement file, its role, and the trace of a model that is not in the catalogue."""

    file: str
    role: Literal["calibration", "validation"]
    sha256: Sha256
    trace: str | None = None


class HostManifest(Strict):
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
    tolerances: Mapping[str, Fraction]
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
    """Return the exhibit in a folder, checked.

    Raises `SimError` where a file is not what the manifest says, or a model has both roles;
    `HardwareError` where the device is none.
    """
    manifest = read_manifest(HostManifest, folder / MANIFEST, f"{folder.name}/{MANIFEST}")
    runs: dict[str, list[MeasuredFile]] = {"calibration": [], "validation": []}
    for run in manifest.runs:
        name = f"{folder.name}/{run.file}"
        text = verified_text(folder / run.file, run.sha256, name, SIZE_LIMIT_BYTES)
        trace = str(folder / run.trace) if run.trace else None
        runs[run.role].append(MeasuredFile(parse_measurement(text, name), trace))
    fitted = {item.measurement.config_digest for item in runs["calibration"]}
    for item in runs["validation"]:
        if item.measurement.config_digest in fitted:
            raise SimError(
                f"{folder.name}: {item.measurement.model} must not both calibrate and validate."
            )
    soc = load_soc(folder / manifest.device)
    return HostExhibit(folder, manifest, tuple(runs["calibration"]), tuple(runs["validation"]), soc)
