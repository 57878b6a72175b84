"""What a device file says of memory: DRAM, what lies before it, storage.

Not modelled: banks and rows of the DRAM; caches of one unit, which are its buffer.
"""

from hw_models.part import Part
from hw_models.quantities import (
    Bits,
    Bytes,
    BytesPerSecond,
    Celsius,
    Count,
    Factor,
    Fraction,
    JoulePerBit,
    JoulePerByte,
    Seconds,
    Share,
    TransfersPerSecond,
)
from hw_models.system_cache import SystemCache


class DramEfficiency(Part):
    """Fraction of the peak attained by a stream with 100, 80 and 50 % reads."""

    read_only: Fraction
    read_80: Fraction
    read_50: Fraction


class Reclaim(Part):
    """What Android does before it ends an app: pages leave, and come back when they are read."""

    swap: Bytes
    """Bytes beyond the budget that swap and reclaim can take."""
    churn: Factor
    """Bytes fetched again in a pass over those that lack: 1 if always the same pages leave."""


class Dram(Part):
    """Main memory shared by all units."""

    channels: Count
    width_bits: Bits
    rate: TransfersPerSecond
    efficiency: DramEfficiency
    row_bytes: Bytes
    """Request size at which half of the streaming rate is attained."""
    capacity: Bytes
    app_fraction: Fraction
    """Fraction of the capacity that an app may occupy before it is ended."""
    energy: JoulePerBit
    queueing: Share | None = None
    """Service of a request over its latency where nobody else asks: what waiting behind others'
    costs (`dram.waiting`); None: units keep so many under way that it is hidden."""
    system_cache: SystemCache | None = None
    """A cache before it that all units share; None: not known, and every read is the DRAM's."""
    reclaim: Reclaim | None = None
    """None: an app over its share is ended at once."""

    @property
    def peak_bytes_per_s(self) -> float:
        """Peak bandwidth: channels x width x rate / 8 [B/s]."""
        return self.channels.value * self.width_bits.value * self.rate.value / 8


class HotFlash(Part):
    """Storage that a hot phone slows down."""

    from_c: Celsius
    fraction: Fraction


class Flash(Part):
    """Storage that weights are loaded from."""

    sequential_read: BytesPerSecond
    random_read_4k: BytesPerSecond
    latency_s: Seconds
    energy: JoulePerByte
    hot: HotFlash | None = None
    """None: no such state is known."""
