"""Types of the numbers in a device file: a unit and physical bounds for each.

The bounds are wide: they catch a wrong unit or prefix, and let unusual hardware through. Rates and
periods have a least value besides, so that no run lasts years of simulated time.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from hw_models.errors import HardwareError
from hw_models.following import spread
from hw_models.provenance import Parameter, Quantity
from hw_models.units import parse

SLOWEST = 1e6
"""Least of all rates, per second; storage of the slowest board known reads 40 times as fast."""

Count = Annotated[Parameter, Quantity("count", 1, 1e9, whole=True)]
Fraction = Annotated[Parameter, Quantity("fraction", 0, 1, above_minimum=True)]
Exponent = Annotated[Parameter, Quantity("fraction", 0, 3)]
"""A power of the clock, hence without a unit."""
Factor = Annotated[Parameter, Quantity("fraction", 1, 1e3)]
"""How many times something happens, at least once."""
Ratio = Annotated[Parameter, Quantity("fraction", 0, 1e3, above_minimum=True)]
"""One speed over another, below or above one."""
Share = Annotated[Parameter, Quantity("fraction", 0, 1)]
"""A fraction that may be none at all."""
Elements = Annotated[Parameter, Quantity("elements", 0, 1e9)]
Seconds = Annotated[Parameter, Quantity("s", 0, 1e4)]
Period = Annotated[Parameter, Quantity("s", 1e-3, 1e4)]
Buffers = Annotated[Parameter, Quantity("count", 1, 64, whole=True)]
"""At most 64, since the engines carry one number per buffer through every tile."""
BufferBytes = Annotated[Parameter, Quantity("B", 1, 1e15)]
Bytes = Annotated[Parameter, Quantity("B", 0, 1e15)]
Bits = Annotated[Parameter, Quantity("bit", 1, 8192, whole=True)]
BytesPerSecond = Annotated[Parameter, Quantity("B/s", SLOWEST, 1e15)]
TransfersPerSecond = Annotated[Parameter, Quantity("T/s", SLOWEST, 1e12)]
FlopPerSecond = Annotated[Parameter, Quantity("FLOP/s", SLOWEST, 1e18)]
Hertz = Annotated[Parameter, Quantity("Hz", SLOWEST, 1e12)]
PerCycle = Annotated[Parameter, Quantity("fraction", 0, 1e6, above_minimum=True)]
"""Work of one core in one cycle, a mean: no whole number."""
WeightsPerSecond = Annotated[Parameter, Quantity("weights/s", SLOWEST, 1e21)]
JoulePerBit = Annotated[Parameter, Quantity("J/bit", 0, 1e-6)]
JoulePerByte = Annotated[Parameter, Quantity("J/B", 0, 1e-3)]
JoulePerFlop = Annotated[Parameter, Quantity("J/FLOP", 0, 1e-6)]
Watts = Annotated[Parameter, Quantity("W", 0, 1e4)]
HeatCapacity = Annotated[Parameter, Quantity("J/K", 0, 1e6, above_minimum=True)]
Resistance = Annotated[Parameter, Quantity("K/W", 0, 1e6, above_minimum=True)]
Celsius = Annotated[Parameter, Quantity("C", -273.15, 1000)]
Kelvin = Annotated[Parameter, Quantity("K", 0, 1000, above_minimum=True)]

Plain = Annotated[float, BeforeValidator(lambda given: parse(given, "fraction"))]
"""A number without unit, source and range, such as a correlation."""


def _spread_from(origin: float) -> BeforeValidator:
    """Turn `{value: [a, b], kind: k, ...}` into one mapping per value."""
    return BeforeValidator(
        lambda given: spread(given, origin) if isinstance(given, Mapping) else given
    )


def _ascending(parameters: tuple[Parameter, ...]) -> tuple[Parameter, ...]:
    values = [parameter.value for parameter in parameters]
    if any(later <= earlier for earlier, later in pairwise(values)):
        raise HardwareError(f"must have ascending values. Got {values}.")
    return parameters


def _exact(given: Any) -> Any:
    """Set `low` and `high` of compiled sizes to the value: they are choices, not estimates."""
    if not isinstance(given, Mapping) or "value" not in given:
        return given
    return {"low": given["value"], "high": given["value"], **given}


# The last validator of a kind runs first: `_exact` sees the file's mapping before `_spread` does.
Sizes = Annotated[
    tuple[Count, ...], _spread_from(0.0), BeforeValidator(_exact), AfterValidator(_ascending)
]
Temperatures = Annotated[tuple[Celsius, ...], _spread_from(0.0), AfterValidator(_ascending)]
Fractions = Annotated[tuple[Fraction, ...], _spread_from(1.0)]
