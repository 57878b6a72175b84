"""A field of a scenario that one of several classes fills: ours, or one of another package.

A closed union would list the classes once and for all. Here the names other packages bring are
looked up when a scenario uses one, so that they cost nothing otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, PydanticKnownError, core_schema

from workloads.errors import WorkloadError
from workloads.plugins import entries, load, load_all
from workloads.session import Strict


@dataclass(frozen=True, slots=True)
class OneOf:
    """Annotation of a field that one of several classes fills: ours, or an entry point's.

    Attributes
    ----------
    key
        The field that names the class, such as ``policy``; each class has it as a `Literal`.
    group
        Entry point group of the classes of other packages.
    base
        The class all of them derive from.
    shipped
        Our own classes by name.
    """

    key: str
    group: str
    base: type[Strict]
    shipped: Mapping[str, type[Strict]]

    def __hash__(self) -> int:
        """Return the hash of the group: there is one annotation for each."""
        return hash(self.group)

    def names(self) -> list[str]:
        """Return every name a scenario may give, ours in their order, then those plugged in."""
        return [*self.shipped, *(name for name in entries(self.group) if name not in self.shipped)]

    def known(self) -> dict[str, type[Strict]]:
        """Return every class that can be loaded, by name, ours in their order first."""
        others = load_all(self.group, self.base)
        return dict(self.shipped) | {k: v for k, v in others.items() if k not in self.shipped}

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Let pydantic read the field by `_read`, and write it as the class it holds."""
        as_its_class = core_schema.simple_ser_schema("any")
        return core_schema.no_info_plain_validator_function(self._read, serialization=as_its_class)

    def _read(self, given: Any) -> Strict:
        if isinstance(given, Strict) and isinstance(given, (self.base, *self.shipped.values())):
            return given
        if not isinstance(given, Mapping):
            raise PydanticKnownError("dict_type")
        if self.key not in given:
            raise PydanticKnownError("union_tag_not_found", {"discriminator": f"'{self.key}'"})
        found: Strict = self._class(given[self.key]).model_validate(given)
        return found

    def _class(self, name: Any) -> type[Strict]:
        if ours := self.shipped.get(str(name)):
            return ours
        if (point := entries(self.group).get(str(name))) is None:
            known = ", ".join(repr(each) for each in self.names())
            context = {"discriminator": f"'{self.key}'", "tag": str(name), "expected_tags": known}
            raise PydanticKnownError("union_tag_invalid", context)
        try:
            found: type[Strict] = load(point, self.base)
        except WorkloadError as fault:
            raise PydanticCustomError("plugin", "{fault}", {"fault": str(fault)}) from None
        return found


def by_name(key: str, union: Any) -> dict[str, type[Strict]]:
    """Return the classes of a union by the names their field ``key`` may hold."""
    return {
        name: found
        for found in get_args(union)
        for name in get_args(found.model_fields[key].annotation)
    }
