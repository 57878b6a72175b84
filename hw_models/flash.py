"""Time to read from flash storage.

Not modelled: writes, the page cache, thermal throttling of the storage, and the drop of speed
when its write cache is full.
"""

import numpy as np

from hw_models.laws import Numbers

_RANDOM_REQUEST_BYTES = 4096


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

        t = latency + n max(g / B_seq, 4096 / B_4k, (latency + g / B_seq) / q) - latency / q

    with n = ceil(bytes / g) requests of g bytes: the link, the device's request rate (IOPS), or
    the round trip shared by q requests sets the pace. At q = 1 this is n (latency + g / B_seq)
    unless the request rate binds. Source: a bound of each stage of a closed pipeline.

    >>> ufs = dict(sequential_bytes_per_s=4e9, random_4k_bytes_per_s=2e8, latency_s=1e-4)
    >>> round(float(read_seconds(1.2e9, 2**20, **ufs, queue_depth=8)), 3)
    0.3
    >>> round(4096e4 / float(read_seconds(4096e4, 4096, **ufs)) / 1e6)
    41
    """
    requests = np.ceil(np.divide(read_bytes, request_bytes))
    transfer_s = np.divide(request_bytes, sequential_bytes_per_s)
    pace_s = np.maximum(
        np.maximum(transfer_s, np.divide(_RANDOM_REQUEST_BYTES, random_4k_bytes_per_s)),
        np.add(latency_s, transfer_s) / queue_depth,
    )
    fill_s = np.multiply(latency_s, 1.0 - 1.0 / queue_depth)
    return np.where(requests > 0, requests * pace_s + fill_s, 0.0)
