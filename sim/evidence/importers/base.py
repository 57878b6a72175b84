"""What every importer is and shares: the type, strict numbers, JSON, and run building.

An importer reads fields by the names the tool documents; a field it does not know is ignored, a
field that is missing is unknown, and a number that is not finite is refused. Not modelled: binary
formats; an importer sees text.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from pydantic import ValidationError

from sim.errors import SimError
from sim.evidence.measured import MeasuredRun, OperatorTime
from workloads.explain import sentences

_OPENS: Final = re.compile(r"^[ \t]*[\[{]", re.MULTILINE)
_GAP: Final = re.compile(r"[\s,]*")
_NUMBERS: Final = (float, str, int)
_SECONDS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0}
_THOUSANDS: Final = re.compile(r"\d{1,3}(?:,\d{3})+\.\d+")
_DECIMAL: Final = re.compile(r"\d+,\d{1,2}")


@dataclass(frozen=True)
class Importer:
    """One format of measured files.

    Attributes
    ----------
    name
        What a person types to force the format.
    describes
        One line on which tool writes it and where its fields are documented.
    sniff
        Whether text looks like this format; must be cheap and never raise.
    read
        Turns text into runs; raises SimError.
    """

    name: str
    describes: str
    sniff: Callable[[str], bool]
    read: Callable[[str], list[MeasuredRun]]


def number(value: object, what: str) -> float:
    """Return a finite number, zero or above.

    >>> number("24.5", "avg_ts")
    24.5
    >>> number("Infinity", "avg_ts")
    Traceback (most recent call last):
    sim.errors.SimError: avg_ts must be a finite number, zero or above. Got 'Infinity'.
    """
    if type(value) in _NUMBERS:  # no bool; millions of values pass here
        try:
            found = float(value)  # type: ignore[arg-type]  # one of the three
        except (ValueError, OverflowError):
            found = math.nan
        if math.isfinite(found) and found >= 0.0:
            return found
    raise SimError(f"{what} must be a finite number, zero or above. Got {value!r:.60}.")


def with_point(text: str) -> str:
    """Return a number as the tool prints it, where a person's commas leave no doubt.

    >>> with_point("1,015.00"), with_point("15,02"), with_point("1,015")
    ('1015.00', '15.02', '1,015')
    """
    if _THOUSANDS.fullmatch(text):
        return text.replace(",", "")
    return text.replace(",", ".") if _DECIMAL.fullmatch(text) else text


def count(value: object, what: str) -> int:
    """Return a whole number, zero or above; raises SimError for anything else."""
    found = number(value, what)
    if not found.is_integer():
        raise SimError(f"{what} must be a whole number. Got {value!r:.60}.")
    return int(found)


def positive(value: object, what: str) -> float:
    """Return a finite number above zero: a time or rate of zero means nothing was timed.

    Raises SimError for anything else.
    """
    found = number(value, what)
    if found == 0.0:
        raise SimError(f"{what} must be above 0. Got 0: nothing was timed.")
    return found


def seconds(value: object, unit: str, what: str) -> float:
    """Return a duration in seconds; raises SimError for a unit that is none of time.

    >>> seconds(250, "ms", "total")
    0.25
    """
    if unit not in _SECONDS:
        raise SimError(f"{what} must be in one of {', '.join(_SECONDS)}. Got {unit!r:.20}.")
    return number(value, what) * _SECONDS[unit]


def parse_json(text: str) -> Any:
    """Return the first JSON document in text: it begins with the first line that opens one.

    What a log printed on lines before it, and after its end, is skipped. Raises SimError with the
    line where the document breaks off.
    """
    for document in documents(text):
        return document
    raise SimError("line 1: must be whole JSON. Got no document.")


def documents(text: str) -> Iterator[Any]:
    """Yield the JSON documents in text, arrays item by item where they hold objects only.

    What a log printed before, between and behind them is skipped: a document begins a line. Raises
    SimError where the first one breaks off; later ones are left out.
    """
    decoder, place, found = json.JSONDecoder(), 0, False
    for match in _OPENS.finditer(text):
        if match.start() < place:
            continue
        try:
            document, place = decoder.raw_decode(text, match.end() - 1)
        except json.JSONDecodeError as error:
            if not found and _is_document(text, match.end()):
                raise SimError(
                    f"line {error.lineno}: must be whole JSON. Got: {error.msg}."
                ) from None
            continue
        except (ValueError, RecursionError) as error:
            raise SimError(f"must be JSON of ordinary size. Got: {error}.") from None
        found = True
        yield document
    if not found:
        raise SimError("line 1: must be whole JSON. Got no document.")


def array_items(text: str) -> Iterator[Any]:
    """Yield the items of the JSON arrays in text, and documents that are none, as they come.

    An item that breaks off, as where a file was cut, becomes ``{"fault": reason}``; later lines
    that open a document are read again.
    """
    decoder, place = json.JSONDecoder(), 0
    for match in _OPENS.finditer(text):
        if match.start() < place:
            continue
        place = match.end() - 1
        inside = text[place] == "[" and _is_document(text, place + 1)
        place += inside
        while True:
            place = _GAP.match(text, place).end()  # type: ignore[union-attr]
            try:
                item, place = decoder.raw_decode(text, place)
            except (ValueError, RecursionError) as error:
                if place < len(text) and not (inside and text[place] == "]"):
                    if text[place] in "[{":
                        line = text.count("\n", 0, place) + 1
                        yield {"fault": f"line {line}: must be whole JSON. Got: {error!s:.60}."}
                    place += 1
                break
            yield item
            if not inside:
                break


def _is_document(text: str, start: int) -> bool:
    """Whether an opened bracket is no word of a log, such as ``[INFO]``."""
    return text[start : start + 200].lstrip()[:1] in ('"', "{", "[", "}", "]", "")


def parts(text: str, begins: str) -> list[str]:
    """Return the parts of a text that each begin with a line of a pattern; all of it without one.

    >>> parts("log\\nRun 1\\na\\nRun 2\\nb", r"^Run ")
    ['Run 1\\na\\n', 'Run 2\\nb']
    """
    starts = [match.start() for match in re.finditer(begins, text, re.MULTILINE)]
    return [text[one:other] for one, other in pairwise((*starts, len(text)))] or [text]


def mapping(value: object, what: str) -> Mapping[str, Any]:
    """Return a JSON object; raises SimError for any other JSON value."""
    if not isinstance(value, dict):
        raise SimError(f"{what} must be a JSON object. Got a {type(value).__name__}.")
    return value


def build_run(**fields: Any) -> MeasuredRun:
    """Return a run; raises SimError that says which field breaks which rule."""
    try:
        return MeasuredRun(**fields)
    except ValidationError as error:
        raise SimError(sentences(error)[0]) from None


def total_by_name(times: Iterable[OperatorTime]) -> tuple[OperatorTime, ...]:
    """Add up the entries of the same name, unit and shape, slowest first."""
    totals: dict[tuple[str, str, str], OperatorTime] = {}
    for time in times:
        key = (time.name, time.unit, time.shape)
        so_far = totals.get(key, OperatorTime(time.name, 0, 0.0, time.unit, time.shape))
        totals[key] = so_far._replace(
            calls=so_far.calls + time.calls, duration_s=so_far.duration_s + time.duration_s
        )
    return tuple(sorted(totals.values(), key=lambda total: (-total.duration_s, total.name)))
