"""Which device is meant by the name of a phone, a chip or a part: what is told of an unknown id.

A name is compared without case, spaces, dashes and underscores, from whole words to whole words. A
phone's name may lack its first words (``S24 Ultra``), never its last: an ``iPhone 16`` is no
``iPhone 16 Pro``. For the same reason no near id is offered whose numbers are others.
"""

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from itertools import takewhile, zip_longest
from typing import Final

from hw_models.files import device_ids, parse_yaml, read_head

MAKERS: Final = ("apple", "google", "mediatek", "qualcomm", "samsung")
"""Left out in front: nobody's phone or chip is told from another by them."""
VARIANTS: Final = {*("air", "e", "edge", "elite", "fe", "fold", "gen", "lite", "max", "mini")} | {
    *("plus", "pro", "s", "ultra", "xl")
}
"""Words that make another phone or chip of the one that they follow."""
MOST_TOLD: Final = 4
"""A name of more devices is none of one."""
LEAST_DIGITS: Final = 3
"""Numbers that begin alike for so many digits may differ in the last one by a slip."""


def which_device(asked: str) -> str:
    """Return the sentence that ends an error about an unknown device.

    >>> which_device("dimensity_950")
    "Did you mean 'dimensity_9500'?"
    >>> which_device("galaxy-s24")
    'Galaxy S24: exynos_2400 or snapdragon_8_gen_3.'
    """
    ids, wanted = device_ids(), _words(asked)
    if re.search(r"\d", asked) and re.search(r"[^\W\d_]", asked):
        same = [name for name in ids if _ends_so(wanted, _words(name))]
        if len(same) == 1:
            return f"Did you mean {same[0]!r}?"
        told = list(_phones_called(wanted, ids)) or list(_chips_called(wanted, ids))
        if 0 < len(told) <= MOST_TOLD:
            return f"{'; '.join(told)}."
    near = get_close_matches("_".join(asked.lower().split()), ids, n=len(ids))
    agreeing = [name for name in near if _has_numbers_of(asked, name)]
    listed = f"`andesim devices` lists the {len(ids)} that are known."
    return f"Did you mean {agreeing[0]!r}?" if agreeing else listed


def _phones_called(wanted: Sequence[str], ids: Sequence[str]) -> Iterator[str]:
    for phone, chips in phones().items():
        if _ends_so(wanted, _words(phone)):
            told = [chip if chip in ids else f"{chip}, which is no device here" for chip in chips]
            yield f"{phone}: {' or '.join(told)}"


def _chips_called(wanted: Sequence[str], ids: Sequence[str]) -> Iterator[str]:
    """Yield the devices whose name or description holds some words."""
    for name in ids:
        called, texts = _described(name)
        if any(_holds(wanted, words) for words in texts):
            yield f"{called}: {name}"


@cache
def _described(device: str) -> tuple[str, tuple[list[str], ...]]:
    """Return a known device's name, and the words of its name and description."""
    head = read_head(device)
    return head.get("name", device), tuple(_words(str(text)) for text in head.values())


@cache
def phones() -> dict[str, tuple[str, ...]]:
    """Return the chips of each phone: ids of devices, or names of chips that none describes."""
    pages = parse_yaml((files("hw_models") / "phones.yaml").read_text("utf-8"))
    return {phone: tuple(chips) for page in pages.values() for phone, chips in page.items()}


def _words(text: str) -> list[str]:
    """Return the words of a name, its maker's left out in front.

    >>> _words("Samsung Galaxy_S24+")
    ['galaxy', 's24', 'plus']
    """
    words = re.findall(r"[^\W_]+", text.lower().replace("+", " plus "))
    return words[1:] if len(words) > 1 and words[0] in MAKERS else words


def _ends_so(wanted: Sequence[str], words: Sequence[str]) -> bool:
    """Tell whether a name ends with some words, which may be written as one."""
    return "".join(wanted) in {"".join(words[start:]) for start in range(len(words))}


def _holds(wanted: Sequence[str], words: Sequence[str]) -> bool:
    """Tell whether a text holds some words, with no word behind them that makes them others."""
    ends = [end for end in range(1, len(words) + 1) if {*words[end : end + 1]}.isdisjoint(VARIANTS)]
    return any(_ends_so(wanted, words[:end]) for end in ends)


def _has_numbers_of(asked: str, name: str) -> bool:
    """Tell whether the numbers that are asked for are those of a name, in the same order.

    >>> _has_numbers_of("tensor_g2", "tensor_g3"), _has_numbers_of("tensr_g3", "tensor_g3")
    (False, True)
    """
    pairs = zip_longest(*(re.findall(r"\d+", text) for text in (asked, name)), fillvalue="")
    return all(_is_slip(number, other) for number, other in pairs)


def _is_slip(number: str, other: str) -> bool:
    """Tell whether two numbers may be one, its last digit forgotten or mistyped."""
    same = len([*takewhile(lambda pair: pair[0] == pair[1], zip(number, other, strict=False))])
    return number == other or same >= max(LEAST_DIGITS, len(number) - 1, len(other) - 1)
