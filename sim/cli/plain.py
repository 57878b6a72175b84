"""Text for any terminal: signs that it cannot show are spelt in letters, endless names are cut."""

from __future__ import annotations

import codecs
import re
from typing import Final

PLAIN: Final = "andesim.plain"
"""Name of the error handler that spells what an encoding lacks; anything else becomes ``?``."""

SPELT: Final = {
    "█": "#",
    "▉": "#",
    "▊": "#",
    "▋": "#",
    "▌": "#",
    "▍": "-",
    "▎": "-",
    "▏": "-",
    "━": "-",
    "╸": "-",
    "╺": "-",
    "°": " deg ",
    "×": "x",
    "·": "*",
    "…": "...",
    "–": "-",
    "—": "-",
    "→": "->",
    "≤": "<=",
    "≥": ">=",
    "±": "+-",
    "τ": "tau",
    "α": "alpha",
    "µ": "u",
    "μ": "u",
}

LONGEST_NAME: Final = 200
"""Characters without a space that are still shown in full."""
SHOWN: Final = 60


def spell(error: UnicodeError) -> tuple[str, int]:
    """Return what stands for the signs an encoding lacks, and where to go on.

    >>> codecs.register_error(PLAIN, spell)
    >>> "21 °C █▌ 字".encode("ascii", PLAIN)
    b'21  deg C ## ?'
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    return "".join(SPELT.get(sign, "?") for sign in signs), error.end


def clipped(message: str) -> str:
    """Return a message in which no name is endless.

    >>> clipped("Got " + 5000 * "a" + ".")
    'Got aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa... (5001 characters)'
    """

    def cut(match: re.Match[str]) -> str:
        return f"{match[0][:SHOWN]}... ({len(match[0])} characters)"

    return re.sub(rf"\S{{{LONGEST_NAME},}}", cut, message)


codecs.register_error(PLAIN, spell)
