"""Recorded behaviour: counts per step that a real run produced, replayed instead of a law.

A recording is a YAML or JSON file::

    schema: andesim.behaviour/1
    kind: accepted_tokens          # or retained_tokens, loaded_tokens
    source: where and how it was recorded
    counts: [3, 0, 5, 1]           # one entry per decode step

``accepted_tokens`` are the drafted tokens the target accepted in each step, without the token the
target adds itself. ``retained_tokens`` are the tokens in the KV cache after prefill (first entry)
and after each generated token. ``loaded_tokens`` are the tokens read in each step, with what is
read to choose them; nothing replays them, they check the law of Quest.

Recordings of a real model ship under `FOLDER` and go by their names, ``accepted-ngram-ui-greedy``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from workloads.errors import WorkloadError, did_you_mean
from workloads.explain import sentences
from workloads.files import read_mapping
from workloads.session import MAX_TOKENS, Strict

FOLDER = Path(__file__).parent / "traces" / "behaviour"

SUFFIXES = (".yaml", ".yml", ".json")

Kind = Literal["accepted_tokens", "retained_tokens", "loaded_tokens"]


class Recording(Strict):
    """Counts per step with where they come from.

    Attributes
    ----------
    source
        What was run, on what, by whom.
    counts
        Tokens per step.
    """

    schema_: Annotated[Literal["andesim.behaviour/1"], Field(alias="schema")]
    kind: Kind
    source: Annotated[str, Field(min_length=1)]
    counts: Annotated[tuple[Annotated[int, Field(ge=0, le=MAX_TOKENS)], ...], Field(min_length=1)]


def read_recording(path: str | os.PathLike[str], kind: Kind) -> Recording:
    """Return the recording of a shipped name or in a file.

    Raises `WorkloadError` where there is none, it is at fault, or not of the given kind.
    """
    try:
        recording = Recording.model_validate(read_mapping(_file_of(os.fspath(path))))
    except ValidationError as error:
        faults = sentences(error, Recording)
        raise WorkloadError("\n".join([f"{path} must be a recording.", *faults])) from None
    if recording.kind != kind:
        raise WorkloadError(f"{path} must record {kind}. Got {recording.kind}.")
    return recording


def _file_of(name: str) -> Path:
    """Return the file of a shipped recording's name, or the path itself where it looks like one."""
    path = Path(name)
    if path.suffix in SUFFIXES or path.name != name or os.path.exists(path):
        return path
    shipped = {file.stem: file for file in sorted(FOLDER.glob("*.yaml"))}
    if name not in shipped:
        raise WorkloadError(
            f"A recording must be a file or a shipped recording. Got {name!r}. "
            f"{did_you_mean(name, shipped)}"
        )
    return shipped[name]
