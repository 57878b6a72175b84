"""A system on chip as frozen data: load, look up, override, write.

    devices/*.yaml --load_soc--> SocSpec --with_overrides--> SocSpec --to_yaml--> a device file

Not modelled here: anything that takes time. Laws are in the sibling modules, the clock in `sim`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from hw_models.clusters import with_rates
from hw_models.errors import HardwareError, UnknownDevice, suggest
from hw_models.files import device_ids, is_path, read_device
from hw_models.following import with_followers
from hw_models.laws import Numbers
from hw_models.memory_parts import Dram, Flash
from hw_models.naming import which_device
from hw_models.part import Part
from hw_models.provenance import OVERRIDE, Parameter, Source
from hw_models.schema import ComputeUnit, Host, Power, Stack
from hw_models.thermal_parts import Thermal
from hw_models.tree import has_entry, has_parameter, leaves, moved, set_entry, to_tree

EXTRA: Final = ("extra_forbidden", "unexpected_keyword_argument")
"""What pydantic calls a key that nothing knows."""
_OVERRIDE_SOURCE: Final = Source("What-if value given for this run")


class SocSpec(Part):
    """One SoC with its software stacks; every number a `Parameter` with its source."""

    id: str
    name: str
    describes: str
    """The real part that is meant, or "illustrative"."""
    default_stack: str
    sources: dict[str, Source]
    units: dict[Literal["npu", "gpu", "cpu"], ComputeUnit] = Field(min_length=1)
    dram: Dram
    flash: Flash
    host: Host
    power: Power
    thermal: Thermal
    stacks: dict[str, Stack] = Field(min_length=1)

    @model_validator(mode="after")
    def _parts_fit_together(self) -> "SocSpec":
        """Refuse stacks on units, a default stack, and precisions' energies that are not there."""
        faults = [
            f"{key} must be words. Got {said!r}, a number."
            for key, said in (("name", self.name), ("describes", self.describes))
            if not re.search(r"[^\W\d_]", said)
        ]
        faults += [
            f"stacks.{name}.unit must be one of the units. Got {stack.unit!r}. "
            f"{suggest(stack.unit, self.units)}"
            for name, stack in self.stacks.items()
            if stack.unit not in self.units
        ]
        if self.default_stack not in self.stacks:
            hint = suggest(self.default_stack, self.stacks)
            faults += [
                f"default_stack must be one of the stacks. Got {self.default_stack!r}. {hint}"
            ]
        needed = {"vector"}.union(*(unit.matrix.rates for unit in self.units.values()))
        if missing := sorted(needed - set(self.power.energy_per_flop)):
            rule = "power.energy_per_flop must cover every precision of the units"
            faults += [f"{rule}. Got none for {', '.join(missing)}."]
        if faults:
            raise HardwareError(*faults)
        return self

    def stack(self, name: str | None = None) -> Stack:
        """Return the stack called `name`, or the default one; `HardwareError` if there is none."""
        wanted = name or self.default_stack
        if wanted not in self.stacks:
            hint = suggest(wanted, self.stacks)
            raise HardwareError(f"stack must be a stack of {self.id}. Got {wanted!r}. {hint}")
        return self.stacks[wanted]

    def parameters(self) -> dict[str, Parameter]:
        """Return every parameter by its dotted path, such as `dram.rate`."""
        return {path: leaf for path, leaf in leaves(self) if isinstance(leaf, Parameter)}

    def with_values(self, values: Mapping[str, Numbers]) -> "SocSpec":
        """Copy with other parameter values (SI), kinds and sources kept; for drawing samples.

        A column of values, shape (devices, 1), makes one spec that stands for as many devices: the
        laws broadcast it against columns over steps, and give (devices, steps).

        Bounds are not checked again: draw between `low` and `high`. Raises `HardwareError` for
        paths of no parameter.
        """
        if unknown := [path for path in values if not has_parameter(self, path)]:
            known = self.parameters()
            raise HardwareError(*(_unknown(path, known) for path in unknown))
        copy: SocSpec = moved(self, values)
        return copy

    def with_overrides(self, overrides: Mapping[str, Any]) -> "SocSpec":
        """Copy with what-if entries: a number (SI), text with a unit, or a plain entry.

        A mapping takes the place of a whole part, and None switches off one that a device may lack.
        Overridden parameters become `assumed`, cite the source "override", and lose their range.
        Raises `HardwareError` for unknown paths and for values that break the rules of a device.

        >>> spec = load_soc("ideal_85gbps_50tflops")
        >>> spec.with_overrides({"flash.sequential_read": "2 GB/s"}).flash.sequential_read.value
        2000000000.0
        """
        known = dict(leaves(self))
        parts = {path for path, value in overrides.items() if isinstance(value, Mapping | None)}
        parts = {path for path in parts if has_entry(self, path)}
        if faults := [_unknown(path, known) for path in overrides if path not in {*known, *parts}]:
            raise HardwareError(*faults)
        entries = {path: _overriding(known.get(path), value) for path, value in overrides.items()}
        return self._with_entries(entries, {OVERRIDE: _OVERRIDE_SOURCE})

    def with_parameters(
        self, parameters: Mapping[str, Parameter], sources: Mapping[str, Source]
    ) -> "SocSpec":
        """Copy with parameters replaced by dotted path and sources added; for fitted numbers.

        Raises `HardwareError` like `with_overrides`.
        """
        return self._with_entries(parameters, sources)

    def asked(self, path: str, value: Parameter, follows: Mapping[str, Parameter]) -> "SocSpec":
        """Copy with a parameter that a scenario asks for, and the parameters that follow from it.

        The one that is asked for cites the source "override"; it may stand where there was none.
        """
        copy: SocSpec = moved(self, {**follows, path: replace(value, source=OVERRIDE)})
        return copy.model_copy(update={"sources": {**self.sources, OVERRIDE: _OVERRIDE_SOURCE}})

    def _with_entries(self, entries: Mapping[str, Any], sources: Mapping[str, Source]) -> "SocSpec":
        if missing := [path for path in entries if not has_entry(self, path)]:
            known = dict(leaves(self))
            raise HardwareError(*(_unknown(path, known) for path in missing))
        tree = to_tree(self)
        for path, entry in entries.items():
            set_entry(tree, path, entry)
        tree["sources"] |= sources
        return _validated(tree)

    def to_yaml(self) -> str:
        """Write a complete device file, which `load_soc` reads back to an equal spec."""
        tree = to_tree(self, _written)
        dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # the same bytes, four times faster
        return str(yaml.dump(tree, Dumper=dumper, sort_keys=False, width=100, allow_unicode=True))


