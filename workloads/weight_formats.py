"""Weight formats by id: those that ship, those a rule spells out, and those others bring.

A format is a row of ``formats/*.yaml``, a file of one's own, or an id that a rule spells out::

    w4                             4 bits, one 16-bit scale per output row
    w4_g128  w4_g128_z             a scale (and a zero point) per group of 128 weights
    sparse75_int4_bitmap           a quarter of the weights kept in 4 bits, plus a mask
    sparse75_int4_entropy_unpacked the same in the file, expanded to w4 when it is loaded
    q4_0_unpacked16                the same in the file, 16 bits of floating point when it is loaded
    bpw1.8                         exactly 1.8 bits everywhere, for what-if questions

`workloads.layout` says what a format is. Other packages bring theirs by the entry point group
``andesim.weight_formats``.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

from pydantic import ValidationError

from workloads.errors import WorkloadError, did_you_mean
from workloads.explain import sentences
from workloads.files import read_mapping
from workloads.layout import ENGINE_BITS, Layout, WeightFormat, engine_bits
from workloads.plugins import load_all

GROUP_SIZES = (16, 32, 64, 128, 256)
ROW_SCALE_BITS = 16

FOLDER = Path(__file__).with_name("formats")
GROUP = "andesim.weight_formats"
"""Entry points: a `WeightFormat`, a `FormatRule`, or a package that holds YAML files of formats."""


@dataclass(frozen=True, slots=True)
class FormatRule:
    """A family of formats whose ids spell out their numbers.

    Attributes
    ----------
    pattern
        Regular expression that the whole id must match.
    build
        Turns the match into the format; its ``id`` is the text matched.
    listed
        Ids that the catalogue shows: all of a finite family, examples of another.
    """

    pattern: str
    build: Callable[[re.Match[str]], WeightFormat]
    listed: tuple[str, ...]

    def find(self, name: str) -> WeightFormat | None:
        """Return the format an id spells out, or none where the id is of another family."""
        match = re.fullmatch(self.pattern, name)
        return self.build(match) if match else None


@dataclass(frozen=True, slots=True)
class _Formats:
    """Formats from one origin: families by rule, and others by id."""

    rules: tuple[FormatRule, ...]
    by_id: Mapping[str, WeightFormat]

    def find(self, name: str) -> WeightFormat | None:
        by_rule = (found for rule in self.rules if (found := rule.find(name)))
        return next(by_rule, None) or self.by_id.get(name)

    def all(self) -> dict[str, WeightFormat]:
        names = [name for rule in self.rules for name in rule.listed]
        return {name: found for name in names if (found := self.find(name))} | dict(self.by_id)


def _per_row(match: re.Match[str]) -> WeightFormat:
    bits = int(match["bits"])
    return WeightFormat(
        id=match[0],
        description=f"{bits}-bit weights, one 16-bit scale per output row",
        formula=f"{bits} bits; plus 16 bits per row",
        source="uniform quantiser, one scale per output channel",
        kind="standard",
        traffic=Layout(value_bits=bits, scale_bits=ROW_SCALE_BITS),
        compute_bits=engine_bits(bits),
        needs_expansion=bits not in ENGINE_BITS,
    )


def _grouped(match: re.Match[str]) -> WeightFormat:
    bits, group, zero = int(match["bits"]), int(match["group"]), match["zero"]
    zero_bits = 0 if zero is None else int(zero or bits)
    return WeightFormat(
        id=match[0],
        description=f"{bits}-bit weights, a 16-bit scale and a {zero_bits}-bit zero per {group}",
        formula=f"{bits} + (16 + {zero_bits}) / {group}",
        source="group-wise quantiser, bpw = b + (scale + zero) / group",
        kind="standard",
        traffic=Layout(value_bits=bits, group_weights=group, scale_bits=16, zero_bits=zero_bits),
        compute_bits=engine_bits(bits),
        needs_expansion=True,
    )


def _sparse(match: re.Match[str]) -> WeightFormat:
    bits, sparsity, mask = int(match["bits"]), int(match["percent"]) / 100, match["mask"]
    packed = Layout.model_validate(
        {"value_bits": bits, "scale_bits": ROW_SCALE_BITS, "sparsity": sparsity, "mask": mask}
    )
    dense = Layout(value_bits=bits, scale_bits=ROW_SCALE_BITS) if match["unpacked"] else None
    mask_text = "1" if mask == "bitmap" else f"H({sparsity:g})"
    return WeightFormat(
        id=match[0],
        description=f"{sparsity:.0%} zeros, the others in {bits} bits, {mask} mask"
        + (", expanded to dense when loaded" if dense else ""),
        formula=f"{mask_text} + (1 - {sparsity:g}) * {bits}; plus 16 bits per row",
        source="information theory: bits of the mask plus bits of the values kept",
        kind="derived",
        traffic=dense or packed,
        file=packed,
        compute_bits=engine_bits(bits),
        needs_expansion=dense is None or bits not in ENGINE_BITS,
    )


def _exact(match: re.Match[str]) -> WeightFormat:
    bits = float(match["bits"])
    if not 0.0 < bits <= 32.0:
        raise WorkloadError(f"bits per weight must be above 0 and at most 32. Got {match[0]!r}.")
    return WeightFormat(
        id=match[0],
        description=f"exactly {bits:g} bits per weight and nothing else",
        formula=f"{bits:g}",
        source="the number in the name: a what-if, not a real format",
        kind="assumed",
        traffic=Layout(value_bits=bits),
        compute_bits=engine_bits(bits),
        needs_expansion=bits not in ENGINE_BITS,
    )


UNPACKED = re.compile(r"(?P<stored>.+)_unpacked(?P<bits>16|32)")
"""Ids of formats that a runtime expands to floating point when it loads them."""


def _unpacked(match: re.Match[str]) -> WeightFormat:
    stored, bits = get_format(match["stored"]), int(match["bits"])
    return WeightFormat(
        id=match[0],
        description=f"{stored.id} in the file, expanded to {bits} bits when it is loaded",
        formula=f"{bits}",
        source="runtimes without kernels for what their files hold",
        kind="standard",
        traffic=Layout(value_bits=bits),
        file=stored.file or stored.traffic,
        compute_bits=16,
        needs_expansion=False,
    )


def stored_id(name: str) -> str:
    """Return the id of a format as the file has it.

    >>> stored_id("q4_0_unpacked16"), stored_id("w4")
    ('q4_0', 'w4')
    """
    match = UNPACKED.fullmatch(name)
    return match["stored"] if match else name


_GROUPS = "|".join(map(str, GROUP_SIZES))
_RULES = (
    FormatRule(r"w(?P<bits>2|3|4|8|16)", _per_row, tuple(f"w{bits}" for bits in (2, 3, 4, 8, 16))),
    FormatRule(
        rf"w(?P<bits>2|3|4|8)_g(?P<group>{_GROUPS})(_z(?P<zero>|16))?",
        _grouped,
        tuple(
            f"w{bits}_g{group}{zero}"
            for bits in (2, 3, 4, 8)
            for group in GROUP_SIZES
            for zero in ("", "_z", "_z16")
        ),
    ),
    FormatRule(
        r"sparse(?P<percent>[1-9]\d?)_int(?P<bits>[2-8]|16)_(?P<mask>bitmap|entropy)(?P<unpacked>_unpacked)?",
        _sparse,
        tuple(
            f"sparse75_int4_{mask}{unpacked}"
            for mask in ("bitmap", "entropy")
            for unpacked in ("", "_unpacked")
        ),
    ),
    FormatRule(UNPACKED.pattern, _unpacked, ("w4_unpacked16",)),
    FormatRule(r"bpw(?P<bits>\d{1,2}(\.\d{1,6})?)", _exact, ("bpw1.8",)),
)


def read_formats(path: Path) -> dict[str, WeightFormat]:
    """Return the formats of a YAML file by id; all faults of the file in one `WorkloadError`."""
    formats, faults = {}, []
    for name, entry in read_mapping(path).items():
        fields = entry if isinstance(entry, dict) else {"entry": entry}
        try:
            formats[name] = WeightFormat.model_validate({"id": name, **fields})
        except ValidationError as error:
            faults += [f"{name}.{text}" for text in sentences(error, WeightFormat)]
    if faults:
        raise WorkloadError("\n".join([f"{path} must describe weight formats.", *faults]))
    return formats


@cache
def _shipped() -> _Formats:
    return _Formats(_RULES, _read_folder(FOLDER))


@cache
def _plugged_in() -> _Formats:
    """Return what other packages bring; a package with a faulty file is left out with a warning."""
    rules, listed = [], {}
    for name, found in load_all(GROUP, FormatRule, WeightFormat, ModuleType).items():
        try:
            if isinstance(found, FormatRule):
                rules.append(found)
            elif isinstance(found, WeightFormat):
                listed[found.id] = found
            else:
                for folder in getattr(found, "__path__", ()):
                    listed |= _read_folder(Path(folder))
        except WorkloadError as fault:
            warnings.warn(f"{GROUP} entry {name!r} is left out. {fault}", stacklevel=2)
    return _Formats(tuple(rules), listed)


def _read_folder(folder: Path) -> dict[str, WeightFormat]:
    formats: dict[str, WeightFormat] = {}
    for path in sorted(folder.glob("*.yaml")):
        formats |= read_formats(path)
    return formats


@cache
def catalogue() -> dict[str, WeightFormat]:
    """Return the listed formats by id, ours before those of other packages.

    Rules accept more ids than are listed.
    """
    return _plugged_in().all() | _shipped().all()


def is_path(name: str) -> bool:
    """Return whether a name is the path of a format file."""
    return name.endswith((".yaml", ".yml"))


def get_format(name: str) -> WeightFormat:
    """Return a weight format by id, or the one format of a YAML file by path.

    Raises `WorkloadError` for an unknown id, and for a file that is not one format.

    >>> get_format("w4_g128_z").traffic_bits
    4.15625
    >>> round(get_format("sparse75_int4_entropy").traffic_bits, 3)
    1.811
    """
    if not is_path(name):
        return _by_id(name)
    formats = read_formats(Path(name))
    if len(formats) != 1:
        raise WorkloadError(f"{name} must hold one weight format. Got {len(formats)}.")
    return next(iter(formats.values()))


@cache
def _by_id(name: str) -> WeightFormat:
    found = _shipped().find(name) or _plugged_in().find(name)
    if found is None:
        hint = did_you_mean(name, catalogue())
        raise WorkloadError(
            f"A weight format must be a known id or a YAML path. Got {name!r}. {hint}"
        )
    return found
