"""How the process begins and ends: quickly."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading
from typing import Final, NoReturn

NEW_OBJECTS: Final = 200_000
"""Objects made between two searches for cycles; with Python's 700 a start takes a tenth longer."""


def keep_all() -> None:
    """Let the search for cycles pass over what there is, and seldom look at what comes."""
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, *gc.get_threshold()[1:])
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # it looks through all packages


def leave(code: object) -> NoReturn:
    """End the process once all that was to run at its end has run and all is written.

    The system takes the memory back whole; Python would do it object by object, in a tenth of the
    time of a simulation. Where somebody profiles or a thread still works, Python ends as ever.
    """
    works = any(not item.daemon for item in threading.enumerate()[1:])
    if works or sys.gettrace() or sys.getprofile() or not isinstance(code, int | None):
        sys.exit(code)  # type: ignore[arg-type]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)
