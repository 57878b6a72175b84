"""Where and when a scenario runs: air, other apps, memory budget, start, battery."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, ByteSize, Field
from pydantic_core import PydanticCustomError

from workloads.background import BackgroundId
from workloads.session import Strict

_BYTES = re.compile(r"(0|[1-9]\d*)(\.\d+)? *[A-Za-z]+")


def _with_unit(given: object) -> object:
    if isinstance(given, str) and not _BYTES.fullmatch(given.strip()):
        raise PydanticCustomError("byte_size", "a number of bytes")
    return int(given) if isinstance(given, float) and given.is_integer() else given


AppBytes = Annotated[ByteSize, BeforeValidator(_with_unit), Field(gt=0)]
"""Bytes as a number, or as text in plain decimal with a unit: 10 GB, 4 GiB."""


class BackgroundAt(Strict):
    """A background profile and the instant from which it runs.

    Attributes
    ----------
    at_s
        From when on [s]; until the next one begins.
    profile
        What the phone does besides.
    """

    at_s: Annotated[float, Field(ge=0.0)] = 0.0
    profile: BackgroundId


class Environment(Strict):
    """Where and when it runs.

    Attributes
    ----------
    ambient_c
        Temperature of the air [°C].
    background
        What the phone does besides; one profile, or a list of instants and profiles.
    app_budget_bytes
        DRAM the app may use; ``None``: the device's share less what the background holds [B].
    over_budget
        Over budget, the low-memory killer ends the run (``stop``), or weights are mapped from flash
        and read anew in every pass (``spill``), or the pages that lack are (``reclaim``), until
        more lacks than swap can take.
    start
        ``cold`` reads the model from flash before the first turn; the clock starts afterwards.
    clock_fraction
        Fraction of the full clock that a power mode leaves units and host, as a percentage of boost
        or a battery saver does.
    charging_heat_w
        Heat of charging in battery and regulators [W].
    battery_wh
        Energy of a full battery [Wh]; 5000 mAh at 3.85 V unless given (assumed).
    """

    ambient_c: Annotated[float, Field(ge=-40.0, le=60.0)] = 25.0
    background: BackgroundId | Annotated[tuple[BackgroundAt, ...], Field(min_length=1)] = "idle"
    app_budget_bytes: AppBytes | None = None
    over_budget: Literal["stop", "spill", "reclaim"] = "stop"
    start: Literal["warm", "cold"] = "warm"
    clock_fraction: Annotated[float, Field(ge=0.05, le=1.0)] = 1.0
    charging_heat_w: Annotated[float, Field(ge=0.0, le=20.0)] = 0.0
    battery_wh: Annotated[float, Field(gt=0.0, le=1000.0)] = 19.25

    @property
    def schedule(self) -> tuple[BackgroundAt, ...]:
        """The background profiles in order of the instants at which they begin."""
        if isinstance(self.background, str):
            return (BackgroundAt(profile=self.background),)
        return tuple(sorted(self.background, key=lambda item: item.at_s))
