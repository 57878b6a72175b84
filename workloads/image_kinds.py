"""All kinds of image rules by name, and what an image becomes for a model and its deployment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from types import MappingProxyType
from typing import Any

from workloads.errors import WorkloadError, did_you_mean
from workloads.image_grids import Closest, Covering, Latent, Least, Page, Shrunk
from workloads.image_rules import (
    Bounded,
    EncodedImage,
    Fixed,
    Native,
    Pooled,
    Rowed,
    Rule,
    check_image,
)
from workloads.image_tiles import AnyRes, Canvas, Padded, Slices, Split, Tiles
from workloads.images import CHAT_MAX_SIZE_PX, visual_tokens
from workloads.trace import Trace

PREPROCESSOR = "one_more_cell"
"""What AndesVL's published chat code does; a deployment may choose another."""

KINDS: Mapping[str, type[Rule]] = MappingProxyType(
    {
        kind.KIND: kind
        for kind in (
            *(AnyRes, Bounded, Canvas, Closest, Covering, Fixed, Latent, Least, Native),
            *(Padded, Page, Pooled, Rowed, Shrunk, Slices, Split, Tiles),
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


def encoded_image(
    trace: Trace,
    sides_px: tuple[int, int],
    preprocessor: str = PREPROCESSOR,
    max_size_px: int = CHAT_MAX_SIZE_PX,
) -> EncodedImage:
    """Return what an image of ``sides_px`` (width, height) becomes for a model that takes images.

    Arguments:
        preprocessor, max_size_px: of AndesVL (`workloads.images`); other models have one rule.

    Raises `WorkloadError` for sides that no image has, and for a model without a vision phase.
    """
    if trace.image_rule is not None:
        check_image(*sides_px)
        return trace.image_rule.encode(*sides_px)
    if trace.vision is None:
        raise WorkloadError(f"{trace.model} must take images. It is a text model.")
    grid = visual_tokens(
        *sides_px,
        cell_px=trace.vision.cell_px,
        preprocessor=preprocessor,
        max_size_px=max_size_px,
        merge=trace.vision.merge,
    )
    rows = grid.rows * trace.vision.merge
    return EncodedImage(grid.tokens, {"N": grid.patches, "rows": rows})
