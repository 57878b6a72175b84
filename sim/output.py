"""Writing files and folders: whole or not at all."""

from __future__ import annotations

import os
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

    A folder that holds nothing else is exchanged as a whole. One with other files keeps them; there
    ``last``, without which the folder says nothing, goes first and comes last. Raises `OutputError`
    where the operating system refuses.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with temporary(_place(folder), folder.name) as part:
            part.mkdir()
            _within(folder, part, write)
            if not folder.is_dir() or (part.parent != folder and _holds_only(folder, part)):
                _exchange(folder, part)
                return
            (folder / last).unlink(missing_ok=True)
            for file in sorted(part.iterdir(), key=lambda file: file.name == last):
                file.replace(folder / file.name)
    except OSError as error:
        raise OutputError(f"{folder} must be a writable folder. Got: {error.strerror}.") from None


def _place(folder: Path) -> Path:
    """Return where to write before renaming: beside the folder if it can be moved, else within."""
    is_moved = not folder.is_dir() or (
        folder.name not in ("", "..")
        and os.access(folder.parent, os.W_OK)
        and not (folder.is_symlink() or os.path.ismount(folder))
    )
    return folder.parent if is_moved else folder


def _holds_only(folder: Path, part: Path) -> bool:
    """Return whether a folder has no files but those that another has, too."""
    return set(os.listdir(folder)) <= set(os.listdir(part))


def _exchange(folder: Path, part: Path) -> None:
    """Rename a folder into place, the one that is there out of the way before."""
    if not folder.is_dir():
        part.replace(folder)
        return
    with temporary(folder.parent, folder.name) as old:
        folder.replace(old)
        try:
            part.replace(folder)
        except OSError:
            old.replace(folder)
            raise


def _within(folder: Path, part: Path, write: Callable[[Path], object]) -> None:
    """Write into the temporary folder; a refusal names the wanted one."""
    try:
        write(part)
    except OutputError as error:
        raise OutputError(str(error).replace(str(part), str(folder))) from None
