"""How weights lie in memory: the bits of one weight in traffic, in DRAM and in the file.

Not modelled: alignment of rows to bus words, the headers of a file, and the accuracy lost.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, model_validator

from workloads.session import SourceKind, Strict

ENGINE_BITS = (4, 8, 16, 32)


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
        Weights that share a scale; a shorter group at the end of a row is padded. ``None``: one
        scale per row.
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
