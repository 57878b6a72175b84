"""Turn, Client, Session: what users ask for, in images and tokens. No seconds but arrival times.

A session is a list of turns, or several clients (assistant, keyboard, photo tagging) that each ask
by an arrival process of their own. Before a run, clients are expanded to one list of turns.

Not modelled: the content of prompts and images; only their sizes count.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from pydantic_core import core_schema

MAX_TOKENS = 4_000_000
MAX_SIDE_PX = 100_000
MAX_TURNS = 100_000
MAX_SECONDS = 1e7
ASSISTANT = "assistant"

Tokens = Annotated[int, Field(ge=1, le=MAX_TOKENS)]
Side = Annotated[int, Field(ge=1, le=MAX_SIDE_PX)]
Seconds = Annotated[float, Field(ge=0.0, le=MAX_SECONDS)]
Rate = Annotated[float, Field(gt=0.0, le=1e4)]
Turns = Annotated[int, Field(ge=1, le=MAX_TURNS)]
SourceKind = Literal["datasheet", "standard", "measured", "fitted", "derived", "assumed"]
"""Where a number comes from; the same words as `hw_models.provenance.Kind`."""


def _strict(schema: Any) -> None:
    """Make the numbers and truth values of a schema strict, in place."""
    if isinstance(schema, list | tuple):
        for inner in schema:
            _strict(inner)
    elif isinstance(schema, dict):
        if schema.get("type") in ("int", "float", "bool"):
            schema["strict"] = True
        for inner in schema.values():
            _strict(inner)


class Strict(BaseModel):
    """Base of all scenario parts: frozen, unknown keys refused, no NaN or infinity.

    A number must be a number, not text that spells one or true; a whole number not 3.0; true or
    false not yes or 1.

    What says which kind a part is (``policy: okv``) is written even where defaults are left out,
    so that a part reads back as what it was.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)

    @classmethod
    def usual(cls) -> Self:
        """Return the part with all its defaults, which nobody has to check (a start is quicker)."""
        return cls.model_construct()

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Let pydantic read numbers and truth values strictly, and all else as it does."""
        schema = handler(source)
        _strict(schema)
        return schema

    @model_serializer(mode="wrap")
    def _with_its_kind(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found: dict[str, Any] = written(self)
        return _kind(type(self)) | found


@cache
def _kind(part: type[Strict]) -> dict[str, str]:
    """Return the fields of a part that can hold one word only, with that word."""
    words = {name: get_args(item.annotation) for name, item in part.model_fields.items()}
    return {
        name: found[0]
        for name, found in words.items()
        if len(found) == 1 and isinstance(found[0], str)
    }


class Turn(Strict):
    """One request and its reply.

    Attributes
    ----------
    images_px
        Width and height of each image [px]; of a video each frame that the model sees.
    prompt_tokens
        Text tokens of the prompt; image tokens are added by the preprocessor.
    output_tokens
        Tokens of the reply, the first included.
    adapter
        LoRA adapter the turn runs on, or none.
    at_s
        Arrival of the turn [s]; it starts when the turns before it are done.
    think_s
        Arrival this long after its client's previous reply, instead of ``at_s`` [s].
    fresh
        The turn starts a new conversation: nothing of earlier turns is in its context.
    client
        Whose turn it is.
    """

    images_px: tuple[tuple[Side, Side], ...] = ()
    prompt_tokens: Annotated[int, Field(ge=0, le=MAX_TOKENS)] = 64
    output_tokens: Annotated[int, Field(ge=1, le=MAX_TOKENS)] = 128
    adapter: str | None = None
    at_s: Seconds = 0.0
    think_s: Seconds | None = None
    fresh: bool = False
    client: str = ASSISTANT


class Poisson(Strict):
    """Independent users: exponential gaps of mean ``1 / per_s``.

    Attributes
    ----------
    per_s
        Turns per second in the mean.
    """

    process: Literal["poisson"]
    per_s: Rate


class Bursts(Strict):
    """Groups of turns: bursts arrive as a Poisson process.

    Attributes
    ----------
    per_s
        Bursts per second in the mean.
    size
        Turns of a burst.
    spacing_s
        Time between the turns of a burst [s].
    """

    process: Literal["bursts"]
    per_s: Rate
    size: Turns
    spacing_s: Seconds = 0.0


class Recorded(Strict):
    """The instants of a recorded trace.

    Attributes
    ----------
    times_s
        Arrivals, ascending [s].
    """

    process: Literal["recorded"]
    times_s: Annotated[tuple[Seconds, ...], Field(min_length=1, max_length=MAX_TURNS)]


class Closed(Strict):
    """One user who reads and thinks before asking again.

    Attributes
    ----------
    think_s
        Time between a reply and the next question [s].
    count
        Number of questions.
    """

    process: Literal["closed"]
    think_s: Seconds
    count: Turns


Arrivals = Annotated[Poisson | Bursts | Recorded | Closed, Field(discriminator="process")]


class Client(Strict):
    """One source of turns.

    Attributes
    ----------
    turns
        What it asks. With ``arrivals`` the list is repeated as long as they last; without, each
        turn is asked once.
    priority
        Smaller numbers are served first.
    arrivals
        When it asks; ``None``: at each turn's ``at_s``.
    length_spread
        Standard deviation of the logarithm of prompt and output tokens about the turns' own.
    """

    turns: Annotated[tuple[Turn, ...], Field(min_length=1)]
    priority: Annotated[int, Field(ge=0, le=100)] = 1
    arrivals: Arrivals | None = None
    length_spread: Annotated[float, Field(ge=0.0, le=3.0)] = 0.0


class Queue(Strict):
    """How waiting turns are served.

    Attributes
    ----------
    limit
        Turns that may wait; ``None``: any number.
    when_full
        Refuse the turn that arrives, or drop the one of lowest priority that waits longest.
    preemption
        A turn of higher priority runs after the ``step`` (a chunk of prefill, a decode step) in
        progress, or after the whole ``turn``.
    """

    limit: Annotated[int, Field(ge=0, le=MAX_TURNS)] | None = None
    when_full: Literal["reject", "drop_oldest"] = "reject"
    preemption: Literal["step", "turn"] = "step"


class Session(Strict):
    """Turns, or clients that ask turns; the turns of a client share one KV cache.

    Attributes
    ----------
    until_s
        No turn starts after this instant; clients with open arrivals need it [s].
    """

    turns: Annotated[tuple[Turn, ...], Field(max_length=MAX_TURNS)] = ()
    clients: Mapping[str, Client] = {}
    queue: Queue = Queue.usual()
    until_s: Annotated[float, Field(gt=0.0, le=MAX_SECONDS)] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Session:
        if bool(self.turns) == bool(self.clients):
            raise ValueError("either turns or clients, at least one")
        endless = [
            name
            for name, client in self.clients.items()
            if isinstance(client.arrivals, Poisson | Bursts)
        ]
        if endless and self.until_s is None:
            raise ValueError(f"an until_s, because {', '.join(endless)} never stops asking")
        return self

    def priority(self, client: str) -> int:
        """Return the priority of a client; 1 where no clients are named."""
        return self.clients[client].priority if client in self.clients else 1
