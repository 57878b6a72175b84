"""Runs under their governors, from the seconds that their work takes at full clock.

While nobody else uses the memory, a lower clock slows every part of a step by the same factor
(`sim.engine.conditions`). So all that governors do to a run is to stretch its time: work of ``w``
seconds at full clock is done once the integral of the clock has grown by ``w``. Many runs are taken
through their pieces of work at once, each on the grid of its own sensors.

Not modelled here: a clock that falls beside other apps, whose traffic lets a step slow down by less
than it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hw_models.laws import Numbers
from hw_models.thermal import Columns
from sim.heat.columns import HeatColumns
from sim.heat.governed import GovernedHeat
from sim.heat.polls import Mask


@dataclass(frozen=True, slots=True)
class Pieces:
    """Pieces of work that follow each other; columns of shape (pieces, runs).

    Attributes
    ----------
    seconds
        What they take at full clock [s].
    dynamic_w, switched_w
        Their mean dynamic power at full clock, and what of it falls with the voltage, too [W].
    from_s
        Instants before which they do not begin [s].
    """

    seconds: Columns
    dynamic_w: Columns
    switched_w: Columns
    from_s: Columns

    @classmethod
    def of(cls, rows: Iterable[tuple[Numbers, Numbers, Numbers, Numbers]], runs: int) -> Pieces:
        """Return pieces, given for each a row of numbers or of columns over runs.

        That is its seconds at full clock [s], its dynamic energy then, what of it falls with the
        voltage [J], and the earliest begin [s].
        """
        wide = [[np.broadcast_to(np.ravel(item), (runs,)) for item in row] for row in rows]
        seconds, dynamic_j, switched_j, from_s = (
            np.stack(column) for column in zip(*wide, strict=True)
        )
        lasting_s = np.where(seconds > 0.0, seconds, 1.0)
        return cls(seconds, dynamic_j / lasting_s, switched_j / lasting_s, from_s)


@dataclass(frozen=True, slots=True)
class Mark:
    """How far runs have come at an instant of each of them; columns of shape (runs,).

    Attributes
    ----------
    now_s
        The instant [s].
    full_s
        Seconds of work at full clock that are done [s].
    switched_s
        Integral of what voltage makes of the clock (`power.clocked_w`) while work was done [s].
    """

    now_s: Columns
    full_s: Columns
    switched_s: Columns


@dataclass(frozen=True)
class WarpedRuns:
    """What governors made of runs.

    Attributes
    ----------
    governed
        Temperatures and energy at their ends.
    begins, ends
        Of every piece, in columns of shape (pieces, runs).
    marks
        Instants between which clocks stay as they are, columns of shape (marks, runs); empty unless
        they were asked for.
    """

    governed: GovernedHeat
    begins: Mark
    ends: Mark
    marks: Mark

    @property
    def seconds(self) -> Columns:
        """What each piece took [s]."""
        return self.ends.now_s - self.begins.now_s

    @property
    def switched_s(self) -> Columns:
        """Integral of what voltage makes of the clock over each piece [s]."""
        return self.ends.switched_s - self.begins.switched_s

    def at(self, piece: int, run: int, full_s: Columns) -> tuple[Columns, Columns]:
        """Return when a run has done so much of a piece [s], and ``switched_s`` until then [s].

        ``full_s`` are seconds at full clock since the piece began. Marks must have been kept.
        """
        now_s = self.marks.now_s[:, run]
        first = np.searchsorted(now_s, self.begins.now_s[piece, run], "left")
        last = np.searchsorted(now_s, self.ends.now_s[piece, run], "right")
        done_s = self.marks.full_s[first:last, run] - self.begins.full_s[piece, run]
        switched_s = self.marks.switched_s[first:last, run]
        return np.interp(full_s, done_s, now_s[first:last]), np.interp(full_s, done_s, switched_s)

    @property
    def is_throttled(self) -> Mask:
        """Which runs lose some of their clock, shape (runs,)."""
        return np.asarray(self.governed.lowest_clock < 1.0)


def warped(
    heat: HeatColumns, pieces: Pieces, keeps_marks: bool = False, background_w: float = 0.0
) -> WarpedRuns:
    """Take runs through their pieces of work under the governors of their devices.

    ``background_w`` is what other apps take all the while [W]; runs beside them hold only where
    none is throttled.
    """
    run = _Runs(heat, pieces, background_w)
    while run.is_open.any():
        run.step()
        if keeps_marks:
            run.marks.append(run.mark)
    return run.found()


class _Runs:
    """Runs on their way: each is in a piece of its own, or waits for it to begin."""

    def __init__(self, heat: HeatColumns, pieces: Pieces, background_w: float) -> None:
        count, runs = pieces.seconds.shape
        self._background_w = background_w
        self.pieces = pieces
        self.governed = GovernedHeat(heat, runs)
        self.mark = Mark(*np.zeros((3, runs)))
        self.marks: list[Mark] = [self.mark]
        self.begins, self.ends = (Mark(*np.zeros((3, count, runs))) for _ in range(2))
        self._piece: NDArray[np.int64] = np.zeros(runs, dtype=np.int64)
        self._left_s = pieces.seconds[0].copy()
        self._begin(np.ones(runs, dtype=np.bool_))

    @property
    def is_open(self) -> Mask:
        """Which runs have work left."""
        return np.asarray(self._piece < len(self.pieces.seconds))

    def step(self) -> None:
        """Take every run to the next instant at which its power or its clock may change."""
        governed, is_open = self.governed, self.is_open
        clock, before_s = governed.clock, governed.now_s
        dynamic_w, switched_w, from_s = self._now()
        waits = before_s < from_s
        works = is_open & ~waits
        working_w = governed.heat.host_poll_w
        working_w = working_w + governed.heat.clocked_w(dynamic_w, switched_w, clock)
        other_w = self._background_w + np.where(works, working_w, 0.0)
        die_w = governed.die_w(other_w)
        end_s, due_s = (
            np.where(waits, from_s, before_s + self._left_s / clock),
            governed.due_s(die_w),
        )
        to_s = np.where(is_open, np.minimum(end_s, due_s), before_s)
        governed.flow(to_s, die_w)
        self._work(works, to_s - before_s, clock)
        governed.poll(other_w, is_open & (due_s <= to_s))
        self._begin(is_open & waits & (end_s <= to_s))
        self._end(works & (end_s <= to_s))

    def _now(self) -> tuple[Columns, Columns, Columns]:
        """Return both powers and the begin of the present piece, or of the last."""
        place = np.minimum(self._piece, len(self.pieces.seconds) - 1)[None]
        columns = self.pieces.dynamic_w, self.pieces.switched_w, self.pieces.from_s
        dynamic_w, switched_w, from_s = (
            np.take_along_axis(column, place, axis=0)[0] for column in columns
        )
        return dynamic_w, switched_w, from_s

    def _work(self, works: Mask, dt_s: Columns, clock: Columns) -> None:
        """Note work that was done at a clock for a while."""
        full_s = np.where(works, dt_s * clock, 0.0)
        switched = clock ** (1.0 + self.governed.heat.voltage_exponent)
        self._left_s = self._left_s - full_s
        self.mark = Mark(
            self.governed.now_s,
            self.mark.full_s + full_s,
            self.mark.switched_s + np.where(works, dt_s * switched, 0.0),
        )

    def _begin(self, runs: Mask) -> None:
        """Note that the present piece of some runs begins now, unless it has to wait."""
        _note(self.begins, self._piece, self.mark, runs)

    def _end(self, runs: Mask) -> None:
        """Note that the present piece of some runs ends now, and go on to the next."""
        if not runs.any():
            return
        _note(self.ends, self._piece, self.mark, runs)
        self._piece = self._piece + runs
        more = runs & self.is_open
        self._left_s = np.where(runs, 0.0, self._left_s)
        place = self._piece[more]
        self._left_s[more] = self.pieces.seconds[place, more.nonzero()[0]]
        self._begin(more)

    def found(self) -> WarpedRuns:
        """Return what governors made of the runs."""
        columns = (
            np.stack([getattr(mark, name) for mark in self.marks])
            for name in ("now_s", "full_s", "switched_s")
        )
        return WarpedRuns(self.governed, self.begins, self.ends, Mark(*columns))


def _note(marks: Mark, piece: NDArray[np.int64], mark: Mark, runs: Mask) -> None:
    """Write the mark of some runs into the rows of their pieces."""
    columns = runs.nonzero()[0]
    rows = piece[columns]
    marks.now_s[rows, columns] = mark.now_s[columns]
    marks.full_s[rows, columns] = mark.full_s[columns]
    marks.switched_s[rows, columns] = mark.switched_s[columns]
