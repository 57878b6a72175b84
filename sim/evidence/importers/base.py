"""What every importer is and shares: the type, strict numbers, JSON, and run building.

An importer reads fields by the names the tool documents; a field it does not know is ignored, a
field that is missing is unknown, and a number that is not finite is refused. Not modelled: binary
formats; an importer sees text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from sim.errors import SimError
from sim.evidence.measured import MeasuredRun, OperatorTime

_SECONDS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0}


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
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            found = float(value)
        except (ValueError, OverflowError):
            found = math.nan
        if math.isfinite(found) and found >= 0.0:
            return found
    raise SimError(f"{what} must be a finite number, zero or above. Got {value!r:.60}.")


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
    lines = text.splitlines(keepends=True)
    start = next((i for i, line in enumerate(lines) if line.lstrip()[:1] in ("[", "{")), 0)
    try:
        return json.JSONDecoder().raw_decode("".join(lines[start:]).lstrip())[0]
    except json.JSONDecodeError as error:
        where = f"line {start + error.lineno}"
        raise SimError(f"{where}: must be whole JSON. Got: {error.msg}.") from None
    except (ValueError, RecursionError) as error:
        raise SimError(f"must be JSON of ordinary size. Got: {error}.") from None


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
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise SimError(f"{place}: {first['msg']}. Got {first['input']!r:.60}.") from None


def total_by_name(times: Iterable[OperatorTime]) -> tuple[OperatorTime, ...]:
    """Add up the entries of the same name and unit, slowest first."""
    totals: dict[tuple[str, str], OperatorTime] = {}
    for time in times:
        key = (time.name, time.unit)
        so_far = totals.get(key, OperatorTime(time.name, 0, 0.0, time.unit))
        totals[key] = so_far._replace(
            calls=so_far.calls + time.calls, duration_s=so_far.duration_s + time.duration_s
        )
    return tuple(sorted(totals.values(), key=lambda total: (-total.duration_s, total.name)))
