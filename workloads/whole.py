"""Writing whole or not at all: under a temporary name beside the wanted one, then renamed.

A temporary name begins with a dot and holds the number of its process, so that what a killed
process left is known and goes when the same name is written again.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LONGEST = 150
"""Characters of the wanted name that a temporary name repeats; file systems allow 255 bytes."""


@contextmanager
def written_beside(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder, and rename what was written there to ``path``.

    What is written may be a file or a folder; nothing is left of it where writing fails. Raises
    `OSError` as the operating system does.
    """
    with temporary(path.parent, path.name) as part:
        yield part
        part.replace(path)


@contextmanager
def temporary(folder: Path, name: str) -> Iterator[Path]:
    """Yield an unused path for a name, and remove what is there at the end.

    What writers of this name left that were killed is removed first. Raises `OSError`.
    """
    start = f".{name[:LONGEST]}."
    pattern = re.compile(re.escape(start) + r"(\d+)-[0-9a-f]{8}(\..*)?")
    for other in os.listdir(folder):
        if (left := pattern.fullmatch(other)) and _ended(int(left[1])):
            _remove(folder / other)
    part = folder / f"{start}{os.getpid()}-{os.urandom(4).hex()}{Path(name).suffix}"
    try:
        yield part
    finally:
        _remove(part)


def _ended(process: int) -> bool:
    """Return whether a process of this machine has ended; elsewhere than on POSIX nobody knows."""
    if os.name != "posix":
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        return False
    return False


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
