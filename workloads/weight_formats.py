"""Weight formats: how many bits one weight takes in traffic, in DRAM and in the file.

A format is a row of ``formats/*.yaml``, a file of one's own, or an id that a rule spells out::

    w4                             4 bits, one 16-bit scale per output row
    w4_g128  w4_g128_z             a scale (and a zero point) per group of 128 weights
    sparse75_int4_bitmap           a quarter of the weights kept in 4 bits, plus a mask
    sparse75_int4_entropy_unpacked the same in the file, expanded to w4 when it is loaded
    bpw1.8                         exactly 1.8 bits everywhere, for what-if questions

Not modelled: alignment of rows to bus words, the headers of a file, and the accuracy lost.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from workloads.errors import WorkloadError, did_you_mean
from workloads.explain import sentences
from workloads.files import read_mapping
from workloads.session import SourceKind, Strict

ENGINE_BITS = (4, 8, 16, 32)
GROUP_SIZES = (16, 32, 64, 128, 256)
ROW_SCALE_BITS = 16

FOLDER = Path(__file__).with_name("formats")


def binary_entropy(fraction: float) -> float:
    """Return the bits that name one of two cases, H(p) = -p log2 p - (1 - p) log2(1 - p).

    >>> round(binary_entropy(0.25), 3)
    0.811
    """
    if fraction in (0.0, 1.0):
        return 0.0
    rest = 1.0 - fraction
    return -fraction * math.log2(fraction) - rest * math.log2(rest)


class Layout(Strict):
    """How the weights of one matrix row are stored.

    Attributes
    ----------
    value_bits
        Bits of one stored value.
    group_weights
        Weights that share a scale; a last, partial group is padded. ``None``: the whole row.
    scale_bits, zero_bits
        Bits of all scales and of all zero points of a group.
    sparsity
        Fraction of the weights that are zero and not stored.
    mask
        How the places of the zeros are coded: 1 bit per weight, or H(sparsity) bits.
    """

    value_bits: Annotated[float, Field(gt=0.0, le=64.0)]
    group_weights: Annotated[int, Field(ge=1, le=65536)] | None = None
    scale_bits: Annotated[int, Field(ge=0)] = 0
    zero_bits: Annotated[int, Field(ge=0)] = 0
    sparsity: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    mask: Literal["none", "bitmap", "entropy"] = "none"

    @model_validator(mode="after")
    def _mask_goes_with_sparsity(self) -> Layout:
        if (self.sparsity > 0.0) != (self.mask != "none"):
            raise ValueError("a mask exactly where sparsity is above 0")
        return self

    @cached_property
    def weight_bits(self) -> float:
        """Mean bits of one weight without scales: mask + (1 - sparsity) * value_bits."""
        mask_bits = {"none": 0.0, "bitmap": 1.0, "entropy": binary_entropy(self.sparsity)}[
            self.mask
        ]
        return mask_bits + (1.0 - self.sparsity) * self.value_bits

    @property
    def nominal_bits(self) -> float:
        """Bits per weight, b + (scale + zero) / group; a row's own scale is not counted."""
        if self.group_weights is None:
            return self.weight_bits
        return self.weight_bits + (self.scale_bits + self.zero_bits) / self.group_weights

    def size_bytes(self, rows: int, cols: int) -> int:
        """Return the bytes of a ``rows x cols`` matrix [B], with all scales and padded groups.

        >>> Layout(value_bits=4, group_weights=128, scale_bits=16).size_bytes(1, 130)  # 2 groups
        132
        """
        group = self.group_weights or cols
        groups = -(-cols // group) if cols else 0
        group_bits = group * self.weight_bits + self.scale_bits + self.zero_bits
        return math.ceil(rows * groups * group_bits / 8)


class WeightFormat(Strict):
    """A way to store weights: what it costs to stream, to keep in DRAM and to keep in flash.

    Attributes
    ----------
    traffic
        What a pass over the weights reads from DRAM.
    resident, file
        What lies in DRAM and in flash, where that differs from the traffic.
    compute_bits
        Narrowest matrix-engine precision that holds an expanded value; a stack may use a wider one.
    needs_expansion
        Whether weights pass the dequantise or decompress stage before the matrix engine.
    """

    id: str
    description: str
    formula: str
    source: str
    kind: SourceKind
    traffic: Layout
    resident: Layout | None = None
    file: Layout | None = None
    compute_bits: Literal[4, 8, 16, 32]
    needs_expansion: bool

    @property
    def traffic_bits(self) -> float:
        """Nominal bits per weight in a pass over the weights."""
        return self.traffic.nominal_bits

    @property
    def resident_bits(self) -> float:
        """Nominal bits per weight in DRAM."""
        return (self.resident or self.traffic).nominal_bits

    @property
    def file_bits(self) -> float:
        """Nominal bits per weight in flash."""
        return (self.file or self.traffic).nominal_bits

    def traffic_bytes(self, rows: int, cols: int) -> int:
        """Return the bytes one pass reads from DRAM for a matrix [B]; a look-up has one row."""
        return self.traffic.size_bytes(rows, cols)

    def resident_bytes(self, rows: int, cols: int) -> int:
        """Return the bytes a matrix occupies in DRAM [B]."""
        return (self.resident or self.traffic).size_bytes(rows, cols)

    def file_bytes(self, rows: int, cols: int) -> int:
        """Return the bytes a matrix occupies in flash [B]."""
        return (self.file or self.traffic).size_bytes(rows, cols)

    def row(self) -> dict[str, str | float]:
        """Return the format as a row of the catalogue."""
        return {
            "id": self.id,
            "traffic_bits": self.traffic_bits,
            "resident_bits": self.resident_bits,
            "file_bits": self.file_bits,
            "source": self.source,
        }


def engine_bits(value_bits: float) -> Literal[4, 8, 16, 32]:
    """Return the narrowest matrix-engine precision that holds ``value_bits``.

    >>> engine_bits(3)
    4
    """
    wide_enough = [bits for bits in ENGINE_BITS if bits >= value_bits]
    return wide_enough[0] if wide_enough else 32  # type: ignore[return-value]


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


_GROUPS = "|".join(map(str, GROUP_SIZES))
_RULES: tuple[tuple[str, Callable[[re.Match[str]], WeightFormat]], ...] = (
    (r"w(?P<bits>2|3|4|8|16)", _per_row),
    (rf"w(?P<bits>2|3|4|8)_g(?P<group>{_GROUPS})(_z(?P<zero>|16))?", _grouped),
    (
        r"sparse(?P<percent>[1-9]\d?)_int(?P<bits>[2-8]|16)_(?P<mask>bitmap|entropy)(?P<unpacked>_unpacked)?",
        _sparse,
    ),
    (r"bpw(?P<bits>\d{1,2}(\.\d{1,6})?)", _exact),
)


def _listed_rule_ids() -> Iterator[str]:
    """Yield the ids the catalogue lists for the rules: all finite families, and examples."""
    yield from (f"w{bits}" for bits in (2, 3, 4, 8, 16))
    for bits in (2, 3, 4, 8):
        for group in GROUP_SIZES:
            yield from (f"w{bits}_g{group}{zero}" for zero in ("", "_z", "_z16"))
    for mask in ("bitmap", "entropy"):
        yield from (f"sparse75_int4_{mask}{unpacked}" for unpacked in ("", "_unpacked"))
    yield "bpw1.8"


def _by_rule(name: str) -> WeightFormat | None:
    for pattern, build in _RULES:
        if match := re.fullmatch(pattern, name):
            return build(match)
    return None


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
def catalogue() -> dict[str, WeightFormat]:
    """Return the listed formats by id; rules accept more ids than are listed."""
    formats = {name: found for name in _listed_rule_ids() if (found := _by_rule(name))}
    for path in sorted(FOLDER.glob("*.yaml")):
        formats |= read_formats(path)
    return formats


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
    if is_path(name):
        return _only_format(Path(name))
    return _by_id(name)


@cache
def _by_id(name: str) -> WeightFormat:
    found = _by_rule(name) or catalogue().get(name)
    if found is None:
        hint = did_you_mean(name, catalogue())
        raise WorkloadError(
            f"A weight format must be a known id or a YAML path. Got {name!r}. {hint}"
        )
    return found


def _only_format(path: Path) -> WeightFormat:
    formats = read_formats(path)
    if len(formats) != 1:
        raise WorkloadError(f"{path} must hold one weight format. Got {len(formats)}.")
    return next(iter(formats.values()))
