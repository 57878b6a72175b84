"""What-if values of the device as one line of text: ``dram.rate=9.6 GT/s; dram.channels=2``.

A scenario holds the same under ``assume``. The line holds numbers, quantities and single words; a
whole part of a device, or a list, has no place in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sim.errors import SimError

Value = float | int | str | bool
RULE: Final = "written path=value"
_WORDS: Final = {"true": True, "false": False}


def what_if_values(text: str) -> dict[str, Value]:
    """Return device entries by dotted path: a number in SI, text with a unit, or true and false.

    >>> what_if_values("dram.rate = 9.6 GT/s; dram.channels=4")
    {'dram.rate': '9.6 GT/s', 'dram.channels': 4.0}

    Raises SimError for a part that is not ``path=value``.
    """
    values: dict[str, Value] = {}
    for part in filter(None, map(str.strip, text.split(";"))):
        path, equals, value = (piece.strip() for piece in part.partition("="))
        if not (equals and value and all(path.split("."))):
            raise SimError(f"A what-if value must be {RULE}. Got {part!r:.80}.")
        values[path] = _value(value)
    return values


def what_if_text(values: Mapping[str, Value]) -> str:
    """Return values as `what_if_values` reads them.

    >>> what_if_text({"dram.channels": 2.0})
    'dram.channels=2.0'
    """
    return "; ".join(f"{path}={_written(value)}" for path, value in values.items())


def assume(text: str) -> dict[str, Any]:
    """Return the what-if values as a scenario holds them, nested.

    >>> assume("dram.rate=9.6 GT/s; dram.channels=4")
    {'dram': {'rate': '9.6 GT/s', 'channels': 4.0}}

    Raises SimError where an entry stands inside of another.
    """
    tree: dict[str, Any] = {}
    for path, value in what_if_values(text).items():
        *parts, last = path.split(".")
        node = tree
        for part in parts:
            node = node.setdefault(part, {})
            if not isinstance(node, dict):
                raise SimError(f"What-if {path} must be no part of another. Got {part} twice.")
        if isinstance(node.get(last), dict):
            raise SimError(f"What-if {path} must hold no other. Got more of {path}.")
        node[last] = value
    return tree


def held(entries: Mapping[str, Any]) -> dict[str, Value]:
    """Return those of some device entries that a line of text holds and gives back unchanged.

    >>> held({"dram.rate": "9 GT/s", "dram.channels": 2, "units.npu": None})
    {'dram.rate': '9 GT/s', 'dram.channels': 2}
    """
    return dict(_held(entries))


def _held(entries: Mapping[str, Any]) -> Iterator[tuple[str, Value]]:
    for path, value in entries.items():
        if isinstance(value, Value):
            try:
                if what_if_values(what_if_text({path: value})) == {path: value}:
                    yield path, value
            except SimError:
                continue


def _value(text: str) -> Value:
    try:
        return float(text)
    except ValueError:
        return _WORDS.get(text, text)


def _written(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
