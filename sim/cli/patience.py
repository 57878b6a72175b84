"""What a command shows while a person waits: how long it has run, and how far it has come.

Only on a terminal, after two seconds, on one line of standard error that goes away when the command
prints. A command that shows a bar of its own (`sweep`) ends it by printing.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import Any, Final, TextIO

AFTER_S: Final = 2.0
EVERY_S: Final = 0.5
CLEAR: Final = "\r\x1b[K"


class Patience:
    """One line on a terminal, from `AFTER_S` on until something is printed."""

    def __init__(self, terminal: TextIO) -> None:
        self._terminal = terminal
        self._started_s = time.monotonic()
        self._told = ""
        self._lock = threading.Lock()
        self._over = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def tell(self, done: int, of: int, things: str) -> None:
        """Say from now on how many of all things are done."""
        self._told = f", {done:,} of {of:,} {things}"

    def tell_step(self, step: str) -> None:
        """Say from now on what is being done."""
        self._told = f", {step}"

    def end(self) -> None:
        """Take the line away for good."""
        with self._lock:
            if not self._over.is_set():
                self._over.set()
                if self.is_late:
                    self._terminal.write(CLEAR)
                    self._terminal.flush()

    @property
    def is_late(self) -> bool:
        """Whether a person has waited long enough to be told so."""
        return time.monotonic() - self._started_s >= AFTER_S

    def _run(self) -> None:
        self._over.wait(AFTER_S)
        while not self._over.is_set():
            with self._lock:
                if not self._over.is_set():
                    waited_s = time.monotonic() - self._started_s
                    self._terminal.write(f"{CLEAR}{waited_s:.0f} s{self._told} ")
                    self._terminal.flush()
            self._over.wait(EVERY_S)


class _Ending:
    """A stream that ends the line of a `Patience` before anything is written to it."""

    def __init__(self, stream: TextIO, patience: Patience) -> None:
        self._stream, self._patience = stream, patience

    def write(self, text: str) -> int:
        self._patience.end()
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


_current: Patience | None = None


def begin() -> None:
    """Begin to wait with the person in front of the terminal, if there is one."""
    global _current
    if sys.stderr.isatty():
        _current = Patience(sys.stderr)
        sys.stdout = _Ending(sys.stdout, _current)
        sys.stderr = _Ending(sys.stderr, _current)


def tell(done: int, of: int, things: str) -> None:
    """Say how many of all things are done; of one thing there is nothing to say."""
    if _current is not None and of > 1:
        _current.tell(done, of, things)


def tell_step(step: str) -> None:
    """Say what a command of several steps does now."""
    if _current is not None:
        _current.tell_step(step)
