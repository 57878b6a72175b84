"""What an image becomes for a model and its deployment."""

from __future__ import annotations

from workloads.errors import WorkloadError
from workloads.image_rules import EncodedImage, check_image
from workloads.images import CHAT_MAX_SIZE_PX, visual_tokens
from workloads.trace import Trace

PREPROCESSOR = "one_more_cell"
"""What AndesVL's published chat code does; a deployment may choose another."""


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
