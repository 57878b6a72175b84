"""Bandwidth that DRAM sustains, as a fraction of its peak.

Not modelled: single banks, rows, and the order in which requests are served. What they cost
together is given by an efficiency for each share of reads, and by the request size at which half of
the streaming rate is reached.
"""

import numpy as np

from hw_models.laws import Numbers


def mix_efficiency(
    read_share: Numbers, *, read_only: Numbers, read_80: Numbers, read_50: Numbers
) -> Numbers:
    """Fraction of the peak attained at a share of reads, linear between 50, 80 and 100 %.

    Source of the three points: a cycle-level simulation such as Ramulator 2.1
    (https://github.com/CMU-SAFARI/ramulator2). Below 50 % reads the value at 50 % holds.

    >>> float(mix_efficiency(0.9, read_only=0.933, read_80=0.822, read_50=0.704))
    0.8775
    """
    below = np.clip((np.asarray(read_share) - 0.5) / 0.3, 0.0, 1.0)
    above = np.clip((np.asarray(read_share) - 0.8) / 0.2, 0.0, 1.0)
    return read_50 + below * np.subtract(read_80, read_50) + above * np.subtract(read_only, read_80)


def granularity_efficiency(request_bytes: Numbers, row_bytes: Numbers) -> Numbers:
    """Fraction of the streaming rate attained by requests of one size: g / (g + g_half).

    Arguments: request and half-efficiency sizes in bytes. Source: Hockney's (r_inf, n_1/2) law;
    valid for independent requests in sequence. The same law holds for all transfers of an operator,
    which begin with the latency l of the first: t = l + b / r = (b + b_half) / r, b_half = l r.

    >>> float(granularity_efficiency(256, 256))
    0.5
    >>> bytes_per_s, latency_s = 50e9, 2e-6
    >>> seconds = 1e6 / bytes_per_s / granularity_efficiency(1e6, latency_s * bytes_per_s)
    >>> round(float(seconds) * 1e6, 6)
    22.0
    """
    return np.divide(request_bytes, np.add(request_bytes, row_bytes))


def waiting(before: Numbers, beside: Numbers, behind: Numbers) -> Numbers:
    """Mean wait of a request behind others', in services of one::

        w = (before + beside + behind) / 2 / ((1 - before) (1 - before - beside))

    Arguments: shares of the bus that others take, of classes served first, of the same class and of
    those served later. A unit that keeps n requests of service s under way, each with a latency l
    where nobody else asks, has n / l of them served a second, and with others n / (l + w s): its
    rate falls by 1 / (1 + q w), q = s / l.

    Source: A. Cobham, Priority Assignment in Waiting Line Problems, Operations Research 2 (1954),
    for services of one length. Valid while before + beside < 1, for requests in no order.

    >>> float(waiting(0.0, 0.5, 0.0)), float(waiting(0.0, 0.0, 0.5))
    (0.5, 0.25)
    """
    asked = np.minimum(1.0, np.add(np.add(before, beside), behind))
    left = np.subtract(1.0, before)
    return np.divide(asked, 2.0 * left * np.subtract(left, beside))
