"""Engine `auto`: max-plus between changes of conditions, the event engine for steps across one.

Steps that begin and end under the same conditions are taken together, as a cumulative sum. A step
in which the clock or other apps change is replayed alone by SimPy, from its start.
"""

from __future__ import annotations

import numpy as np

from sim.engine.governor import Phone
from sim.engine.progress import Progress, StepTimes


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
        changes = []
        while phone.next_change_s < start_s + duration_s:
            at_s, before = phone.next_change_s, phone.conditions
            phone.advance(at_s)
            if self._replays and phone.conditions != before:
                from sim.engine.replay import replay_step  # SimPy is loaded only where needed

                changes.append((at_s - start_s, phone.conditions))
                duration_s, _ = replay_step(progress.timed, progress.done, first, changes)
        self.now_s = start_s + duration_s
        progress.add(np.array([start_s]), np.array([self.now_s]), first, changes)
