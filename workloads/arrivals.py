"""Session -> Session: the clients of a session become one list of turns with arrival times.

Arrival times and lengths are drawn from random streams of their own, so that variants of a scenario
share them. Turns are listed in order of arrival; those of a closed loop, which arrive after a reply
whose time is not known yet, follow the turn before them of the same client.

Not modelled: users who give up while they wait, and rates that change over the day.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator

import numpy as np

from workloads.session import (
    MAX_TOKENS,
    Bursts,
    Client,
    Closed,
    Poisson,
    Recorded,
    Session,
    Turn,
)


def arrival_times(
    arrivals: Poisson | Bursts | Recorded, until_s: float, random: np.random.Generator
) -> Iterator[float]:
    """Yield the instants before ``until_s`` at which an open process asks, ascending [s].

    >>> every = Recorded(process="recorded", times_s=(1.0, 5.0, 9.0))
    >>> list(arrival_times(every, 6.0, np.random.default_rng(0)))
    [1.0, 5.0]
    """
    if isinstance(arrivals, Recorded):
        yield from itertools.takewhile(lambda at_s: at_s < until_s, sorted(arrivals.times_s))
    elif isinstance(arrivals, Poisson):
        yield from _poisson(arrivals.per_s, until_s, random)
    else:
        times_s = sorted(
            at_s + index * arrivals.spacing_s
            for at_s in _poisson(arrivals.per_s, until_s, random)
            for index in range(arrivals.size)
        )
        yield from (at_s for at_s in times_s if at_s < until_s)


def _poisson(per_s: float, until_s: float, random: np.random.Generator) -> Iterator[float]:
    at_s = random.exponential(1.0 / per_s)
    while at_s < until_s:
        yield at_s
        at_s += random.exponential(1.0 / per_s)


def expanded(
    session: Session, arrivals: np.random.Generator, lengths: np.random.Generator
) -> Session:
    """Return the session with every turn of every client listed; unchanged if it has no clients.

    Each client draws from a child of the two streams, so that adding one leaves the others as they
    were.
    """
    if not session.clients:
        return session
    lanes = [
        list(_turns_of(name, client, session.until_s or np.inf, *children))
        for (name, client), *children in zip(
            session.clients.items(),
            arrivals.spawn(len(session.clients)),
            lengths.spawn(len(session.clients)),
            strict=True,
        )
    ]
    merged = heapq.merge(*(_stamped(lane, place) for place, lane in enumerate(lanes)))
    listed = tuple(lanes[place][index] for _, place, index in merged)
    return session.model_copy(update={"turns": listed})


def _stamped(lane: list[Turn], place: int) -> Iterator[tuple[float, int, int]]:
    """Yield a sort key per turn that never falls within a lane."""
    latest_s = 0.0
    for index, turn in enumerate(lane):
        latest_s = max(latest_s, turn.at_s)
        yield latest_s, place, index


def _turns_of(
    name: str,
    client: Client,
    until_s: float,
    arrivals: np.random.Generator,
    lengths: np.random.Generator,
) -> Iterator[Turn]:
    asked = itertools.cycle(client.turns)
    process = client.arrivals
    if process is None:
        ready = sorted(client.turns, key=lambda turn: turn.at_s)
        yield from (_drawn(turn, name, client, lengths) for turn in ready)
    elif isinstance(process, Closed):
        for index, turn in zip(range(process.count), asked, strict=False):
            drawn = _drawn(turn, name, client, lengths)
            yield drawn.model_copy(update={"think_s": process.think_s}) if index else drawn
    else:
        for at_s, turn in zip(arrival_times(process, until_s, arrivals), asked, strict=False):
            yield _drawn(turn, name, client, lengths).model_copy(update={"at_s": at_s})


def _drawn(turn: Turn, name: str, client: Client, random: np.random.Generator) -> Turn:
    """Return a turn of a client, its lengths scattered where the client says so."""
    if not client.length_spread:
        return turn.model_copy(update={"client": name})
    factors = np.exp(client.length_spread * random.standard_normal(2))
    sizes = np.rint(factors * (turn.prompt_tokens, turn.output_tokens))
    prompt, output = np.clip(sizes, (0, 1), MAX_TOKENS).astype(int)
    if turn.prompt_tokens:
        prompt = max(1, prompt)
    return turn.model_copy(
        update={"client": name, "prompt_tokens": int(prompt), "output_tokens": int(output)}
    )
