"""A number and where it comes from: `Parameter`, `Source`, and the reader of both.

Not modelled: how likely values between `low` and `high` are. `sim.explore.draws` decides how to
draw between them.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any, ClassVar, Literal, cast, get_args

import numpy as np
from pydantic import ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from hw_models.errors import HardwareError, suggest
from hw_models.laws import Numbers
from hw_models.units import format_quantity, parse

Kind = Literal["datasheet", "standard", "measured", "fitted", "derived", "assumed"]
"""How a number came to be known."""

OVERRIDE = "override"
"""Key of the source of what-if values; only these may be bare numbers (SI)."""

_KINDS = get_args(Kind)
_EXACT_KINDS = ("datasheet", "standard")
_BARE_UNITS = ("count", "fraction")
_KEYS = ("value", "kind", "source", "low", "high", "note")
_FOLLOWING = ("of", "times", "from")


@dataclass(frozen=True, slots=True)
class Source:
    """A document that numbers are taken from, or the stated reasoning behind them."""

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    title: str
    url: str | None = None
    doi: str | None = None
    accessed: date | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Follows:
    """That a number is a proportion of a sibling, its name ``of`` (`hw_models.following`)."""

    of: str
    times: float
    origin: float = 0.0

    def value(self, lead: Any) -> Any:
        """Return the number where the sibling has a value or a column of values.

        >>> Follows("3", 0.5, origin=1.0).value(0.4)
        0.7
        """
        found = self.origin + self.times * (lead - self.origin)
        return found if isinstance(found, np.ndarray) else float(f"{found:.12g}")

    def to_plain(self) -> dict[str, Any]:
        """Write as a device file does."""
        plain = {"of": self.of, "times": format_quantity(self.times, "fraction")}
        return plain | ({"from": format_quantity(self.origin, "fraction")} if self.origin else {})


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number in an SI unit with its kind, the key of its source, and its range.

    One that follows another of its part moves with it (`hw_models.tree.moved`).

    >>> Parameter(8.53e10, "B/s", "derived", "jedec", 8.5e10, 8.6e10).value
    85300000000.0
    """

    value: float
    unit: str
    kind: Kind
    source: str
    low: float
    high: float
    note: str = ""
    follows: Follows | None = None

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise HardwareError(_kind_fault(self.kind))
        if not isinstance(self.value, np.ndarray) and not self.low <= self.value <= self.high:
            got = f"{self.low:g}, {self.value:g}, {self.high:g}"
            raise HardwareError(f"must have low <= value <= high. Got {got}.")

    def __float__(self) -> float:
        return self.value

    def moved_to(self, value: Numbers) -> "Parameter":
        """Copy with another value in SI (counts rounded), the range widened if need be.

        A column of values stands for as many devices, see `SocSpec.with_values`.
        """
        if isinstance(value, np.ndarray):
            whole = cast(float, np.round(value) if self.unit == "count" else value)
            return replace(self, value=whole)
        value = float(round(value)) if self.unit == "count" else value
        low, high = min(self.low, value), max(self.high, value)
        return replace(self, value=value, low=low, high=high)

    def times(self, factor: float) -> "Parameter":
        """Copy with value, be it a column of values, and range multiplied."""
        value, low, high = (number * factor for number in (self.value, self.low, self.high))
        return replace(self, value=value, low=low, high=high)

    def at_most(self, most: float) -> "Parameter":
        """Copy with no end of the range, nor the value, above a number."""
        value, low, high = (min(most, number) for number in (self.value, self.low, self.high))
        return replace(self, value=value, low=low, high=high)

    def to_plain(self) -> dict[str, Any]:
        """Write as a device file does: text with units, or what it follows."""
        if self.follows is not None:
            noted = {"note": self.note} if self.note else {}
            return {**self.follows.to_plain(), "source": self.source, **noted}
        plain: dict[str, Any] = {
            "value": format_quantity(self.value, self.unit),
            "kind": self.kind,
            "source": self.source,
            "low": format_quantity(self.low, self.unit),
            "high": format_quantity(self.high, self.unit),
        }
        return plain | ({"note": self.note} if self.note else {})

    def to_record(self, sources: Mapping[str, Source]) -> dict[str, Any]:
        """Describe in SI for a catalogue, title and place of the source spelled out."""
        source = sources[self.source]
        where = source.url or (f"doi:{source.doi}" if source.doi else None)
        record = asdict(self) | {"source": f"{source.title} ({where})" if where else source.title}
        return {
            key: record[key] for key in ("value", "unit", "kind", "source", "low", "high", "note")
        }


