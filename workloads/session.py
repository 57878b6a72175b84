"""Turn, Session: what the user asks for, in images and tokens. No seconds but arrival times.

Not modelled: the content of prompts and images; only their sizes count.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

MAX_TOKENS = 4_000_000
MAX_SIDE_PX = 100_000

Side = Annotated[int, Field(ge=1, le=MAX_SIDE_PX)]


class Strict(BaseModel):
    """Base of all scenario parts: frozen, unknown keys refused, no NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Turn(Strict):
    """One request and its reply.

    Attributes
    ----------
    images_px
        Width and height of each image [px].
    prompt_tokens
        Text tokens of the prompt; image tokens are added by the preprocessor.
    output_tokens
        Tokens of the reply, the first included.
    adapter
        LoRA adapter the turn runs on, or none.
    at_s
        Arrival of the turn [s]; it starts when the turns before it are done.
    """

    images_px: tuple[tuple[Side, Side], ...] = ()
    prompt_tokens: Annotated[int, Field(ge=0, le=MAX_TOKENS)] = 64
    output_tokens: Annotated[int, Field(ge=1, le=MAX_TOKENS)] = 128
    adapter: str | None = None
    at_s: Annotated[float, Field(ge=0.0)] = 0.0


class Session(Strict):
    """Turns that share one KV cache: each continues the conversation of the one before."""

    turns: Annotated[tuple[Turn, ...], Field(min_length=1)]
