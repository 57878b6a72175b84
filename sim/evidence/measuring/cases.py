"""Cases: one phase of a model at one size, as a user would ask for it.

The same case is run for real by `sim.evidence.measuring.protocol` and simulated by
`sim.validation.this_machine`. Not modelled: chunked prefill and several sequences at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from workloads.encoded_images import encoded_image
from workloads.trace import Trace

PREPROCESSOR: Final = "ceil"
MAX_IMAGE_PX: Final = 4172  # the preprocessor's own limit of a side: no case is scaled down

Size = Annotated[int, Field(ge=1, le=1_000_000)]
Sides = tuple[Size, Size]

QUICK_TOKENS: Final = (32, 128, 512)
QUICK_CONTEXTS: Final = (128, 1024)
QUICK_IMAGES: Final[Sequence[Sides]] = ((224, 224), (448, 448))
FULL_TOKENS: Final = (16, 64, 256, 768, 1024)
FULL_CONTEXTS: Final = (64, 256, 1024, 2048)
FULL_IMAGES: Final[Sequence[Sides]] = ((224, 224), (336, 448), (448, 672))


class Case(BaseModel):
    """One phase at one size.

    Attributes
    ----------
    tokens
        Prompt tokens of a prefill, or tokens in the cache after a decode step.
    image_px
        Width and height of the image a vision encode takes [px].
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    phase: Literal["vision", "prefill", "decode"]
    tokens: Size | None = None
    image_px: Sides | None = None

    @property
    def id(self) -> str:
        """Short name.

        >>> Case(phase="decode", tokens=1024).id
        'decode_1024'
        """
        if self.image_px is not None:
            return "{}_{}x{}".format(self.phase, *self.image_px)
        return f"{self.phase}_{self.tokens}"

    def sizes(self, trace: Trace) -> dict[str, int]:
        """Return the sizes of the trace's extents; ``rows`` of patches too for vision."""
        if self.image_px is not None and trace.vision is not None:
            image = encoded_image(trace, self.image_px, PREPROCESSOR, MAX_IMAGE_PX)
            return dict(image.sizes)
        tokens = self.tokens or 1
        return {"T": tokens if self.phase == "prefill" else 1, "S": tokens}


def cases_for(
    trace: Trace,
    *,
    quick: bool = False,
    prompt_tokens: Sequence[int] = (),
    context_tokens: Sequence[int] = (),
    images_px: Sequence[Sides] = (),
    phases: Sequence[str] = (),
) -> list[Case]:
    """Return the cases to measure: those asked for, else a fixed set.

    Parameters
    ----------
    quick
        The short set, for a few minutes on two cores.
    phases
        Only these phases; all the model has if empty.
    """
    tokens = prompt_tokens or (QUICK_TOKENS if quick else FULL_TOKENS)
    contexts = context_tokens or (QUICK_CONTEXTS if quick else FULL_CONTEXTS)
    images = images_px or (QUICK_IMAGES if quick else FULL_IMAGES)
    found = [Case(phase="prefill", tokens=count) for count in tokens]
    found += [Case(phase="decode", tokens=count) for count in contexts]
    if trace.vision is not None:
        found = [Case(phase="vision", image_px=sides) for sides in images] + found
    return [case for case in found if not phases or case.phase in phases]
