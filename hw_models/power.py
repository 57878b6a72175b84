"""Energy of traffic and operations, and leakage.

Not modelled: voltage and frequency scaling, regulators, radios and the battery.
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


def leakage_w(die_c: Numbers, leakage_at_25c_w: Numbers, doubling_k: Numbers) -> Numbers:
    """Leakage power at a die temperature: P_25 2^((T - 25) / D), no more than at 125 C.

    Source: the usual exponential fit to subthreshold leakage; valid within tens of kelvin of
    the range it was fitted in. At 125 C silicon shuts itself down, so nothing grows beyond it.

    >>> float(leakage_w(55.0, 0.15, 30.0))
    0.3
    """
    rise_k = np.minimum(die_c, _SHUTDOWN_C) - _REFERENCE_C
    return leakage_at_25c_w * np.exp2(rise_k / doubling_k)
