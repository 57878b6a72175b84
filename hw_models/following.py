"""Numbers that keep a proportion to another of the same part, so that both move together.

A multiplier that does one product of 16 bits does two of 8, whatever its clock; a table of clocks
falls in equal steps, wherever it ends. Such numbers are one uncertainty, not many: a device file
states one of them with its range and lets the others follow it::

    fp16: {value: 10 TFLOP/s, kind: assumed, source: s, low: 5 TFLOP/s, high: 25 TFLOP/s}
    a8w8: {of: fp16, times: 4, source: s}

Value, low and high of a follower are those of the one it follows, times a number; with ``from``,
their distances from that number. Its kind is `derived`. Entries of a list follow the one at a place
that ``lead`` names, in the proportions of its values. Not modelled: chains; what is followed must
stand by itself.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from hw_models.errors import HardwareError, suggest
from hw_models.provenance import OVERRIDE, Follows, Parameter
from hw_models.units import split

OF, TIMES, FROM, LEAD = "of", "times", "from", "lead"
_NUMBERS: Final = ("value", "low", "high")


def with_followers(node: Any) -> Any:
    """Return a tree of a device, plain entries or Parameters, each follower with its numbers.

    Raises `HardwareError` where one follows what is not beside it, or follows itself.
    """
    if isinstance(node, Mapping):
        found = {name: with_followers(child) for name, child in node.items()}
        return {name: _following(child, found, str(name)) for name, child in found.items()}
    if isinstance(node, list):
        items = [with_followers(child) for child in node]
        by_place = {str(place): child for place, child in enumerate(items)}
        return [_following(child, by_place, place) for place, child in by_place.items()]
    return node


def spread(given: Mapping[str, Any], origin: float) -> list[dict[str, Any]]:
    """Return one entry per value of a list, those beside its ``lead`` as its followers.

    ``origin`` is what their distances are taken from: 1 for fractions of a clock, else 0.
    """
    lists = {key: value for key, value in given.items() if isinstance(value, list)}
    count = len(lists.get("value", []))
    if "value" not in lists or any(len(value) != count for value in lists.values()):
        rule = "must have a list as value, and lists of the same length as low and high"
        raise HardwareError(f"{rule}. Got {dict(given)!r}.")
    shared = {key: value for key, value in given.items() if key not in (*lists, LEAD)}
    entries = [shared | {key: value[i] for key, value in lists.items()} for i in range(count)]
    if LEAD not in given:
        return entries
    lead = _place(given[LEAD], count)
    far = _number(entries[lead]["value"], "a value beside a lead") - origin
    for place, entry in enumerate(entries):
        times = (_number(entry["value"], "a value beside a lead") - origin) / far
        follower = {OF: str(lead), TIMES: times, FROM: origin, "source": entry.get("source")}
        if place != lead:
            noted = {"note": entry["note"]} if "note" in entry else {}
            entries[place] = _followed(follower | noted, entries[lead])
    return entries


def _following(child: Any, siblings: Mapping[str, Any], name: str) -> Any:
    """Return a child with the numbers it takes from a sibling; any other as it is."""
    if isinstance(child, Parameter) and child.follows is not None:
        entry = {**child.follows.to_plain(), "source": child.source, "note": child.note}
    elif isinstance(child, Mapping) and OF in child and "value" not in child:
        entry = dict(child)
    else:
        return child
    of = str(entry[OF])
    lead = siblings.get(of)
    if of == name or (not isinstance(lead, Parameter) and not _stands(lead)):
        others = [other for other in siblings if other != name]
        raise HardwareError(
            f"{name} must follow a number beside it. Got of: {of!r}. {suggest(of, others)}"
        )
    return _followed(entry, lead)


def _stands(entry: Any) -> bool:
    return isinstance(entry, Mapping) and "value" in entry and OF not in entry


def _followed(entry: Mapping[str, Any], lead: Any) -> Any:
    """Return a follower as an entry with numbers, or as a Parameter where the leader is one."""
    times, origin = _number(entry.get(TIMES, 1), TIMES), _number(entry.get(FROM, 0), FROM)
    follows = Follows(str(entry[OF]), times, origin)
    note = str(entry.get("note", ""))
    if isinstance(lead, Parameter):
        low, high = sorted(follows.value(end) for end in (lead.low, lead.high))
        value, source = follows.value(lead.value), entry["source"]
        return Parameter(value, lead.unit, "derived", source, low, high, note, follows)
    found = {key: _scaled(lead[key], times, origin) for key in _NUMBERS if key in lead}
    if times < 0.0 and "low" in found:
        found["low"], found["high"] = found["high"], found["low"]
    found = {"low": found["value"], "high": found["value"]} | found
    source = OVERRIDE if lead.get("source") == OVERRIDE else entry.get("source")
    said = {"note": note} if note else {}
    return {**found, "kind": "derived", "source": source, **follows.to_plain(), **said}


def _scaled(given: Any, times: float, origin: float) -> Any:
    """Return a quantity as a file has it, its distance from the origin scaled."""
    if not isinstance(given, str):
        return Follows("", times, origin).value(float(given))
    number, unit = split(given)
    value = Follows("", times, origin).value(number)
    return f"{Decimal(repr(value)):f} {unit}".strip()


def _number(given: Any, what: str) -> float:
    """Return a plain number of a file."""
    try:
        return float(given)
    except (TypeError, ValueError):
        raise HardwareError(f"{what} must be a plain number. Got {given!r}.") from None


def _place(given: Any, count: int) -> int:
    names = {"first": 0, "last": count - 1}
    if given not in names:
        raise HardwareError(f"lead must be first or last. Got {given!r}.")
    return names[given]
