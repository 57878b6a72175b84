"""The texts on which behaviour is recorded: two of each kind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from workloads.behaviour.screens import session
from workloads.files import read_text

TextKind = Literal["prose", "code", "ui"]

FOLDER = Path(__file__).parent / "text"


@dataclass(frozen=True)
class Text:
    """A text and its kind."""

    name: str
    kind: TextKind
    content: str


def texts() -> list[Text]:
    """Return the texts, prose first."""
    files: dict[str, TextKind] = {
        "moby_dick": "prose",
        "lincoln_1862": "prose",
        "code_files": "code",
        "code_acceptance": "code",
    }
    read = [Text(name, kind, read_text(FOLDER / f"{name}.txt")) for name, kind in files.items()]
    return read + [Text(f"screens_{seed}", "ui", session(seed)) for seed in (1, 2)]
