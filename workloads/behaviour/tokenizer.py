"""Byte-level byte-pair encoding, from the vocabulary and the merges of a checkpoint.

The text is cut into words as GPT-2 does, with every digit alone (SmolLM); then, in each word, the
pair of symbols that was merged first in training is merged until no known pair is left.

Not modelled: special tokens in the text, which are encoded like any other text, and numerals
outside the decimal digits, which count as letters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise

_DIGIT = re.compile(r"(\d)")
_WORD = re.compile(r"'(?:s|t|re|ve|m|ll|d)| ?[^\W\d_]+| ?(?:[^\s\w]|_)+|\d|\s+(?!\S)|\s+")


def byte_symbols() -> list[str]:
    """Return the printable character that stands for each byte in GPT-2 vocabularies.

    Printable bytes of Latin-1 stand for themselves, the others for U+0100 and on.

    >>> byte_symbols()[ord("A")], byte_symbols()[ord(" ")]
    ('A', 'Ġ')
    """
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = (code for code in range(256) if code not in printable)
    moved = {code: 0x100 + place for place, code in enumerate(others)}
    return [chr(moved.get(code, code)) for code in range(256)]


def words(text: str) -> list[str]:
    """Return the pieces of a text that are encoded apart; together they are the text.

    >>> words("It's 42 now")
    ['It', "'s", ' ', '4', '2', ' now']
    """
    return [word for part in _DIGIT.split(text) for word in _WORD.findall(part)]


class Tokenizer:
    """Text to token ids and back.

    Arguments:
        tokens: the vocabulary; a token's id is its place.
        merges: pairs of symbols ``"left right"``, in the order in which they were learned.
    """

    def __init__(self, tokens: Sequence[str], merges: Iterable[str]) -> None:
        self._tokens = tuple(tokens)
        self._ids = {token: place for place, token in enumerate(tokens)}
        self._ranks = {tuple(merge.split(" ")): rank for rank, merge in enumerate(merges)}
        self._symbols = byte_symbols()
        self._bytes = {symbol: code for code, symbol in enumerate(self._symbols)}
        self._encode_word = lru_cache(maxsize=2**14)(self._merge)

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a text."""
        return [token for word in words(text) for token in self._encode_word(word)]

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of token ids; bytes that are not UTF-8 become U+FFFD."""
        symbols = "".join(self._tokens[token] for token in ids)
        return bytes(self._bytes[symbol] for symbol in symbols).decode("utf-8", errors="replace")

    def _merge(self, word: str) -> tuple[int, ...]:
        symbols = [self._symbols[code] for code in word.encode()]
        while len(symbols) > 1:
            known = [pair for pair in pairwise(symbols) if pair in self._ranks]
            if not known:
                break
            symbols = _joined(symbols, min(known, key=self._ranks.__getitem__))
        return tuple(self._ids[symbol] for symbol in symbols)


def _joined(symbols: Sequence[str], pair: tuple[str, str]) -> list[str]:
    """Return the symbols with every occurrence of the pair made one, from the left."""
    merged: list[str] = []
    rest = iter(range(len(symbols)))
    for place in rest:
        if tuple(symbols[place : place + 2]) == pair:
            merged.append("".join(pair))
            next(rest)
        else:
            merged.append(symbols[place])
    return merged
