"""Cold start: reading the deployed model from flash before the first request.

The runtime reads its file in large requests with several in flight, as mmap read-ahead and direct
loaders do; the request size and depth matter little at that size.

Not modelled: decompression while loading, graph initialisation, and a partly warm page cache.
"""

from __future__ import annotations

from hw_models import flash
from hw_models.soc import SocSpec

REQUEST_BYTES = 2**20
QUEUE_DEPTH = 8


def read_s(soc: SocSpec, file_bytes: float) -> float:
    """Return the seconds to read ``file_bytes`` [B] from flash [s]."""
    seconds = flash.read_seconds(
        file_bytes,
        REQUEST_BYTES,
        sequential_bytes_per_s=soc.flash.sequential_read.value,
        random_4k_bytes_per_s=soc.flash.random_read_4k.value,
        latency_s=soc.flash.latency_s.value,
        queue_depth=QUEUE_DEPTH,
    )
    return float(seconds)
