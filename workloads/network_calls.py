"""What a `network` scenario asks in place of a session: so many calls of one graph."""

from __future__ import annotations

from functools import cache
from typing import Annotated

from pydantic import Field, ValidationError

from workloads.session import Session, Strict, Turn

MAX_CALLS = 100_000


class Network(Strict):
    """A graph that is called, in place of a session: an encoder, a convolutional network.

    Attributes
    ----------
    calls
        Inferences, one after another.
    """

    calls: Annotated[int, Field(ge=1, le=MAX_CALLS)] = 1


@cache
def network_session() -> Session:
    """Return what stands as the session of a `network` scenario: one turn without a token."""
    return Session(turns=(Turn(prompt_tokens=0, output_tokens=1),))


def is_of_a_network(session: object) -> bool:
    """Return whether a session is the empty turn that stands for a network's calls."""
    try:
        return Session.model_validate(session) == network_session()
    except ValidationError:
        return False
