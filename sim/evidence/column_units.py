"""The unit that a column's header states, and how its numbers become those of our columns.

A unit stands in brackets (``TTFT (ms)``, ``RAM [MB]``) or behind the name (``ttft_ms``,
``TG t/s``), in any case: nobody measures a phone in megawatts. KB, MB and GB are powers of 1000,
KiB to GiB of 1024. A time per token becomes a rate. ``min`` are minutes unless other columns are
means or maxima. Not read: a unit inside a cell.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from typing import Final, NamedTuple

from hw_models.units import UNITS
from sim.evidence.measured_metrics import METRICS

_WORDS: Final = {
    "s": ("sec", "secs", "second", "seconds"),
    "ms": ("msec", "msecs", "millis", "millisecond", "milliseconds"),
    "us": ("usec", "microsecond", "microseconds"),
    "B": ("byte", "bytes"),
    "W": ("watt", "watts"),
    "mW": ("milliwatt", "milliwatts"),
    "J": ("joule", "joules"),
    "mJ": ("millijoule", "millijoules"),
}
_OTHERS: Final = (
    *("%", "percent", "ma", "mah", "v", "mv", "hz", "mhz", "ghz", "c", "°c", "words", "chars"),
    *("images", "frames", "px"),
)
"""Units that no column of ours has, or can be told from."""
_BRACKETS: Final = re.compile(r"[(\[{]([^()\[\]{}]*)[)\]}]")
_SUFFIX: Final = re.compile(
    r"(?:^|[\s_.,:\-])([^\W\d_]+(?:(?:\s*/\s*|[\s_]per[\s_])[^\W\d_]+)?|%)\s*$", re.IGNORECASE
)
_STATISTIC: Final = re.compile(
    r"[\s_.,:\-]+(?:min|max|avg|mean|median|std|p\d\d)\s*$", re.IGNORECASE
)
_OTHER_STATISTIC: Final = re.compile(r"(?<![a-z])(?:max|avg|mean|median)(?![a-z])", re.IGNORECASE)
_OWN: Final = {
    "tokens_per_s": ("tokens", "s", "tokens/s"),
    "s": ("s", "", "s"),
    "bytes": ("B", "", "B"),
    "w": ("W", "", "W"),
    "j_per_token": ("J", "tokens", "J/token"),
    "tokens": ("tokens", "", "tokens"),
}
"""What our columns end in, with the unit that says."""
_OWN_END: Final = re.compile(rf"_?({'|'.join(_OWN)})$")


SAID: Final = "column "
"""How a sentence begins that says how a column was read."""


class Unit(NamedTuple):
    """A unit as spelt, its SI units over and under the line, and its size in these."""

    spelt: str
    over: str
    under: str
    factor: Decimal


class Stated(NamedTuple):
    """A unit, what else the header says, and whether the unit has no brackets."""

    unit: Unit
    rest: str
    is_suffix: bool


class Reading(NamedTuple):
    """How one column is read.

    Attributes
    ----------
    ours
        The column in our words, "" where it is left out.
    factor
        What a number is multiplied with to be in our unit.
    inverse
        The product is then turned over: a time per token becomes a rate.
    said
        What a person should know of it, "" where the unit is ours.
    fault
        Why the column cannot be read, "" where it can.
    """

    ours: str
    factor: Decimal = Decimal(1)
    inverse: bool = False
    said: str = ""
    fault: str = ""

    def value(self, number: float) -> float:
        """Return a number of the column in our unit; ValueError for a 0 that has no inverse."""
        if self.factor == 1 and not self.inverse:
            return number
        found = Decimal(repr(number)) * self.factor
        if self.inverse and not found:
            raise ValueError("above 0, since its inverse is read")
        return float(1 / found if self.inverse else found)


def unit_of(ours: str) -> str:
    """Return the unit of one of our columns, "" where it has none.

    >>> unit_of("peak_dram_bytes"), unit_of("model")
    ('B', '')
    """
    end = _OWN_END.search(ours)
    return _OWN[end[1]][2] if end else ""


def reading(theirs: str, ours: str, header: Sequence[str] = ()) -> Reading:
    """Return how a column is read as one of ours, by the unit that its name states.

    Parameters
    ----------
    header
        All columns of the file.

    >>> reading("TTFT (ms)", "time_to_first_token_s").value(1310.0)
    1.31
    >>> reading("decode_ms_per_token", "tokens_per_s").value(50.0)
    20.0
    >>> reading("RAM (MB)", "time_to_first_token_s").fault
    "column 'RAM (MB)' is in MB, which cannot become the s of time_to_first_token_s."
    """
    end = _OWN_END.search(ours)
    if theirs == ours or end is None:
        return Reading(ours)
    over, under, own = _OWN[end[1]]
    found = _stated(theirs, any(_OTHER_STATISTIC.search(cell) for cell in header))
    if found is None:
        unknown = _BRACKETS.search(theirs)
        said = f"{SAID}{theirs!r:.80} states no unit that is known: read in {own}."
        return Reading(ours, said=said if unknown else "")
    unit = found.unit
    if (unit.over, unit.under) in ((over, under), (over, "") if over == "J" else ()):
        return _converted(theirs, ours, own, unit, inverse=False)
    if under and (unit.over, unit.under) == (under, over):
        return _converted(theirs, ours, own, unit, inverse=True)
    if found.is_suffix and len(unit.spelt) == 1:
        return Reading(ours)  # "Phone B" is no phone in bytes
    fault = f"column {theirs!r:.80} is in {unit.spelt}, which cannot become the {own} of {ours}."
    return Reading(ours, fault=fault)


def own_reading(theirs: str) -> Reading | None:
    """Return how a column is read that is named like a metric of ours, in another unit.

    >>> own_reading("peak_dram_mb").value(1450.0)
    1450000000.0
    >>> own_reading("power") is None
    True
    """
    found = _stated(theirs, False)
    if found is None:
        return None
    stem = re.sub(r"[\s_\-]+", "_", found.rest.strip(" _-").lower())
    ours = _stems().get(stem)
    if ours is None or (not stem and "_per_" not in theirs):
        return None
    read = reading(theirs, ours)
    is_other = not read.fault and bool(read.said)  # else it may be a misspelt name
    return read if stem or is_other else None


@cache
def _stems() -> dict[str, str]:
    """Return our metrics by name, with the unit and without."""
    return {name: name for name in METRICS} | {_OWN_END.sub("", name): name for name in METRICS}


def _converted(theirs: str, ours: str, own: str, unit: Unit, *, inverse: bool) -> Reading:
    if unit.factor == 1 and not inverse:
        return Reading(ours)
    said = f"{SAID}{theirs!r:.80} is in {unit.spelt}: converted to the {own} of {ours}."
    return Reading(ours, unit.factor, inverse, said)


def _stated(name: str, statistics: bool) -> Stated | None:
    """Return the unit that a name states; ``statistics``: another column is a mean or maximum."""
    for match in reversed([*_BRACKETS.finditer(name)]):
        for part in (match[1], *re.split(r"[,;]", match[1])):
            unit = _unit(part.strip().removeprefix("in "))
            if unit and not (statistics and unit.spelt.lower() == "min"):
                return Stated(unit, name[: match.start()] + name[match.end() :], is_suffix=False)
    plain = _BRACKETS.sub("", name).rstrip()
    for text in (_STATISTIC.sub("", plain), plain):
        found = _SUFFIX.search(text)
        unit = _unit(found[1]) if found else None
        if found and unit and not (statistics and unit.spelt.lower() == "min"):
            return Stated(unit, text[: found.start()], is_suffix=True)
    return None


@cache
def _unit(text: str) -> Unit | None:
    """Return the unit a text is, or none."""
    plain = text.strip().lower().replace("μ", "µ")
    parts = ["tok", "s"] if plain == "tps" else re.split(r"\s*/\s*|[\s_]+per[\s_]+", plain)
    known = [_simple().get(part) for part in parts]
    if not 1 <= len(known) <= 2 or None in known:
        return None
    (over, factor), (under, divisor) = (*known, ("", Decimal(1)))[:2]  # type: ignore[misc]
    return Unit(text.strip(), over, under, factor / divisor)


@cache
def _simple() -> dict[str, tuple[str, Decimal]]:
    """Return the units without a line, in lower case: the SI unit and the factor of each."""
    found = {
        spelt.lower(): (unit, factor)
        for unit in ("s", "B", "W", "J")
        for spelt, factor in UNITS[unit].items()
    }
    found |= {word: found[unit.lower()] for unit, words in _WORDS.items() for word in words}
    found |= dict.fromkeys(("min", "mins", "minute", "minutes"), ("s", Decimal(60)))
    found |= {"wh": ("J", Decimal(3600)), "mwh": ("J", Decimal("3.6"))}
    found |= dict.fromkeys(("t", "tok", "toks", "token", "tokens"), ("tokens", Decimal(1)))
    return found | dict.fromkeys(_OTHERS, ("other", Decimal(1)))
