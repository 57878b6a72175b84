"""Which turn runs next: arrivals, priorities, a bounded queue, preemption between steps.

One scheduler serves both engines: it decides which turn runs, they know how long steps take. Of the
waiting turns the one with the smallest priority number runs; among equals, the first to arrive.
Turns of one client never overtake each other. Every turn that was asked ends as exactly one
`Outcome`.

Not modelled: the cost of going over to a graph of another cache size when a turn of another client
runs in between.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np

from sim.engine.memory import Memory
from sim.engine.open_graph import OpenGraph
from sim.engine.progress import Progress
from workloads.program import OnProgress, untold
from workloads.session import Session

Outcome = Literal[
    "done",  # replied in full
    "rejected",  # refused, because the queue was full
    "dropped",  # left the queue for one that came later
    "unserved",  # still waiting when the session ended
    "killed",  # in progress or waiting when memory ran out
    "not_asked",  # would have arrived after the session's end
]


class Engine(Protocol):
    """What runs steps: `MaxPlusEngine` or `EventEngine`."""

    @property
    def now_s(self) -> float:
        """The clock [s]."""

    def idle(self, until_s: float) -> None:
        """Let time pass with nothing to run [s]."""

    def run(self, progress: Progress, until_s: float, beside: Progress | None = None) -> None:
        """Run steps of a group, and of one beside it, until done or those at ``until_s`` end."""


@dataclass(frozen=True, slots=True)
class TurnTimes:
    """What became of one turn; times in seconds, ``None`` where it never got there.

    Attributes
    ----------
    index
        Its place in the session's list of turns.
    """

    index: int
    client: str
    priority: int
    outcome: Outcome
    arrived_s: float | None
    start_s: float | None
    first_token_s: float | None
    end_s: float | None


@dataclass(slots=True)
class TurnRun:
    """One turn on its way through the queue and the engine; times in seconds."""

    index: int
    client: str
    priority: int
    groups: list[Progress]
    arrived_s: float = np.inf
    start_s: float | None = None
    first_token_s: float | None = None
    end_s: float | None = None
    outcome: Outcome = "not_asked"

    @property
    def current(self) -> Progress | None:
        """The first group that is not done."""
        return next((group for group in self.groups if not group.is_done), None)

    @property
    def beside(self) -> Progress | None:
        """The group that may run beside the first that is not done."""
        left = (group for group in self.groups if not group.is_done)
        first = next(left, None)
        if first is None or first.group.phase != "vision":
            return None
        second = next(left, None)
        return second if second and second.group.images_needed is not None else None

    def times(self) -> TurnTimes:
        """Return what became of the turn."""
        return TurnTimes(
            index=self.index,
            client=self.client,
            priority=self.priority,
            outcome=self.outcome,
            arrived_s=None if self.outcome == "not_asked" else self.arrived_s,
            start_s=self.start_s,
            first_token_s=self.first_token_s,
            end_s=self.end_s,
        )


Waiting = tuple[int, float, int, TurnRun]
"""Priority, arrival [s] and index, in the order of which turns are served, and the turn."""


@dataclass(slots=True)
class Scheduler:
    """Serves the turns of a session on an engine.

    Parameters
    ----------
    memory
        Admits the activations of each group; a refusal ends the run.
    on_progress
        Told after each turn how many were served, and how many there are.
    graph
        Which of two graphs is open; ``None`` where none ever changes.
    """

    session: Session
    turns: Sequence[TurnRun]
    engine: Engine
    memory: Memory
    on_progress: OnProgress = untold
    graph: OpenGraph | None = None
    _future: dict[str, deque[TurnRun]] = field(default_factory=dict)
    _waiting: list[Waiting] = field(default_factory=list)
    """A heap: however many wait, the next one is found at once."""

    def run(self) -> None:
        """Serve all turns; each turn then holds what became of it."""
        for asked in self.turns:
            self._future.setdefault(asked.client, deque()).append(asked)
        for lane in self._future.values():
            self._expect(lane, 0.0, 0.0)
        served = 0
        while (turn := self._next()) is not None:
            if not self._serve(turn):
                self._kill()
                return
            served += turn.outcome == "done"
            self.on_progress(served, len(self.turns), "turns")
        for *_, waiting in self._waiting:
            waiting.outcome = "unserved"

    def _expect(self, lane: deque[TurnRun], previous_s: float, replied_s: float) -> None:
        """Set when the next turn of a client arrives, given when it last asked and got a reply."""
        if lane:
            asked = self.session.turns[lane[0].index]
            if asked.think_s is None:
                lane[0].arrived_s = max(previous_s, asked.at_s)
            else:
                lane[0].arrived_s = replied_s + asked.think_s

    def _next(self) -> TurnRun | None:
        """Return the turn to serve, idling until one arrives; ``None`` when the session is over."""
        self._admit(busy=False)
        while not self._waiting:
            at_s = min((lane[0].arrived_s for lane in self._future.values() if lane), default=None)
            if at_s is None or at_s >= self._until_s:
                return None
            if at_s > self.engine.now_s:
                self.engine.idle(at_s)
            self._admit(busy=False)
        if self.engine.now_s < self._until_s:
            return heapq.heappop(self._waiting)[-1]
        begun = [item for item in self._waiting if item[-1].start_s is not None]
        return self._taken(min(begun)) if begun else None

    def _wait(self, turn: TurnRun) -> None:
        heapq.heappush(self._waiting, (turn.priority, turn.arrived_s, turn.index, turn))

    def _taken(self, item: Waiting) -> TurnRun:
        """Return a waiting turn that waits no longer, wherever it stood."""
        self._waiting.remove(item)
        heapq.heapify(self._waiting)
        return item[-1]

    @property
    def _until_s(self) -> float:
        return self.session.until_s or np.inf

    def _admit(self, busy: bool) -> None:
        """Take in every turn that has arrived by now, in order of arrival."""
        while True:
            due = [
                lane
                for lane in self._future.values()
                if lane and lane[0].arrived_s <= self.engine.now_s
                if lane[0].arrived_s < self._until_s
            ]
            if not due:
                return
            lane = min(due, key=lambda lane: (lane[0].arrived_s, lane[0].index))
            turn = lane.popleft()
            self._queue(turn, busy)
            if lane and (not self._waits_for_reply(lane[0]) or turn.outcome == "rejected"):
                self._expect(lane, turn.arrived_s, turn.arrived_s)

    def _waits_for_reply(self, turn: TurnRun) -> bool:
        """Return whether a turn is asked some time after the reply to the one before."""
        return self.session.turns[turn.index].think_s is not None

    def _queue(self, turn: TurnRun, busy: bool) -> None:
        limit = self.session.queue.limit
        if limit is not None and len(self._waiting) >= limit + (not busy):
            queued = [item for item in self._waiting if item[-1].start_s is None]
            if len(queued) >= limit + (not busy):
                if self.session.queue.when_full == "reject" or not queued:
                    turn.outcome = "rejected"
                    return
                oldest = self._taken(max(queued, key=lambda item: (item[0], -item[1], -item[2])))
                oldest.outcome = "dropped"
                self._replied(oldest, turn.arrived_s)
        self._wait(turn)

    def _replied(self, turn: TurnRun, at_s: float) -> None:
        lane = self._future[turn.client]
        if lane and self._waits_for_reply(lane[0]):
            self._expect(lane, turn.arrived_s, at_s)

    def _serve(self, turn: TurnRun) -> bool:
        """Run a turn until it is done or overtaken; return ``False`` if memory ran out."""
        engine = self.engine
        if turn.start_s is None:
            turn.start_s = engine.now_s
        while (progress := self._current(turn)) is not None:
            beside = turn.beside
            running = [group for group in (progress, beside) if group is not None]
            if not all(group.is_held or self._allocate(group) for group in running):
                turn.outcome = "killed"
                return False
            engine.run(progress, self._horizon_s(turn), beside)
            for group in running:
                if group.is_done:
                    self.memory.end(group.group, float(group.ends_s[-1]))
                    if group.group.phase == "prefill":
                        turn.first_token_s = float(group.ends_s[-1])
            if turn.current is None:
                break
            self._admit(busy=True)
            if self._is_overtaken(turn):
                self._wait(turn)
                return True
        self._admit(busy=True)
        turn.end_s, turn.outcome = engine.now_s, "done"
        self._replied(turn, engine.now_s)
        return True

    def _current(self, turn: TurnRun) -> Progress | None:
        """Return what of a turn runs next, with a change of graphs where another one is open."""
        progress = turn.current
        if progress is None or self.graph is None:
            return progress
        return self.graph.open(turn.groups, progress)

    def _allocate(self, progress: Progress) -> bool:
        """Allocate what a group needs; return ``False`` if memory ran out."""
        progress.is_held = True
        return self.memory.start(progress.group, self.engine.now_s)

    def _horizon_s(self, turn: TurnRun) -> float:
        """Return when the next turn that may overtake this one arrives [s]."""
        if self.session.queue.preemption == "turn":
            return np.inf
        heads = (lane[0] for lane in self._future.values() if lane)
        first = min((t.arrived_s for t in heads if t.priority < turn.priority), default=np.inf)
        return first if first < self._until_s else np.inf

    def _is_overtaken(self, turn: TurnRun) -> bool:
        if self.session.queue.preemption == "turn" or self.engine.now_s >= self._until_s:
            return False
        return bool(self._waiting) and self._waiting[0][0] < turn.priority

    def _kill(self) -> None:
        for *_, turn in self._waiting:
            turn.outcome = "killed"
        for lane in self._future.values():
            for turn in lane:
                if turn.arrived_s <= self.engine.now_s:
                    turn.outcome = "killed"
