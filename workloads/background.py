"""What other apps ask of the phone while the model runs: traffic, host time, power, memory.

Profiles are data (``background/*.yaml``): every number has a kind, a source and a range. They state
the demand of typical foreground use at the display's pace, averaged over frames. ``idle`` asks for
nothing: what a phone does at rest is part of every calibrated stack.

Not modelled: single frames, the codec's bursts within a frame, and networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from workloads.errors import WorkloadError
from workloads.explain import sentences
from workloads.files import read_yaml
from workloads.session import SourceKind, Strict

FOLDER = Path(__file__).parent / "profiles"

BackgroundId = Literal["idle", "scrolling", "video_call", "game"]


class Sourced(Strict):
    """A number with its kind, source and range; the unit is in the field's name."""

    value: Annotated[float, Field(ge=0.0)]
    kind: SourceKind
    source: str
    low: Annotated[float, Field(ge=0.0)]
    high: Annotated[float, Field(ge=0.0)]
    note: str = ""

    @model_validator(mode="after")
    def _within_range(self) -> Sourced:
        if not self.low <= self.value <= self.high:
            raise ValueError("a value between low and high")
        return self


class ActiveTimes(Strict):
    """Active and resting times, drawn from exponential distributions of these means [s]."""

    active_s: Sourced
    rest_s: Sourced


class Background(Strict):
    """The demand of one foreground use.

    Attributes
    ----------
    display_bytes_per_s, gpu_bytes_per_s, cpu_bytes_per_s
        DRAM traffic with hard deadlines (scan-out, camera), of the GPU, and of the CPU [B/s].
    host_share
        Fraction of its time in which the model's host thread waits for a CPU core.
    power_w
        Power of the other apps' computation; that of display and resting parts is counted
        elsewhere [W].
    memory_bytes
        DRAM they hold that the model's app could use otherwise [B].
    bursts
        When they are active; ``None``: all the time.
    """

    id: BackgroundId
    title: str
    display_bytes_per_s: Sourced
    gpu_bytes_per_s: Sourced
    cpu_bytes_per_s: Sourced
    host_share: Sourced
    power_w: Sourced
    memory_bytes: Sourced
    bursts: ActiveTimes | None = None


@cache
def get_background(background_id: str) -> Background | None:
    """Return the profile of a background; ``None`` for ``idle``.

    Raises `WorkloadError` where its file is missing or at fault.

    >>> get_background("video_call").title
    'Video call at 1080p and 30 frames/s'
    """
    if background_id == "idle":
        return None
    path = FOLDER / f"{background_id}.yaml"
    mapping = read_yaml(path)
    if not isinstance(mapping, Mapping):
        raise WorkloadError(f"{path} must be a mapping of keys. Got {type(mapping).__name__}.")
    try:
        return Background.model_validate(mapping)
    except ValidationError as error:
        faults = "\n  ".join(sentences(error, Background))
        raise WorkloadError(f"{path}:\n  {faults}") from None
