"""What the manifests of all exhibits share: strict keys, checksums, every fault told at once.

The exhibits themselves are in `sim.evidence.exhibits`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sim.errors import SimError
from workloads.errors import WorkloadError
from workloads.explain import sentences
from workloads.files import SIZE_LIMIT_BYTES, read_text, read_yaml

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Fraction = Annotated[float, Field(gt=0.0, le=1.0)]


class Strict(BaseModel):
    """Base of manifests and their parts: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Form = TypeVar("Form", bound=Strict)


def read_manifest(form: type[Form], path: Path, name: str) -> Form:
    """Return the manifest in a YAML file; ``name`` stands in the `SimError` of its faults."""
    try:
        return form.model_validate(read_yaml(path))
    except WorkloadError as error:
        raise SimError(str(error)) from None
    except ValidationError as error:
        raise SimError("\n".join(faults(error, name))) from None


def faults(error: ValidationError, name: str) -> Iterator[str]:
    """Return each fault of a file as a sentence with its place."""
    return (f"{name}: {text}" for text in sentences(error))


def verified_text(path: Path, sha256: str, name: str, limit_bytes: int = SIZE_LIMIT_BYTES) -> str:
    """Return the text of a file whose SHA-256 is the given one; else a `SimError` with its name."""
    try:
        text = read_text(path, limit_bytes)
    except WorkloadError as error:
        raise SimError(str(error)) from None
    digest = hashlib.sha256(text.encode()).hexdigest()
    if digest != sha256:
        raise SimError(f"{name} must have SHA-256 {sha256}. Got {digest}.")
    return text
