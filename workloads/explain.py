"""Pydantic's findings as sentences: what must be which rule, what was got, the nearest name."""

from __future__ import annotations

import re

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from workloads.errors import did_you_mean
from workloads.schema_paths import below, paths_to

ErrorPlace = tuple[int | str, ...]

RULES = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "byte_size": "a number of bytes such as 10 GB",
    "byte_size_unit": "a number of bytes with a known unit, such as 10 GB or 4 GiB",
    "dict_type": "a mapping of keys",
    "float_parsing": "a number",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "invalid_key": "a mapping whose keys are text",
    "model_attributes_type": "a mapping of keys",
    "model_type": "a mapping of keys",
    "string_type": "text",
    "too_short": "longer: at least one entry",
    "tuple_type": "a list",
}
"""What must be, in our words, by pydantic's kind of fault."""

NUMBERS = ("float_type", "int_type")
MOST_PLACES = 3
"""A key of more places says too little of which is meant."""


def dotted(place: ErrorPlace) -> str:
    """Return a place as a dotted path, e.g. ``session.turns[0].prompt_tokens``."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _fields_at(model: type[BaseModel], place: ErrorPlace) -> set[str]:
    """Return the keys valid at ``place``, whichever variant of a union stands there."""
    models: list[type[BaseModel]] = [model]
    for part in place:
        if isinstance(part, int):
            continue
        models = below(models, part) or models  # a union tag is no field: stay
    return {name for found in models for name in found.model_fields}


def sentences(error: ValidationError, model: type[BaseModel] | None = None) -> list[str]:
    """Return one sentence per fault, each naming the dotted place, the rule and the value.

    With the ``model`` that refused, an unknown key is told its nearest.
    """
    faults = error.errors(include_url=False)
    inner = {fault["loc"][:depth] for fault in faults for depth in range(len(fault["loc"]))}
    # what lies around a fault told already is only its consequence
    return [_sentence(fault, model) for fault in faults if fault["loc"] not in inner]


def _sentence(fault: ErrorDetails, model: type[BaseModel] | None) -> str:
    place, kind = fault["loc"], fault["type"]
    if kind == "extra_forbidden":
        return f"{dotted(place)} is not a known key.{_meant(place, model) if model else ''}"
    if kind == "plugin":
        return fault["msg"]
    if kind == "missing":
        return f"{dotted(place)} must be given."
    if kind == "union_tag_invalid":
        return _unknown_tag(fault)
    if kind == "union_tag_not_found":
        key = fault["ctx"]["discriminator"].strip("'")
        return f"{dotted((*place, key))} must be given."
    if kind == "string_too_long":
        longest = fault["ctx"]["max_length"]
        return f"{dotted(place)} must be text of at most {longest} characters. {_got(fault)}"
    rule = RULES.get(kind) or fault["msg"].removeprefix("Value error, ")
    named = dotted(place) or "it"
    return f"{named} must be {rule.removeprefix('Input should be ')}. {_got(fault)}"


def _meant(place: ErrorPlace, model: type[BaseModel]) -> str:
    """Return what an unknown key may mean: one beside it, or the same one in another place."""
    known = _fields_at(model, place[:-1])
    nearest = did_you_mean(place[-1], known) if known else ""
    elsewhere = [] if nearest.startswith("Did") else paths_to(model, str(place[-1]))
    if 0 < len(elsewhere) <= MOST_PLACES:
        nearest = f"Did you mean {' or '.join(map(repr, elsewhere))}?"
    return f" {nearest}" if nearest else ""


def _unknown_tag(fault: ErrorDetails) -> str:
    context = fault["ctx"]
    place = (*fault["loc"], context["discriminator"].strip("'"))
    known = re.findall(r"'([^']+)'", context["expected_tags"])
    hint = did_you_mean(context["tag"], known)
    return f"{dotted(place)} must be one of its known values. Got {context['tag']!r}. {hint}"


def _got(fault: ErrorDetails) -> str:
    given = fault["input"]
    looks_like_one = isinstance(given, str) and given[:1] in "+-.0123456789" and given
    plain = " Write it in plain decimal, without quotes, 0 in front, colon or unit."
    return f"Got {given!r:.80}." + (plain if looks_like_one and fault["type"] in NUMBERS else "")