def load_soc(id_or_path: str | Path) -> SocSpec:
    """Load a device by packaged id, plug-in id or path of a YAML file.

    Raises `HardwareError` with every fault of the file.

    >>> load_soc("ideal_85gbps_50tflops").dram.peak_bytes_per_s
    85300000000.0
    """
    return _load(Path(id_or_path)) if is_path(id_or_path) else _load_known(str(id_or_path))


def list_socs() -> list[str]:
    """List the ids of packaged and plugged-in devices."""
    return device_ids()


def catalogue() -> list[dict[str, Any]]:
    """Describe all devices with the provenance of each number, ready for JSON."""
    return [describe(load_soc(name)) for name in list_socs()]


def describe(spec: SocSpec) -> dict[str, Any]:
    """Return id, name, stacks and each parameter with its provenance, ready for JSON."""
    return {
        "id": spec.id,
        "name": spec.name,
        "stacks": list(spec.stacks),
        "parameters": {
            path: parameter.to_record(spec.sources) for path, parameter in spec.parameters().items()
        },
    }


def _load(id_or_path: str | Path) -> SocSpec:
    try:
        data = read_device(id_or_path)
    except UnknownDevice as error:
        raise HardwareError(f"{error} {which_device(error.asked)}") from None
    try:
        return _validated(data)
    except HardwareError as error:
        name = Path(id_or_path).name
        raise HardwareError(*(f"{name}: {fault}" for fault in error.faults)) from None


_load_known = cache(_load)


def _validated(data: Mapping[str, Any]) -> SocSpec:
    listed = data.get("sources")
    try:
        context = listed if isinstance(listed, Mapping) else {}
        found = SocSpec.model_validate(with_followers(data), context=context)
    except ValidationError as error:
        raise HardwareError(*_faults(error, data)) from None
    units = {name: with_rates(unit) for name, unit in found.units.items()}
    return found.model_copy(update={"units": units})


def _at(data: Any, path: Iterable[object]) -> list[str]:
    """Return the keys that are text of the mapping at a path; none where there is none."""
    for key in path:
        data = data.get(key) if isinstance(data, Mapping) else None
    return [key for key in data if isinstance(key, str)] if isinstance(data, Mapping) else []


def _faults(error: ValidationError, data: Mapping[str, Any]) -> Iterator[str]:
    """Word pydantic's findings as "WHAT must RULE. Got VALUE. REMEDY"."""
    found = error.errors(include_url=False)
    missing = [fault["loc"] for fault in found if fault["type"] == "missing"]
    extra = [fault["loc"] for fault in found if fault["type"] in EXTRA]
    for fault in found:
        *parents, name = fault["loc"] or ("",)
        what = ".".join(str(part) for part in fault["loc"] if part != "[key]")
        siblings = [str(loc[-1]) for loc in missing if list(loc[:-1]) == parents]
        match fault["type"]:
            case "missing":
                yield f"{what} must be given."
            case kind if kind in EXTRA:
                beside = [key for key in _at(data, parents) if (*parents, key) not in extra]
                near = get_close_matches(str(name), beside, n=1)
                hint = f" {suggest(str(name), [*siblings, *near])}" if siblings or near else ""
                yield f"{what} is not a known key.{hint}"
            case "value_error":
                cause = fault["ctx"]["error"]
                yield from (f"{what} {sentence}".strip() for sentence in cause.faults)
            case "invalid_key":
                yield f"{what} must be text, as every key. Got {name!r}."
            case _:
                rule = re.sub(r"^\w+ should", "must", fault["msg"])
                yield f"{what} {rule}. Got {fault['input']!r}."


def _written(leaf: Any) -> Any:
    if isinstance(leaf, Parameter):
        return leaf.to_plain()
    if isinstance(leaf, Source):
        return {name: value for name, value in asdict(leaf).items() if value}
    return leaf


def _overriding(leaf: Any, value: Any) -> Any:
    if leaf is None and isinstance(value, Mapping):  # a part that the device lacks
        return {name: _overriding(None, entry) for name, entry in value.items()}
    if value is None or not isinstance(leaf, Parameter | tuple | None):
        return value
    if isinstance(value, bool) or (isinstance(value, str) and not re.match(r"[-+.\d]", value)):
        return value  # a choice and no quantity
    return {"value": value, "kind": "assumed", "source": OVERRIDE}


def _unknown(path: str, known: Mapping[str, Any]) -> str:
    rule = "must be the dotted path of an entry of the device"
    return f"override {path} {rule}. Got {path!r}. {suggest(path, known)}"
