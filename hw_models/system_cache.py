"""The last cache before the DRAM, which all units share (SLC): what is still there when read again.

Operands that a pass reads in the same order as the one before are evicted by what is touched in
between: a cache of least recently used lines holds them if all of it fits, and none of them if it
does not. So weights that every step streams drive out caches and drafts that would fit alone,
unless they pass it by.

    hit if bytes touched from one reading to the next, the operand itself included, <= room
    room = capacity x (1 - others)

Source: R. L. Mattson et al., Evaluation techniques for storage hierarchies, IBM Systems Journal 9
(1970), stack distance. Not modelled: associativity, policies that are not least recently used, and
what others hold changing with their traffic.
"""

import numpy as np

from hw_models.laws import Numbers
from hw_models.part import Part
from hw_models.quantities import Bytes, BytesPerSecond, JoulePerBit, Share


class SystemCache(Part):
    """A cache between all units and the DRAM."""

    capacity: Bytes
    others: Share
    """Share of it that display, camera and other apps hold."""
    rate: BytesPerSecond
    """Rate at which a unit reads from it."""
    energy: JoulePerBit
    """Energy of what it serves, in place of the DRAM's."""
    streamed: Share
    """Share of the weights that a pass reads once which enters it; what passes it by leaves it to
    caches and drafts."""

    @property
    def room_bytes(self) -> Numbers:
        """What the app has of it [B]."""
        return self.capacity.value * (1.0 - self.others.value)


def hit(touched_bytes: Numbers, room_bytes: Numbers) -> Numbers:
    """Return 1 where an operand is still cached when it is read again, else 0.

    Arguments: bytes touched from one reading to the next, the operand itself included, and what the
    cache has room for [B]; nothing is read that holds nothing.

    >>> float(hit(6e6, 8e6)), float(hit(9e6, 8e6))
    (1.0, 0.0)
    """
    return np.less_equal(touched_bytes, room_bytes) * 1.0
