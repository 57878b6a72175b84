"""Dotted paths of a schema: which keys lie below one, and which words may stand there.

Whichever variant of a union may stand at a place, its keys count. A whole number in a path is an
item of a list.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from workloads.one_of import OneOf

Models = Sequence[type[BaseModel]]
FIRST = "0"
"""The key of a list's first item."""
DEEPEST = 5
"""Dots of a path beyond which none is looked for."""


def models_of(field: FieldInfo) -> Iterable[type[BaseModel]]:
    """Yield the classes that may fill a field, those of other packages too."""
    parts = [part for part in field.metadata if isinstance(part, OneOf)]
    return parts[0].known().values() if parts else _models_in(field.annotation)


def _models_in(annotation: object) -> Iterable[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def below(models: Models, key: str) -> list[type[BaseModel]]:
    """Return the classes that may stand under a key of any of some classes."""
    return [inner for field in _named(models, key) for inner in models_of(field)]


def _named(models: Models, key: str) -> list[FieldInfo]:
    return [model.model_fields[key] for model in models if key in model.model_fields]


def fields_at(model: type[BaseModel], path: str) -> list[FieldInfo]:
    """Return the fields that a dotted path leads to; none where there is no such path.

    Below a field of names, such as ``session.clients``, any name is a part of the path.
    """
    return _walked(model, path)[0]


def _walked(model: type[BaseModel], path: str) -> tuple[list[FieldInfo], bool]:
    """Return the fields that a path leads to, and whether it names an item of theirs."""
    models: list[type[BaseModel]] = [model]
    fields: list[FieldInfo] = []
    is_item = False
    for part in path.split("."):
        is_item = not is_item and any(_has_item(field.annotation, part) for field in fields)
        if not is_item:
            fields = _named(models, part)
            models = [inner for field in fields for inner in models_of(field)]
    return fields, is_item


def _has_item(annotation: object, part: str) -> bool:
    """Return whether a part of a path is the place of an item in a list, or its name."""
    kinds = {get_origin(one) for one in (annotation, *get_args(annotation))}
    return Mapping in kinds or (tuple in kinds and part.isdecimal())


def keys_at(model: type[BaseModel], path: str) -> list[str]:
    """Return the keys below a dotted path, in their order; ``0`` below a list of parts.

    >>> from workloads.scenario import Scenario
    >>> keys_at(Scenario, "session")
    ['turns', 'clients', 'queue', 'until_s']
    >>> keys_at(Scenario, "session.turns")
    ['0']
    """
    if not path:
        return list(model.model_fields)
    fields, is_item = _walked(model, path)
    kinds = set() if is_item else {get_origin(field.annotation) for field in fields}
    inner = [one for field in fields for one in models_of(field)]
    if Mapping in kinds or not inner:
        return []
    return [FIRST] if tuple in kinds else _keys(inner)


def _keys(models: Models) -> list[str]:
    return list(dict.fromkeys(key for model in models for key in model.model_fields))


def words_at(model: type[BaseModel], path: str) -> list[str]:
    """Return the words that may stand at a dotted path, as they are written in YAML.

    >>> from workloads.scenario import Scenario
    >>> words_at(Scenario, "environment.over_budget")
    ['stop', 'spill', 'reclaim']
    """
    fields = fields_at(model, path)
    return list(dict.fromkeys(word for field in fields for word in _words_in(field.annotation)))


def _words_in(annotation: Any) -> Iterable[str]:
    if annotation is bool:
        yield from ("true", "false")
    elif get_origin(annotation) is Literal:
        yield from (str(word) for word in get_args(annotation))
    elif not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        for inner in get_args(annotation):
            if inner is not NoneType and get_origin(annotation) is not tuple:
                yield from _words_in(inner)


def paths_to(model: type[BaseModel], key: str) -> list[str]:
    """Return the dotted paths of a schema that end in a key, the shortest first.

    >>> from workloads.scenario import Scenario
    >>> paths_to(Scenario, "adapters")
    ['deployment.lora.adapters']
    """
    found, paths = [], [""]
    for path in paths:
        inner = [f"{path}.{name}" if path else name for name in keys_at(model, path)]
        found += [one for one in inner if one.rpartition(".")[2] == key]
        paths += [one for one in inner if one.count(".") < DEEPEST]
    return found
