"""Engine `auto`: max-plus between changes of conditions, the event engine for steps across one.

Steps that begin and end under the same conditions are taken together, as a cumulative sum. A step
in which other apps change is replayed alone by SimPy, from its start. A change of the clock alone
slows every part of a step by the same factor, as long as no transfer is held up by others; then
what is left of the step takes longer by that factor, and nothing needs replaying.

Prefill beside the encoding of later images is exact here while no other app uses the memory and
the two units cannot ask for more than it has. Otherwise `auto` replays both by SimPy, and max-plus
alone lets prefill wait for the last image, which is never faster than the truth.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sim.engine.conditions import Conditions
from sim.engine.progress import Progress, StepTimes
from sim.engine.timed import FloatColumn, TimedGroup
from sim.engine.times import Change
from sim.heat.phone import Phone, PowerLaw

AT_ONCE = 256
"""Steps looked ahead at first; a change of conditions usually comes before a long reply ends."""

ALIKE = 1e-12
"""Relative difference of two durations that counts as rounding."""


class MaxPlusEngine:
    """Runs as many steps at once as conditions allow.

    Parameters
    ----------
    replays
        Whether steps across a change are replayed; if not, a change takes effect at the next step.
    """

    def __init__(self, phone: Phone, times: StepTimes, replays: bool = True) -> None:
        self.phone = phone
        self.now_s = 0.0
        self._times, self._replays = times, replays

    def idle(self, until_s: float) -> None:
        """Let time pass with nothing to run [s]."""
        self.phone.run(None, self.now_s)
        while self.phone.next_change_s < until_s:
            self.phone.advance(self.phone.next_change_s)
        self.now_s = until_s

    def run(self, progress: Progress, until_s: float, beside: Progress | None = None) -> None:
        """Run steps of a group, and of one beside it, until done or those at ``until_s`` end."""
        if beside is None:
            self._run(progress, until_s, progress.law)
        elif self.phone.is_alone and not self._may_collide(progress.timed, beside.timed):
            self._run_beside(progress, beside, until_s)
        elif self._replays:
            from sim.engine.replay import EventEngine  # SimPy is loaded only where needed

            events = EventEngine(self.phone, self.now_s)
            events.run(progress, until_s, beside)
            self.now_s = events.now_s
        else:
            self._run(progress, until_s, progress.law)

    def _may_collide(self, one: TimedGroup, other: TimedGroup) -> bool:
        """Return whether transfers of two groups at once may slow each other."""
        return self.phone.conditions.queueing > 0.0 or may_collide(one, other)

    def _run_beside(self, ahead: Progress, beside: Progress, until_s: float) -> None:
        """Run two groups whose transfers never disturb each other, one after the other."""
        begin_s, needed = self.now_s, beside.timed.images_needed
        assert needed is not None
        self._run(ahead, until_s, beside.law_beside)
        encoded_s = np.concatenate(([begin_s], ahead.ends_s))
        now_s = begin_s
        while not beside.is_done and needed[beside.done] <= ahead.done:
            start_s = max(now_s, float(encoded_s[int(needed[beside.done])]))
            if start_s >= until_s:
                break
            now_s = self._one(beside, start_s)
        self.now_s = max(self.now_s, now_s)

    def _run(self, progress: Progress, until_s: float, law: PowerLaw | None) -> None:
        """Run steps of one group: as many as fit before a change, then the one across it."""
        phone = self.phone
        phone.run(law, self.now_s)
        while not progress.is_done and self.now_s < until_s:
            durations_s = self._times.seconds(progress.timed, phone.conditions)[progress.done :]
            ends_s = _ends_s(self.now_s, durations_s, min(until_s, phone.next_change_s))
            starts_s = np.concatenate(([self.now_s], ends_s[:-1]))
            begun = int(np.searchsorted(starts_s, until_s))
            whole = int(np.searchsorted(ends_s, phone.next_change_s, side="right"))
            count = min(begun, whole)
            if count:
                progress.add(starts_s[:count], ends_s[:count], phone.conditions)
                self.now_s = float(ends_s[count - 1])
            else:
                self.now_s = self._one(progress, self.now_s)

    def _one(self, progress: Progress, start_s: float) -> float:
        """Run one step, during which conditions may change, and return when it ends [s]."""
        while self.phone.next_change_s <= start_s:
            self.phone.advance(self.phone.next_change_s)
        first = before = self.phone.conditions_at(start_s)
        duration_s = float(self._times.seconds(progress.timed, first)[progress.done])
        changes: list[Change] = []
        replayed = False
        while change := self._change(start_s, start_s + duration_s, len(changes)):
            changes.append(change)
            after_s, later = change
            stretch = None if replayed else self._stretch(progress, before, later)
            if stretch is None:
                from sim.engine.replay import replay_step  # SimPy is loaded only where needed

                duration_s, _ = replay_step(progress.timed, progress.done, first, changes)
                replayed = True
            else:
                duration_s = after_s + (duration_s - after_s) * stretch
            before = later
        end_s = start_s + duration_s
        progress.add(np.array([start_s]), np.array([end_s]), first, changes, replayed)
        return end_s

    def _change(self, start_s: float, end_s: float, seen: int) -> Change | None:
        """Return the first change inside a step after those ``seen``; ``None``: there is none.

        Without replays a change counts from the next step on, so none is returned.
        """
        while True:
            inside = self.phone.changes_between(start_s, end_s)
            if self._replays and len(inside) > seen:
                at_s, later = inside[seen]
                return at_s - start_s, later
            if self.phone.next_change_s >= end_s:
                return None
            self.phone.advance(self.phone.next_change_s)

    def _stretch(self, progress: Progress, before: Conditions, after: Conditions) -> float | None:
        """Return the factor by which the rest of a step slows down; ``None``: its parts differ.

        Every part slows by at most the clock ratio. If the whole step slows by exactly that, so
        does every part on the critical path.
        """
        if replace(before, clock=after.clock) != after:
            return None
        old_s, new_s = (
            float(self._times.seconds(progress.timed, conditions)[progress.done])
            for conditions in (before, after)
        )
        factor = before.clock / after.clock
        return factor if abs(new_s - old_s * factor) <= ALIKE * new_s else None


def _ends_s(start_s: float, durations_s: FloatColumn, until_s: float) -> FloatColumn:
    """Return when steps end that follow each other, those until ``until_s`` and some more [s]."""
    count = AT_ONCE if np.isfinite(until_s) else len(durations_s)
    while True:
        ends_s: FloatColumn = start_s + np.cumsum(durations_s[:count])
        if count >= len(durations_s) or ends_s[-1] > until_s:
            return ends_s
        count *= 4


def may_collide(one: TimedGroup, other: TimedGroup) -> bool:
    """Return whether two groups at once can ask for more than the whole time of the memory bus."""
    return _most_share(one) + _most_share(other) > 1.0


def _most_share(group: TimedGroup) -> float:
    """Return the largest share of bus time a transfer of the group takes at full clock."""
    shares = (
        np.max(task.rate_bytes_per_s / task.bus_bytes_per_s, where=task.tiles > 0, initial=0.0)
        for segment in group.segments
        for task in segment.tasks
        if task.tile_bytes.any()
    )
    return float(max(shares, default=0.0))
