"""What a device file says of heat: lumps, governors, the budget of its power.

Not modelled: tables of a governor that depend on what runs.
"""

from pydantic import model_validator

from hw_models.errors import HardwareError
from hw_models.part import Part
from hw_models.quantities import (
    Celsius,
    Fraction,
    Fractions,
    HeatCapacity,
    Kelvin,
    Period,
    Resistance,
    Temperatures,
    Watts,
)


class ThermalNode(Part):
    """A lump of heat capacity and its resistance to the next lump outwards."""

    heat_capacity: HeatCapacity
    resistance_to_next: Resistance


class BodyNode(Part):
    """The outermost lump, whose temperature the hand feels."""

    heat_capacity: HeatCapacity
    resistance_to_ambient: Resistance


class Governor(Part):
    """Stepwise throttling: a clock fraction for each trip of the body temperature."""

    trip_c: Temperatures
    clock_fraction: Fractions
    hysteresis_c: Kelvin
    sensor_period_s: Period

    @model_validator(mode="after")
    def _one_fraction_per_trip(self) -> "Governor":
        if not self.trip_c or len(self.trip_c) != len(self.clock_fraction):
            got = f"{len(self.trip_c)} and {len(self.clock_fraction)}"
            rule = "must have as many trip_c as clock_fraction, at least one"
            raise HardwareError(f"{rule}. Got {got}.")
        return self


class DieGovernor(Part):
    """The die's passive trip: at each poll one clock fraction down while it is hot and rising."""

    trip_c: Celsius
    clock_fraction: Fractions
    hysteresis_c: Kelvin
    sensor_period_s: Period


class PowerBudget(Part):
    """Short bursts above a sustained power of the whole device: its running mean is held.

    Each poll moves one clock fraction down while mean and present power are at the budget, and one
    up once both are below it by the hysteresis (`thermal.next_spent`).
    """

    sustained_w: Watts
    time_constant_s: Period
    clock_fraction: Fractions
    hysteresis_w: Watts
    sensor_period_s: Period


class Latch(Part):
    """A slow state that stays once the die was this hot, until the device is started anew."""

    trip_c: Celsius
    clock_fraction: Fraction


class SkinSpot(Part):
    """A spot of the skin over the board, too light to draw heat from it, that a governor reads.

    It follows the spreader with one time constant (`thermal.RcChain.followed`).
    """

    time_constant_s: Period


class Thermal(Part):
    """Die, spreader and body in a chain to the ambient air, and what throttles the clock.

    The die stands for its hot spot, the spreader for board and battery, the body for the skin.
    """

    die: ThermalNode
    spreader: ThermalNode
    body: BodyNode
    governor: Governor
    die_governor: DieGovernor | None = None
    """None: the die is cooled well enough to be left alone."""
    budget: PowerBudget | None = None
    """None: no limit of power is known."""
    skin: SkinSpot | None = None
    """None: `governor` reads the body. Otherwise it reads this spot."""
    latch: Latch | None = None
    """None: no such state is known."""
