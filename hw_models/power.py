"""Energy of traffic and operations, power with the clock, its running mean, and leakage.

Not modelled: regulators, radios and the battery, and tables of voltages in steps.
"""

import numpy as np

from hw_models.laws import Numbers

_REFERENCE_C = 25.0
_SHUTDOWN_C = 125.0


def dram_energy_j(traffic_bytes: Numbers, energy_j_per_bit: Numbers) -> Numbers:
    """Energy of DRAM traffic: 8 bytes e, reads and writes alike.

    >>> round(float(dram_energy_j(0.905e9, 6e-12)) * 1e3, 2)
    43.44
    """
    return np.multiply(np.multiply(8, energy_j_per_bit), traffic_bytes)


def flash_energy_j(read_bytes: Numbers, energy_j_per_byte: Numbers) -> Numbers:
    """Energy of reading flash: bytes e.

    >>> float(flash_energy_j(2e9, 5e-10))
    1.0
    """
    return np.multiply(energy_j_per_byte, read_bytes)


def compute_energy_j(flops: Numbers, energy_j_per_flop: Numbers) -> Numbers:
    """Energy of arithmetic, useful FLOPs only (padding of tiles is taken to cost nothing).

    >>> float(compute_energy_j(8e9, 1e-12))
    0.008
    """
    return np.multiply(energy_j_per_flop, flops)


def clocked_w(
    traffic_w: Numbers, switched_w: Numbers, clock: Numbers, voltage_exponent: Numbers
) -> Numbers:
    """Power at a fraction c of the full clock: c P_traffic + c^(1 + g) P_switched [W].

    Work is done c times as fast. A byte costs what it did; what the unit's own logic switches
    costs C V^2, and the voltage falls with the clock, so that an operation costs c^g of what it
    did. Source: dynamic power of CMOS; g = 2 where the voltage is proportional to the clock, 0
    where it stays. Valid between the lowest and the highest clock of a unit's table.

    >>> float(clocked_w(2.0, 8.0, 0.5, 2.0))
    2.0
    """
    return np.multiply(traffic_w, clock) + np.multiply(
        switched_w, np.power(clock, np.add(1.0, voltage_exponent))
    )


def mean_power_w(
    mean_w: Numbers, power_w: Numbers, dt_s: Numbers, time_constant_s: Numbers
) -> Numbers:
    """Exponential running mean after ``dt_s`` of constant power: P + (M - P) exp(-dt / tau) [W].

    Source: the running average power limit of processors (a sustained and a burst power with one
    time constant between them). It is what a lump of heat capacity would tell, in watts.

    >>> round(float(mean_power_w(1.0, 10.0, 50.0, 50.0)), 3)
    6.689
    """
    return power_w + np.subtract(mean_w, power_w) * np.exp(-np.divide(dt_s, time_constant_s))


def reaches_s(
    mean_w: Numbers, power_w: Numbers, limit_w: Numbers, time_constant_s: Numbers
) -> Numbers:
    """Seconds of constant power until the running mean is at a limit; infinite if never [s].

    tau ln((P - M) / (P - limit)), the inverse of `mean_power_w`.

    >>> round(float(reaches_s(1.0, 10.0, 5.0, 50.0)), 2)
    29.39
    """
    to_limit_w = np.subtract(power_w, limit_w)
    is_apart = to_limit_w != 0.0
    share = np.subtract(power_w, mean_w) / np.where(is_apart, to_limit_w, 1.0)
    is_reached = is_apart & (share >= 1.0)
    return np.where(
        is_reached, np.multiply(time_constant_s, np.log(np.where(is_reached, share, 1.0))), np.inf
    )


def leakage_w(die_c: Numbers, leakage_at_25c_w: Numbers, doubling_k: Numbers) -> Numbers:
    """Leakage power at a die temperature: P_25 2^((T - 25) / D), no more than at 125 C.

    Source: the usual exponential fit to subthreshold leakage; valid within tens of kelvin of
    the range it was fitted in. At 125 C silicon shuts itself down, so nothing grows beyond it.

    >>> float(leakage_w(55.0, 0.15, 30.0))
    0.3
    """
    rise_k = np.minimum(die_c, _SHUTDOWN_C) - _REFERENCE_C
    return leakage_at_25c_w * np.exp2(rise_k / doubling_k)
