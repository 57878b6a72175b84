"""What a session was like: waits and replies per client, sustained rates, battery, the verdict.

Times of a turn count from its arrival, waiting included. The counts of outcomes add up to the turns
that were asked.

Not modelled: users who change what they ask because they wait.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sim.engine.scheduler import TurnTimes
from sim.engine.times import GroupTimes, span_s
from sim.facts import first_tokens_s
from sim.heat.course import MINUTE_S, TENTH_MINUTE_S
from sim.run import Run
from sim.wording import shown

JOULES_PER_WH = 3600.0
PERCENTS = (50, 95)
LISTS = ("clients", "turns")
MOST_TURNS = 10
"""Turns that are told one by one; of more, percentiles are."""
OVERLOAD = 0.05
"""A queue that turns away more than this share is called overloaded."""


@dataclass(frozen=True, slots=True)
class ClientSummary:
    """The turns of one client.

    Attributes
    ----------
    outcomes
        Turns by outcome; they add up to ``asked``.
    wait_s, first_token_s, reply_s
        From arrival to the first step, the first token, the end, as percentiles ``p50`` and ``p95``
        over the turns that were done [s].
    energy_per_reply_j
        Dynamic energy of a turn that was done, mean [J].
    """

    client: str
    asked: int
    outcomes: dict[str, int]
    wait_s: dict[str, float]
    first_token_s: dict[str, float]
    reply_s: dict[str, float]
    energy_per_reply_j: float | None


@dataclass(frozen=True, slots=True)
class TurnSummary:
    """One turn.

    Attributes
    ----------
    turn
        Its place in the session, the first being 1.
    wait_s
        From arrival to the first step [s].
    first_token_s
        From the first step to the first token, other turns' steps between them included [s].
    tokens_per_s
        Rate of its decode steps; ``None`` for a reply of one token.
    """

    turn: int
    client: str
    outcome: str
    images: int
    wait_s: float | None
    first_token_s: float | None
    tokens_per_s: float | None


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """A session as a whole.

    Attributes
    ----------
    turns
        Each turn of a session of 2 to `MOST_TURNS`; none of others.
    busy_share
        Share of the makespan in which steps ran.
    throttled_share
        Share of the steps' time that was below the full clock.
    first_minute_tokens_per_s, tenth_minute_tokens_per_s
        Decode rate of the steps that ended in that minute.
    battery_share
        Energy over that of a full battery.
    """

    verdict: str
    clients: tuple[ClientSummary, ...]
    turns: tuple[TurnSummary, ...]
    busy_share: float
    throttled_share: float
    first_minute_tokens_per_s: float | None
    tenth_minute_tokens_per_s: float | None
    battery_share: float
    steps: int
    replayed_steps: int

    def as_dict(self) -> dict[str, Any]:
        """Return the summary as plain data."""
        lists = {name: [asdict(item) for item in getattr(self, name)] for name in LISTS}
        return {**asdict(self), **lists}


def summarise_session(run: Run) -> SessionSummary:
    """Return what a session was like."""
    of_client: dict[str, list[TurnTimes]] = {}
    for turn in run.turns:
        of_client.setdefault(turn.client, []).append(turn)
    energies_j = turn_energies_j(run)
    full_j = run.scenario.environment.battery_wh * JOULES_PER_WH
    return SessionSummary(
        verdict=outcome_sentence(run),
        clients=tuple(
            _client(name, turns, energies_j) for name, turns in sorted(of_client.items())
        ),
        turns=_turns(run) if 1 < len(run.turns) <= MOST_TURNS else (),
        busy_share=run.busy_s / run.makespan_s if run.makespan_s else 0.0,
        throttled_share=_throttled_s(run.groups) / (span_s(run.groups) or 1.0),
        first_minute_tokens_per_s=decode_rate(run.groups, 0.0, MINUTE_S),
        tenth_minute_tokens_per_s=decode_rate(run.groups, *TENTH_MINUTE_S),
        battery_share=run.energy.total_j / full_j,
        steps=run.steps,
        replayed_steps=run.replayed_steps,
    )


def slowest_first_token(run: Run, limit_s: float = math.inf) -> str:
    """Return of how many turns a first token is the mean, and the slowest; empty for one turn.

    A slowest turn beyond a limit is said to miss it.
    """
    taken_s = [float(found[-1]) for found in first_tokens_s(run.groups).values()]
    if len(taken_s) < 2:
        return ""
    slowest = shown("time_to_first_token_s", max(taken_s)).text
    misses = ", which misses it" if max(taken_s) > limit_s else ""
    return f"mean of {len(taken_s)} turns; the slowest takes {slowest}{misses}"


def outcome_sentence(run: Run) -> str:
    """Return one sentence on how the session went."""
    asked = [turn for turn in run.turns if turn.outcome != "not_asked"]
    counts = Counter(turn.outcome for turn in asked)
    lost = {name: count for name, count in counts.items() if name != "done"}
    if not lost:
        return (
            "The turn was answered."
            if len(asked) == 1
            else f"All {len(asked)} turns were answered."
        )
    told = ", ".join(f"{count} {name}" for name, count in lost.items())
    turned_away = counts["rejected"] + counts["dropped"]
    if counts["killed"]:
        reason = "Memory ran out"
    elif turned_away > OVERLOAD * len(asked):
        load = _offered_load(run, asked)
        asks = "all at once" if np.isinf(load) else f"for {load:.1f} times the capacity"
        reason = f"Overloaded: turns ask {asks}"
    else:
        reason = "Not every turn was answered"
    return f"{reason}. Of {len(asked)} turns {counts['done']} were done, {told}."


def decode_rate(groups: Iterable[GroupTimes], start_s: float, end_s: float) -> float | None:
    """Return tokens per second of the decode steps that ended between two instants [s]."""
    tokens = seconds = 0.0
    for times in groups:
        if times.group.phase == "decode" and times.start_s < end_s and times.end_s >= start_s:
            inside = (times.ends_s >= start_s) & (times.ends_s < end_s)
            tokens += float(times.group.committed_tokens[inside].sum())
            seconds += float((times.ends_s - times.starts_s)[inside].sum())
    return tokens / seconds if seconds else None


def turn_energies_j(run: Run) -> dict[int, float]:
    """Return the dynamic energy of each turn that ran [J]."""
    found: dict[int, float] = {}
    for times, (dram_j, compute_j) in zip(run.groups, run.dynamic_j, strict=True):
        joules = float((dram_j + compute_j).sum())
        found[times.group.turn] = found.get(times.group.turn, 0.0) + joules
    return found


def _turns(run: Run) -> tuple[TurnSummary, ...]:
    """Return what became of each turn, in the order in which they are asked."""
    firsts = first_tokens_s(run.groups)
    return tuple(
        TurnSummary(
            turn=turn.index + 1,
            client=turn.client,
            outcome=turn.outcome,
            images=len(run.session.turns[turn.index].images_px),
            wait_s=None
            if turn.start_s is None or turn.arrived_s is None
            else turn.start_s - turn.arrived_s,
            first_token_s=float(firsts[turn.index][-1]) if turn.index in firsts else None,
            tokens_per_s=decode_rate(
                (times for times in run.groups if times.group.turn == turn.index), 0.0, np.inf
            ),
        )
        for turn in sorted(run.turns, key=lambda turn: turn.index)
    )


def _client(
    name: str, every: Sequence[TurnTimes], energies_j: Mapping[int, float]
) -> ClientSummary:
    """Return what became of the turns of one client, given the energy of each turn [J]."""
    turns = [turn for turn in every if turn.outcome != "not_asked"]
    done = [turn for turn in turns if turn.outcome == "done"]
    return ClientSummary(
        client=name,
        asked=len(turns),
        outcomes=dict(Counter(turn.outcome for turn in turns)),
        wait_s=_percentiles(done, "start_s"),
        first_token_s=_percentiles(done, "first_token_s"),
        reply_s=_percentiles(done, "end_s"),
        energy_per_reply_j=float(np.mean([energies_j[turn.index] for turn in done]))
        if done
        else None,
    )


def _percentiles(turns: Sequence[TurnTimes], until: str) -> dict[str, float]:
    reached = [turn for turn in turns if getattr(turn, until) is not None]
    if not reached:  # a network has no first token
        return {}
    seconds = np.sort([getattr(turn, until) - turn.arrived_s for turn in reached])
    places = np.divide(PERCENTS, 100.0) * (len(seconds) - 1)
    found = np.interp(places, np.arange(len(seconds)), seconds)
    return {f"p{percent}": float(value) for percent, value in zip(PERCENTS, found, strict=True)}


def _offered_load(run: Run, asked: Sequence[TurnTimes]) -> float:
    """Return how many times its capacity the session asks for: service time over arrival time.

    Turns that were not served count as long as the mean of those that were. Infinite where all ask
    at one instant.
    """
    done = sum(turn.outcome == "done" for turn in asked)
    arrivals_s = [turn.arrived_s for turn in asked if turn.arrived_s is not None]
    window_s = run.session.until_s or max(arrivals_s)
    return run.busy_s / max(done, 1) * len(asked) / window_s if window_s else np.inf


def _throttled_s(groups: Iterable[GroupTimes]) -> float:
    return sum(
        float((times.ends_s - times.starts_s)[span.first : span.first + span.count].sum())
        for times in groups
        for span in times.spans
        if span.conditions.clock < 1.0
    )
