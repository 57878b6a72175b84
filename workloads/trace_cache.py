"""Traces captured on this machine, kept by content so that a configuration is captured once.

The key says what made them (`workloads.capture.made_by`), so none outlives the code it came from.
They lie in the user's cache folder, each written whole or not at all, the oldest making room.
``ANDESIM_NO_CACHE=1`` neither reads nor writes it.
"""

from __future__ import annotations

import os
from pathlib import Path

from workloads.errors import WorkloadError
from workloads.trace import Trace
from workloads.trace_file import load_trace, save_trace

MOST_FILES = 64
"""Traces that are kept; one takes 10 to 500 kB."""


def folder() -> Path:
    """Return where traces are kept: ``$XDG_CACHE_HOME/andesim/traces``, else below ``~/.cache``."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "andesim" / "traces"


def is_on() -> bool:
    """Return whether the cache is used."""
    return os.environ.get("ANDESIM_NO_CACHE", "") in ("", "0")


def recall(key: str) -> Trace | None:
    """Return the trace kept under ``key``; None where there is none that can be read."""
    file = folder() / f"{key}.json"
    if not is_on() or not file.is_file():
        return None
    try:
        trace = load_trace(file)
        os.utime(file)
    except (OSError, WorkloadError):
        return None
    return trace


def keep(key: str, trace: Trace) -> None:
    """Keep a trace under ``key``; a folder that cannot be written to is left alone."""
    if not is_on():
        return
    try:
        folder().mkdir(parents=True, exist_ok=True)
        save_trace(trace, folder() / f"{key}.json")
        newest = sorted(folder().glob("*.json"), key=lambda file: file.stat().st_mtime)
        for file in newest[:-MOST_FILES]:
            file.unlink(missing_ok=True)
    except (OSError, WorkloadError):
        return


def kept() -> list[Trace]:
    """Return all traces that are kept and can be read."""
    files = sorted(folder().glob("*.json")) if is_on() and folder().is_dir() else []
    return [trace for trace in (recall(file.stem) for file in files) if trace is not None]