@dataclass(frozen=True, slots=True)
class Quantity:
    """Annotation of a `Parameter` field: its unit and the physical bounds of its value.

    Reads `{value, kind, source, low, high, note}`; the validation context holds the keys of
    the listed sources. Datasheet and standard numbers may leave out `low` and `high`.
    """

    unit: str
    minimum: float = 0.0
    maximum: float = 1e30
    above_minimum: bool = False
    whole: bool = False

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Let pydantic call `read` for fields annotated with this quantity."""
        return core_schema.with_info_plain_validator_function(
            lambda given, info: self.read(given, info.context or {})
        )

    def read(self, given: Any, sources: Collection[str]) -> Parameter:
        """Make the Parameter that `given` describes, or raise HardwareError with every fault.

        A ready Parameter passes if it keeps the rules; its numbers are SI already.
        """
        bare = isinstance(given, Parameter) or self.unit in _BARE_UNITS
        follows = given.follows if isinstance(given, Parameter) else _follows(given)
        if isinstance(given, Parameter):
            given = {name: getattr(given, name) for name in _KEYS}
        if not isinstance(given, Mapping):
            rule = f"must be a mapping with {', '.join(_KEYS)}"
            raise HardwareError(f"{rule}. Got {given!r}.")
        faults = [*_key_faults(given), *_source_faults(given, sources)]
        numbers: dict[str, float] = {}
        for key in [key for key in ("value", "low", "high") if key in given]:
            try:
                numbers[key] = self.number(given[key], bare or given.get("source") == OVERRIDE)
            except HardwareError as error:
                faults += [fault if key == "value" else f"{key} {fault}" for fault in error.faults]
        if faults:
            raise HardwareError(*faults)
        note = " ".join(str(given.get("note", "")).split())
        exact = {"low": numbers["value"], "high": numbers["value"]}
        return Parameter(
            **(exact | numbers),
            unit=self.unit,
            kind=given["kind"],
            source=given["source"],
            note=note,
            follows=follows,
        )

    def number(self, given: Any, bare: bool) -> float:
        """Read one number in SI; `bare` admits numbers without a unit.

        Raises `HardwareError` if it is no quantity of this unit or breaks the bounds.
        """
        if not bare and not isinstance(given, str):
            raise HardwareError(
                f"must be text with a unit, a quantity in {self.unit}. Got {given!r}."
            )
        value = parse(given, self.unit)
        too_low = value <= self.minimum if self.above_minimum else value < self.minimum
        if too_low or value > self.maximum or (self.whole and value != int(value)):
            raise HardwareError(f"must be {self._bounds()}. Got {given!r}.")
        return value

    def _bounds(self) -> str:
        number = "a whole number" if self.whole else "a number"
        above = "above" if self.above_minimum else "of at least"
        unit = "" if self.unit in _BARE_UNITS else f" {self.unit}"
        return f"{number} {above} {self.minimum:g}{unit} and at most {self.maximum:g}{unit}"


def _follows(given: Any) -> Follows | None:
    """Return what an entry follows, once `hw_models.following` has worked out its numbers."""
    if not isinstance(given, Mapping) or "of" not in given:
        return None
    return Follows(str(given["of"]), float(given["times"]), float(given.get("from", 0.0)))


def _key_faults(given: Mapping[str, Any]) -> list[str]:
    needed, kind = ["value", "kind", "source"], given.get("kind")
    if kind not in _EXACT_KINDS and given.get("source") != OVERRIDE:
        needed += ["low", "high"]
    missing = [key for key in needed if key not in given]
    if missing and kind is not None and kind not in _KINDS:
        return [_kind_fault(kind)]  # what must be stated depends on it
    unknown = [key for key in given if key not in (*_KEYS, *_FOLLOWING)]
    return [f"must state its {key}. Got {dict(given)!r}." for key in missing] + [
        f"must have no key but {', '.join(_KEYS)}. Got {key!r}. {suggest(str(key), _KEYS)}"
        for key in unknown
    ]


def _kind_fault(kind: object) -> str:
    rule = f"must have a kind among {', '.join(_KINDS)}"
    return f"{rule}. Got {kind!r}. {suggest(str(kind), _KINDS)}"


def _source_faults(given: Mapping[str, Any], sources: Collection[str]) -> list[str]:
    key = given.get("source")
    if key is None or key in list(sources):
        return []
    return [f"must cite a source listed under sources. Got {key!r}. {suggest(str(key), sources)}"]
