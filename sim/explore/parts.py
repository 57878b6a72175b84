"""What a long command has done so far, in a folder beside the file that it will write.

The folder holds a claim, which says whose it is, and parts that are each written whole or not at
all. A command that is stopped or killed finds them again; another command's are never taken.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hw_models.errors import HardwareError
from hw_models.soc import load_soc
from sim.errors import OutputError, SimError
from sim.output import write_text
from sim.packaging import versions

DIGITS: Final = 16


@dataclass(frozen=True)
class Parts:
    """The parts of one file.

    Attributes
    ----------
    folder
        Where they lie.
    identity
        Of what is asked, by `identity_of`.
    claim
        Name of the file that says whose the parts are.
    """

    folder: Path
    identity: str
    claim: str

    def open(self) -> None:
        """Make the folder, or check that it belongs to this very question.

        Parts without a claim are what a kill left of a removal: nobody knows whose they are. Raises
        `SimError` where the folder is another's, `OutputError` where it cannot be made.
        """
        claim = self.folder / self.claim
        mine = json.dumps({"identity": self.identity}) + "\n"
        if claim.exists():
            if claim.read_bytes() != mine.encode():
                kind = claim.stem
                raise SimError(
                    f"{self.folder} must hold parts of this very {kind}. Got another's. "
                    "Remove the folder to start afresh."
                )
            return
        self.remove()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self.folder} must be writable. Got: {error.strerror}.") from None
        write_text(claim, mine)

    def remove(self) -> None:
        """Remove the folder with all in it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def beside(path: Path) -> Path:
    """Return the folder of the parts of a file."""
    return path.with_name(path.name + ".parts")


def identity_of(question: str, named: Iterable[Any]) -> str:
    """Return the SHA-256 of what is asked, with which versions, in `DIGITS` hexadecimal digits.

    Parameters
    ----------
    named
        Trees of values; files that texts in them name count by what they hold, since that may
        change under their names.
    """
    digest = hashlib.sha256((question + repr(versions())).encode())
    for name in sorted({text for tree in named for text in _texts(tree)}):
        if os.path.isfile(name):
            digest.update(_content(name))
    return digest.hexdigest()[:DIGITS]


def _texts(node: Any) -> Iterator[str]:
    """Yield every text that stands as a value in a tree."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, Mapping):
        yield from _texts(list(node.values()))
    elif isinstance(node, list | tuple):
        for child in node:
            yield from _texts(child)


def _content(name: str) -> bytes:
    """Return what a file holds; a device with all that it extends."""
    try:
        return load_soc(name).to_yaml().encode()
    except HardwareError:
        return Path(name).read_bytes()
