"""All kinds of image rules by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from types import MappingProxyType
from typing import Any

from workloads.errors import WorkloadError, did_you_mean
from workloads.image_grids import (
    Closest,
    Covering,
    Gridded,
    Latent,
    Least,
    Page,
    Shrunk,
    Trimmed,
)
from workloads.image_rules import (
    Bounded,
    Fixed,
    Native,
    Pooled,
    Rowed,
    Rule,
)
from workloads.image_tiles import AnyRes, Canvas, Padded, Slices, Split, Tiles

KINDS: Mapping[str, type[Rule]] = MappingProxyType(
    {
        kind.KIND: kind
        for kind in (
            *(AnyRes, Bounded, Canvas, Closest, Covering, Fixed, Gridded, Latent, Least, Native),
            *(Padded, Page, Pooled, Rowed, Shrunk, Slices, Split, Tiles, Trimmed),
        )
    }
)


def read_rule(given: Mapping[str, Any]) -> Rule:
    """Return the rule that `Rule.facts` wrote; raises `WorkloadError` for anything else."""
    kind = str(given.get("kind"))
    if kind not in KINDS:
        raise WorkloadError(
            f"kind must be a known image rule. Got {kind!r}. {did_you_mean(kind, KINDS)}"
        )
    needed = {item.name: item.default is MISSING for item in fields(KINDS[kind])}
    values = {key: value for key, value in given.items() if key != "kind"}
    faults = [f"{key} is not known" for key in values if key not in needed]
    faults += [f"{key} is missing" for key, must in needed.items() if must and key not in values]
    if faults:
        raise WorkloadError(f"an image rule must have the numbers of {kind}: {', '.join(faults)}.")
    if isinstance(values.get("pinpoints"), list):
        values["pinpoints"] = tuple(tuple(point) for point in values["pinpoints"])
    try:
        return KINDS[kind](**values)
    except TypeError:
        raise WorkloadError(f"the numbers of image rule {kind} must be numbers.") from None
