"""Writing files and folders: whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sim.errors import OutputError
from workloads.whole import temporary, written_beside


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Call ``write`` with a temporary file beside ``path``, then rename it into place.

    Raises `OutputError` where the operating system refuses.
    """
    try:
        with written_beside(path) as part:
            write(part)
    except OSError as error:
        raise OutputError(f"{path} must be writable. Got: {error.strerror}.") from None


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file whole or not at all; raises like `write_whole`."""
    write_whole(path, lambda part: part.write_text(text, encoding="utf-8", newline="\n"))


def write_folder(folder: Path, write: Callable[[Path], object], last: str) -> None:
    """Call ``write`` with a temporary folder, then rename it into place.

    A folder that exists keeps its other files; there ``last``, without which the folder says
    nothing, goes first and comes last. Raises `OutputError` where the operating system refuses.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        place = folder if folder.is_dir() else folder.parent
        with temporary(place, folder.name) as part:
            part.mkdir()
            _within(folder, part, write)
            if place != folder:
                part.replace(folder)
                return
            (folder / last).unlink(missing_ok=True)
            for file in sorted(part.iterdir(), key=lambda file: file.name == last):
                file.replace(folder / file.name)
    except OSError as error:
        raise OutputError(f"{folder} must be a writable folder. Got: {error.strerror}.") from None


def _within(folder: Path, part: Path, write: Callable[[Path], object]) -> None:
    """Write into the temporary folder; a refusal names the wanted one."""
    try:
        write(part)
    except OutputError as error:
        raise OutputError(str(error).replace(str(part), str(folder))) from None
