"""Text as people paste it -> text as the tool printed it.

Terminals colour it, logcat puts a stamp before each line, mail and GitHub quote it, Windows
consoles print UTF-8 in another code page, browsers put hard spaces and signs without width into
it, tables are drawn with lines, pages write signs as entities, and servers put ``data:`` before
each event of a stream. Not undone: lines wrapped by a terminal.
"""

from __future__ import annotations

import html
import re
from typing import Final

_ANSI: Final = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_LOGCAT: Final = re.compile(
    r"^(?:(?:\d{4}-)?\d\d-\d\d \d\d:\d\d:\d\d\.\d+\s+\d+\s+\d+ [VDIWEFA] [^:|\n]*: ?"
    r"|(?:\d\d-\d\d \d\d:\d\d:\d\d\.\d+ )?[VDIWEF]/[^(\n]*\(\s*\d+\): ?)",
    re.MULTILINE,
)
_QUOTED: Final = re.compile(r"^(?:> ?){1,3}(?=\S)", re.MULTILINE)
_SPACES: Final = re.compile("[\xa0\u2000-\u200a\u202f\u205f\u3000]")
_WIDTHLESS: Final = re.compile("[\u200b-\u200f\u2060\ufeff]")
_ENTITIES: Final = re.compile(r"&(?:plusmn|nbsp|amp|lt|gt|#\d{2,4}|#x[0-9a-fA-F]{2,4});")
_EVENT: Final = re.compile(r"^data: ?(?=[\[{])", re.MULTILINE)
_PLUS_MINUS: Final = re.compile(r"┬▒|Ã‚Â±|Â±|ôÔÇÜ|\+/-|\+-|(?<=[0-9] )[\ufffd?]{1,2}(?= [0-9])")


def cleaned(text: str) -> str:
    """Return text without what terminals, loggers, mail and code pages have done to it.

    >>> cleaned("> \\x1b[32mtg128\\x1b[0m | 15.00 ┬▒ 0.10")
    'tg128 | 15.00 ± 0.10'
    """
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    text = _LOGCAT.sub("", text)
    if ">" in text:
        text = _QUOTED.sub("", text)
    if "&" in text:
        text = _ENTITIES.sub(lambda found: html.unescape(found[0]), text)
    text = _EVENT.sub("", text.replace("\r\n", "\n"))
    if not text.isascii():
        text = _WIDTHLESS.sub("", _SPACES.sub(" ", text)).replace("│", "|").replace("┃", "|")
    return _PLUS_MINUS.sub("±", text)
