"""Pydantic's findings as sentences: what must be which rule, what was got, the nearest name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import get_args

from pydantic import BaseModel, ValidationError

from workloads.errors import did_you_mean

ErrorPlace = tuple[int | str, ...]


def dotted(place: ErrorPlace) -> str:
    """Return a place as a dotted path, e.g. ``session.turns[0].prompt_tokens``."""
    text = ""
    for part in place:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _models_in(annotation: object) -> Iterable[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _fields_at(model: type[BaseModel], place: ErrorPlace) -> set[str]:
    """Return the keys valid at ``place``, whichever variant of a union stands there."""
    models: list[type[BaseModel]] = [model]
    for part in place:
        if isinstance(part, int):
            continue
        stepped = [
            inner
            for outer in models
            if part in outer.model_fields
            for inner in _models_in(outer.model_fields[part].annotation)
        ]
        models = stepped or models  # a union tag is no field: stay
    return {name for found in models for name in found.model_fields}


def sentences(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Return one sentence per fault, each naming the dotted place, the rule and the value."""
    found = []
    faults = error.errors(include_url=False)
    inner = {fault["loc"][:depth] for fault in faults for depth in range(len(fault["loc"]))}
    for fault in faults:
        place, got = fault["loc"], fault["input"]
        if place in inner:  # a consequence of a fault told already
            continue
        if fault["type"] == "extra_forbidden":
            hint = did_you_mean(place[-1], _fields_at(model, place[:-1]))
            found.append(f"{dotted(place)} is not a known key. {hint}")
        elif fault["type"] == "union_tag_invalid":
            tag = fault["ctx"]["discriminator"].strip("'")
            tags = re.findall(r"'([^']+)'", fault["ctx"]["expected_tags"])
            found.append(
                f"{dotted((*place, tag))} must be one of its known values. "
                f"Got {fault['ctx']['tag']!r}. {did_you_mean(fault['ctx']['tag'], tags)}"
            )
        elif fault["type"] == "missing":
            found.append(f"{dotted(place)} must be given.")
        else:
            rule = fault["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
            found.append(f"{dotted(place)} must be {rule}. Got {got!r:.80}.")
    return found
