"""Bandwidth that DRAM sustains, and latency under load.

Not modelled: banks, rows and the scheduler one by one. Their joint effect is a measured or
simulated efficiency per read share and a half-efficiency request size.
"""

import numpy as np

from hw_models.laws import Numbers


def peak_bytes_per_s(channels: float, width_bits: float, rate_transfers_per_s: float) -> float:
    """Peak bandwidth: channels x width x rate / 8.

    >>> peak_bytes_per_s(4, 16, 10.667e9)
    85336000000.0
    """
    return channels * width_bits * rate_transfers_per_s / 8


def mix_efficiency(
    read_share: Numbers, *, read_only: float, read_80: float, read_50: float
) -> Numbers:
    """Fraction of the peak attained at a share of reads, linear between 50, 80 and 100 %.

    Source of the three points: a cycle-level simulation such as Ramulator 2.1
    (https://github.com/CMU-SAFARI/ramulator2). Below 50 % reads the value at 50 % holds.

    >>> float(mix_efficiency(0.9, read_only=0.933, read_80=0.822, read_50=0.704))
    0.8775
    """
    return np.interp(read_share, [0.5, 0.8, 1.0], [read_50, read_80, read_only])


def granularity_efficiency(request_bytes: Numbers, row_bytes: float) -> Numbers:
    """Fraction of the streaming rate attained by requests of one size: g / (g + g_half).

    Arguments: request and half-efficiency sizes in bytes. Source: Hockney's (r_inf, n_1/2) law;
    valid for independent requests in sequence.

    >>> float(granularity_efficiency(256, 256))
    0.5
    """
    return np.divide(request_bytes, np.add(request_bytes, row_bytes))


def refresh_efficiency(refresh_s: float, refresh_interval_s: float) -> float:
    """Fraction of time left by all-bank refresh: 1 - tRFCab / tREFI, a lower bound.

    LPDDR5 of 16 Gb: tRFCab 280 ns every 3.906 us (JESD209-5B); per-bank refresh hides most.

    >>> round(refresh_efficiency(280e-9, 3.906e-6), 3)
    0.928
    """
    return 1 - refresh_s / refresh_interval_s


def loaded_latency_s(service_s: Numbers, load: Numbers) -> Numbers:
    """Mean response time of an M/D/1 queue: s (1 + rho / (2 (1 - rho))), infinite from rho = 1.

    Arguments: service time without load, load rho as a fraction of the sustained bandwidth.
    Source: Pollaczek-Khinchine formula. Valid for random arrivals of equal requests.

    >>> float(loaded_latency_s(100e-9, 0.5)) * 1e9
    150.0
    """
    rho = np.clip(load, 0.0, 1.0)
    with np.errstate(divide="ignore"):
        wait: Numbers = np.divide(rho, 2 * (1 - rho))
    return np.multiply(service_s, 1 + wait)
