"""The manifest beside the recordings: what was run, on what, and what cannot be read off counts.

It carries no date and no duration, so the same machine and PyTorch write the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from workloads.behaviour.texts import TextKind
from workloads.errors import WorkloadError
from workloads.eviction_policies import EvictionPart
from workloads.files import read_mapping, write_text
from workloads.session import Strict

FOLDER = Path(__file__).parents[1] / "traces" / "behaviour"
NAME = "manifest.json"
DROPPED = "dropped_at.npz"

Count = Literal["accepted", "retained", "loaded"]


class Subject(Strict):
    """What the recordings are of; digests are SHA-256.

    Attributes
    ----------
    weights_package
        Python package that holds the weights.
    texts
        Kind and digest of each text.
    """

    model: str
    weights_file: str
    weights_package: str
    weights_sha256: str
    texts: dict[str, tuple[TextKind, str]]
    torch_version: str
    seed: int


class EvictionRun(Strict):
    """One policy at one budget.

    Attributes
    ----------
    keep
        Budget over prompt.
    loss
        Nats per token after the prompt, per text.
    retained, loaded
        Recordings of the first text; ``loaded`` only where not all that is retained is read.
    """

    policy: EvictionPart
    keep: float
    loss: dict[str, float]
    retained: str
    loaded: str | None = None


class EvictionStudy(Strict):
    """All policies on the same prompts."""

    prompt_tokens: int
    steps: int
    runs: tuple[EvictionRun, ...]


class SpeculationRun(Strict):
    """One draft on the texts of one kind.

    Attributes
    ----------
    rejections
        Steps in which a draft was rejected; the others ran out of drafts.
    repeated
        Share of the 4-grams of the output that stood in the output before.
    accepted
        Recording, the texts one after the other.
    """

    draft: str
    kind: TextKind
    temperature: float
    rejections: int
    repeated: float
    accepted: str

    @property
    def decoding(self) -> Literal["greedy", "sampled"]:
        """How tokens were chosen."""
        return "sampled" if self.temperature else "greedy"


class SpeculationStudy(Strict):
    """All drafts on the same prompts."""

    prompt_tokens: int
    new_tokens: int
    depth: int
    drafts: dict[str, str]
    runs: tuple[SpeculationRun, ...]


class Manifest(Strict):
    """Everything that was recorded, and the digest of each file."""

    model_config = ConfigDict(populate_by_name=True)

    schema_: Annotated[Literal["andesim.behaviour-manifest/1"], Field(alias="schema")]
    subject: Subject
    eviction: EvictionStudy
    speculation: SpeculationStudy
    files: dict[str, str]


def read_manifest(directory: Path = FOLDER) -> Manifest:
    """Return the manifest in a directory."""
    return Manifest.model_validate(read_mapping(directory / NAME))


def write_manifest(
    directory: Path, subject: Subject, eviction: EvictionStudy, speculation: SpeculationStudy
) -> None:
    """Write the manifest of what stands in a directory."""
    manifest = Manifest(
        schema_="andesim.behaviour-manifest/1",
        subject=subject,
        eviction=eviction,
        speculation=speculation,
        files=digests(directory),
    )
    text = manifest.model_dump_json(indent=1, by_alias=True, exclude_none=True)
    write_text(directory / NAME, text + "\n")


def digests(directory: Path = FOLDER) -> dict[str, str]:
    """Return the SHA-256 of each file in a directory but the manifest."""
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(directory.iterdir())
        if file.name != NAME
    }


def write_recording(
    directory: Path, count: Count, name: str, source: str, counts: Sequence[float]
) -> str:
    """Write counts as a recording, and return its file name.

    Raises `WorkloadError` where a count is not whole.
    """
    file = f"{count}-{name}.yaml"
    whole = [int(tokens) for tokens in counts]
    if whole != list(counts):
        raise WorkloadError(f"{file} must hold whole numbers of tokens. Got {list(counts)}.")
    lines = ("schema: andesim.behaviour/1", f"kind: {count}_tokens", f"source: {source}")
    write_text(directory / file, "\n".join([*lines, f"counts: {whole}", ""]))
    return file
