"""Time to read from flash storage.

Not modelled: writes, the page cache, storage that warms up while it is read, and the drop of speed
when its write cache is full.
"""

import numpy as np

from hw_models.laws import Numbers

_RANDOM_REQUEST_BYTES = 4096


def hot_fraction(temperature_c: Numbers, hot_c: Numbers, fraction: Numbers) -> Numbers:
    """Fraction of the cool link rate at a temperature of the device: all of it below ``hot_c``.

    Source: two states were measured, a cool phone and a hot one; nothing between them is known.

    >>> hot_fraction(np.array([25.0, 45.0]), 40.0, 0.67).tolist()
    [1.0, 0.67]
    """
    return np.where(np.less(temperature_c, hot_c), 1.0, fraction)


def read_seconds(
    read_bytes: Numbers,
    request_bytes: Numbers,
    *,
    sequential_bytes_per_s: Numbers,
    random_4k_bytes_per_s: Numbers,
    latency_s: Numbers,
    queue_depth: int = 1,
) -> Numbers:
    """Time to read `read_bytes` in requests of `request_bytes`, `queue_depth` of them at a time.

        t = latency + n max(g / B_seq + latency / q, 4096 / B_4k) - latency / q

    with n = ceil(bytes / g) requests of g bytes: the link and what q requests at a time leave of
    the latency, or the device's request rate (IOPS), set the pace. At q = 1 this is
    n (latency + g / B_seq) unless the request rate binds. Source: the stages of a closed pipeline;
    with B 2.72 GB/s and 160 us it meets the reads of a OnePlus 15R, 128 KiB to 8 MiB two at a time,
    within 8 %. Single reads of 4 MiB were about 30 % slower than it says.

    >>> ufs = dict(sequential_bytes_per_s=4e9, random_4k_bytes_per_s=2e8, latency_s=1e-4)
    >>> round(float(read_seconds(1.2e9, 2**20, **ufs, queue_depth=8)), 3)
    0.315
    >>> round(4096e4 / float(read_seconds(4096e4, 4096, **ufs)) / 1e6)
    41
    """
    requests = np.ceil(np.divide(read_bytes, request_bytes))
    transfer_s = np.divide(request_bytes, sequential_bytes_per_s)
    pace_s = np.maximum(
        np.add(transfer_s, np.divide(latency_s, queue_depth)),
        np.divide(_RANDOM_REQUEST_BYTES, random_4k_bytes_per_s),
    )
    fill_s = np.multiply(latency_s, 1.0 - 1.0 / queue_depth)
    return np.where(requests > 0, requests * pace_s + fill_s, 0.0)
