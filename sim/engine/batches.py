"""Engine `auto`: max-plus between changes of conditions, the event engine for steps across one.

Steps that begin and end under the same conditions are taken together, as a cumulative sum. A step
in which other apps change is replayed alone by SimPy, from its start. A change of the clock alone
slows every part of a step by the same factor, as long as no transfer is held up by others; then
what is left of the step takes longer by that factor, and nothing needs replaying.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from sim.engine.conditions import Conditions
from sim.engine.governor import Phone
from sim.engine.progress import Progress, StepTimes

if TYPE_CHECKING:
    from sim.engine.replay import Change

ALIKE = 1e-12
"""Relative difference of two durations that counts as rounding."""


class BatchMachine:
    """Runs as many steps at once as conditions allow.

    Parameters
    ----------
    replays
        Replay the steps across a change; else a change takes effect at the next step.
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

    def run(self, progress: Progress, until_s: float) -> None:
        """Run steps of a group until it is done or the step in progress at ``until_s`` ends."""
        phone = self.phone
        phone.run(progress.law, self.now_s)
        while not progress.is_done and self.now_s < until_s:
            durations_s = self._times.seconds(progress.timed, phone.conditions)[progress.done :]
            ends_s = self.now_s + np.cumsum(durations_s)
            starts_s = np.concatenate(([self.now_s], ends_s[:-1]))
            begun = int(np.searchsorted(starts_s, until_s))
            whole = int(np.searchsorted(ends_s, phone.next_change_s, side="right"))
            count = min(begun, whole)
            if count:
                progress.add(starts_s[:count], ends_s[:count], phone.conditions)
                self.now_s = float(ends_s[count - 1])
            else:
                self._cross(progress, float(durations_s[0]))

    def _cross(self, progress: Progress, duration_s: float) -> None:
        """Run the one step during which conditions may change."""
        phone, start_s = self.phone, self.now_s
        first = phone.conditions
        changes: list[Change] = []
        replayed = False
        while phone.next_change_s < start_s + duration_s:
            at_s, before = phone.next_change_s, phone.conditions
            phone.advance(at_s)
            if not self._replays or phone.conditions == before:
                continue
            changes.append((at_s - start_s, phone.conditions))
            stretch = None if replayed else self._stretch(progress, before, phone.conditions)
            if stretch is None:
                from sim.engine.replay import replay_step  # SimPy is loaded only where needed

                duration_s, _ = replay_step(progress.timed, progress.done, first, changes)
                replayed = True
            else:
                duration_s = at_s - start_s + (start_s + duration_s - at_s) * stretch
        self.now_s = start_s + duration_s
        progress.add(np.array([start_s]), np.array([self.now_s]), first, changes, replayed)

    def _stretch(self, progress: Progress, before: Conditions, after: Conditions) -> float | None:
        """Return by what factor the rest of the step slows down; ``None``: not all of it alike.

        No part of a step speeds up by more than the clock does, so if the whole does so exactly,
        every part that matters does.
        """
        if replace(before, clock=after.clock) != after:
            return None
        old_s, new_s = (
            float(self._times.seconds(progress.timed, conditions)[progress.done])
            for conditions in (before, after)
        )
        factor = before.clock / after.clock
        return factor if abs(new_s - old_s * factor) <= ALIKE * new_s else None
