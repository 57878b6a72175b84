"""Quantities: text with a unit at file borders, SI floats inside ("85.3 GB/s" <-> 8.53e10).

Decimal prefixes are powers of 1000 and binary prefixes powers of 1024: GB = 1e9 and
GiB = 2**30 bytes are never mixed. Not modelled: unit algebra; each quantity is read against
the one unit that its place in a device file asks for.
"""

import math
import re
import sys
from decimal import Decimal
from typing import Final

from hw_models.errors import HardwareError, suggest

_Prefixes = dict[str, Decimal]

_UP: Final[_Prefixes] = {letter: Decimal(1000) ** n for n, letter in enumerate("kMGTP", start=1)}
_DOWN: Final[_Prefixes] = {letter: Decimal(1000) ** -n for n, letter in enumerate("munp", start=1)}
_BINARY: Final[_Prefixes] = {f"{letter}i": Decimal(1024) ** n for n, letter in enumerate("KMGT", 1)}

_PREFIXES: Final[dict[str, _Prefixes]] = {
    "B": {**_UP, **_BINARY},
    "B/s": {**_UP, **_BINARY},
    "T/s": _UP,
    "Hz": _UP,
    "FLOP/s": _UP,
    "weights/s": _UP,
    "bit": {},
    "s": _DOWN | {"µ": _DOWN["u"]},
    "W": {"m": _DOWN["m"], "k": _UP["k"]},
    "J": {"m": _DOWN["m"], "k": _UP["k"]},
    "J/bit": _DOWN,
    "J/B": _DOWN,
    "J/FLOP": _DOWN,
    "J/K": {},
    "K/W": {},
    "C": {},
    "K": {},
    "count": {},
    "elements": {},
    "fraction": {},
}

UNITS: Final = {
    unit: {unit: Decimal(1)} | {prefix + unit: factor for prefix, factor in prefixes.items()}
    for unit, prefixes in _PREFIXES.items()
}
"""Per SI unit: every accepted spelling and its factor."""
UNITS["count"][""] = Decimal(1)
UNITS["fraction"].update({"": Decimal(1), "%": Decimal("0.01")})

_QUANTITY: Final = re.compile(
    r"\s*([-+]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,3})?)(?![\d:_])\s*(.*?)\s*"
)
"""Plain decimal and a unit: no 0 in front (octal?), no colon (minutes?), no underscore."""

LARGEST: Final = sys.float_info.max


def parse(text: str | float, unit: str) -> float:
    """Read a quantity as a float in the SI unit `unit`.

    A bare number is read as already being in `unit`. Raises `HardwareError` for any other unit,
    for text that is no quantity, and for NaN and infinities.

    >>> parse("85.3 GB/s", "B/s")
    85300000000.0
    >>> parse("7168 KiB", "B") == 7 * 2**20
    True
    >>> parse("70 %", "fraction")
    0.7
    >>> parse("76.8 GB", "B/s")
    Traceback (most recent call last):
    hw_models.errors.HardwareError: must be a quantity in B/s. Got '76.8 GB'. Did you mean 'GB/s'?
    """
    value = math.nan
    if isinstance(text, int | float) and not isinstance(text, bool):
        if isinstance(text, int) and abs(text) > LARGEST:  # Python would not even print some
            raise HardwareError(f"must be a quantity in {unit}. Got a number of over 300 digits.")
        value = float(text)
    elif isinstance(text, str) and (match := _QUANTITY.fullmatch(text)):
        number, spelling = match.groups()
        if spelling not in UNITS[unit]:
            hint = suggest(spelling, filter(None, UNITS[unit]))
            raise HardwareError(f"must be a quantity in {unit}. Got {text!r}. {hint}")
        value = float(Decimal(number) * UNITS[unit][spelling])
    if not math.isfinite(value):
        raise HardwareError(f"must be a quantity in {unit}. Got {text!r}.")
    return value


def split(text: str) -> tuple[float, str]:
    """Return the number and the unit of a quantity as a file has it.

    Raises `HardwareError` for text that is no quantity.

    >>> split("20 TFLOP/s")
    (20.0, 'TFLOP/s')
    """
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise HardwareError(f"must be a quantity. Got {text!r}.")
    return float(match[1]), match[2]


def format_quantity(value: float, unit: str) -> str:
    """Write `value` (SI) as the shortest text that `parse` reads back to the same float.

    >>> format_quantity(8.53e10, "B/s"), format_quantity(7 * 2**20, "B")
    ('85.3 GB/s', '7 MiB')
    >>> format_quantity(6e-12, "J/bit"), format_quantity(0.7, "fraction")
    ('6 pJ/bit', '0.7')
    """
    exact = Decimal(repr(float(value)))
    if unit in ("count", "fraction"):
        return f"{exact.normalize():f}"
    texts = [
        f"{(exact / UNITS[unit][spelling]).normalize():f} {spelling}"
        for spelling in _handy_spellings(exact, unit)
    ]
    return min(texts, key=len)


def _handy_spellings(value: Decimal, unit: str) -> list[str]:
    """Name the largest binary multiple that divides bytes evenly and the largest decimal one."""
    spellings = sorted(UNITS[unit].items(), key=lambda item: item[1], reverse=True)
    binary = [(name, factor) for name, factor in spellings if name.removesuffix(unit) in _BINARY]
    whole = [
        name
        for name, factor in binary
        if unit == "B" and value and not float(value) % float(factor)
    ]
    decimal = [
        name for name, factor in spellings if factor <= abs(value) and (name, factor) not in binary
    ]
    smallest = [spellings[-1][0]] if value else [unit]
    return whole[:1] + (decimal or smallest)[:1]
