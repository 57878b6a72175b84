"""Work in a process of its own, so that the server answers while it is done.

Threads of one Python process take turns, so that what is drawn in the background would make every
move of a slider wait. One process is kept, begun when it is first asked for. It takes one call at a
time and ends with the server, since its input does then.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from threading import Lock
from typing import IO, Any, Final, ParamSpec, TypeVar

P = ParamSpec("P")
Answer = TypeVar("Answer")

COMMAND: Final = (sys.executable, "-P", "-m", "dashboard.elsewhere")
_ENDED: Final = (OSError, EOFError, pickle.UnpicklingError)

_LOCK = Lock()
_PROCESSES: list[subprocess.Popen[bytes]] = []


def elsewhere(function: Callable[P, Answer], *args: P.args, **kwargs: P.kwargs) -> Answer:
    """Return what a function of a module returns, called in the other process.

    What it raises is raised here. Where that process cannot be begun or was ended, this one works.
    """
    try:
        with _LOCK:
            process = _process()
            assert process.stdin is not None
            assert process.stdout is not None
            pickle.dump((function, args, kwargs), process.stdin)
            process.stdin.flush()
            answer, error = pickle.load(process.stdout)
    except _ENDED:
        return function(*args, **kwargs)
    if error is not None:
        raise error
    found: Answer = answer
    return found


def _process() -> subprocess.Popen[bytes]:
    if not _PROCESSES or _PROCESSES[0].poll() is not None:
        _PROCESSES[:] = [subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE)]
    return _PROCESSES[0]


def serve(calls: IO[bytes], answers: IO[bytes]) -> None:
    """Answer calls until there are no more."""
    while True:
        try:
            function, args, kwargs = pickle.load(calls)
        except EOFError:
            return
        pickle.dump(_answer(function, args, kwargs), answers)
        answers.flush()


def _answer(function: Callable[..., Any], args: Any, kwargs: Any) -> tuple[Any, Exception | None]:
    try:
        return function(*args, **kwargs), None
    except Exception as error:
        return None, error


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server gets it, too, and closes our input
    written = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    sys.stdout = sys.stderr  # answers alone go where they are read
    serve(sys.stdin.buffer, written)
