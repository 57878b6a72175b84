"""Faults in hardware descriptions, worded as "WHAT must RULE. Got VALUE. REMEDY".

ValueError
  HardwareError     a device file, an override or a quantity breaks a rule
    UnknownDevice   an id that no device has
"""

from collections.abc import Iterable
from difflib import get_close_matches


class HardwareError(ValueError):
    """One or more faults of a hardware description; `faults` holds a sentence for each."""

    def __init__(self, *faults: str) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class UnknownDevice(HardwareError):
    """No device has the id that a file or a person names; `asked` is that id."""

    def __init__(self, asked: str) -> None:
        super().__init__(f"device must be a known id or the path of a YAML file. Got {asked!r}.")
        self.asked = asked


def suggest(name: str, known: Iterable[object]) -> str:
    """Name the closest known spelling, or list what is known.

    >>> suggest("dimensity_950", ["dimensity_9500", "ideal"])
    "Did you mean 'dimensity_9500'?"
    >>> suggest("zzz", ["a", "b"])
    'Known: a, b.'
    """
    names = sorted(map(str, known))  # keys of a file may be numbers
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    return f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(names) or 'none'}."
