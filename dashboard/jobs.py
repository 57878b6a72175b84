"""Long work in pieces: what is done so far, how much there is, and a way to stop it.

All jobs of a server take turns, piece by piece, so that two viewers share the processor fairly and
a slider's run waits for one piece at most.
"""

from __future__ import annotations

from collections.abc import Iterator
from threading import Lock, Thread
from typing import Generic, TypeVar

from dashboard.runs import USER_ERRORS

Piece = TypeVar("Piece")

_TURN = Lock()


class Job(Generic[Piece]):
    """Pieces of work, done one after another in a thread of its own.

    Attributes
    ----------
    pieces
        What is done so far.
    total
        Pieces in all.
    error
        Why it ended early, in words; "" where it did not.
    """

    def __init__(self, pieces: Iterator[Piece], total: int) -> None:
        self.pieces: list[Piece] = []
        self.total = total
        self.error = ""
        self._source = pieces
        self._stopped = False
        self._thread = Thread(target=self._work, daemon=True)
        self._thread.start()

    @property
    def is_working(self) -> bool:
        """Whether more pieces are to come."""
        return self._thread.is_alive()

    @property
    def is_whole(self) -> bool:
        """Whether every piece is done."""
        return not self.is_working and not self.error and not self._stopped

    def stop(self) -> None:
        """Begin no further piece; what is done stays."""
        self._stopped = True

    def wait(self, seconds: float) -> None:
        """Return once the work is done, or after some seconds."""
        self._thread.join(seconds)

    def _work(self) -> None:
        while not self._stopped:
            with _TURN:
                try:
                    piece = next(self._source, None)
                except USER_ERRORS as error:
                    self.error = str(error)
                    return
            if piece is None:
                return
            self.pieces.append(piece)
