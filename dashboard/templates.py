"""A device file to start from: what differs from one that exists, each number with its range."""

from __future__ import annotations

from typing import Any, Final

import yaml

from dashboard.own import is_own, kept, place
from hw_models.soc import load_soc
from hw_models.units import format_quantity

FILE: Final = "my_device.yaml"
BEGUN: Final = ("dram.rate", "dram.capacity", "flash.sequential_read")
"""Numbers that most phones differ in; the others stay those of the device that is extended."""
SAID: Final = """\
# A device of your own: what differs from {name}. Change a number, say where it is from, and
# leave out what is the same. Every number that can be given: andesim devices {id}
"""


def device_template(device: str) -> str:
    """Return a YAML file that describes a device as it is, with the numbers most often changed.

    A file of one's own is given as it was brought.
    """
    if is_own(device):
        return kept(device).content.decode("utf-8")
    soc = load_soc(place(device))
    file: dict[str, Any] = {
        "extends": device,
        "id": "my_device",
        "name": f"My {soc.name}",
        "sources": {"mine": {"title": "Where my numbers are from", "url": "https://example.com"}},
    }
    known = soc.parameters()
    for path in BEGUN:
        if path in known:
            part, _, name = path.partition(".")
            item = known[path]
            low, value, high = (
                format_quantity(number, item.unit) for number in (item.low, item.value, item.high)
            )
            number = {"value": value, "low": low, "high": high, "kind": "assumed", "source": "mine"}
            file.setdefault(part, {})[name] = number
    written: str = yaml.safe_dump(file, sort_keys=False, default_flow_style=None, width=100)
    return SAID.format(name=soc.name, id=device) + written
