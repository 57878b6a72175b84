"""Time that a compute unit needs: matrix, vector and dequantisation work.

Not modelled: operand order, layout changes, bank conflicts and clocks below the peak; a stack's
efficiency stands for all of them.
"""

from collections.abc import Collection
from functools import lru_cache
from typing import Final

import numpy as np

from hw_models.errors import HardwareError
from hw_models.laws import Numbers

_FLOAT_BITS: Final = {"fp16": 16, "bf16": 16, "fp32": 32}


def padded(size: Numbers, tile: Numbers) -> Numbers:
    """Round a matrix dimension up to whole tiles: ceil(size / tile) tile.

    >>> float(padded(1, 32)), float(padded(33, 32))
    (32.0, 64.0)
    """
    return np.ceil(np.divide(size, tile)) * tile


def matrix_seconds(
    m: Numbers,
    n: Numbers,
    k: Numbers,
    *,
    rate_flops_per_s: Numbers,
    tile: tuple[Numbers, Numbers, Numbers] = (1.0, 1.0, 1.0),
    efficiency: Numbers = 1.0,
) -> Numbers:
    """Time of an (m x k) by (k x n) product on an engine that computes whole tiles.

        t = 2 ceil(m/Tm)Tm ceil(n/Tn)Tn ceil(k/Tk)Tk / (efficiency rate)

    Arguments: dimensions in elements, peak rate in FLOP/s (1 MAC = 2 FLOP), tile (Tm, Tn, Tk).
    Source: tiled matrix engines such as Hexagon HMX, 32 x 32 (https://arxiv.org/abs/2509.23324).
    Valid for operands on the chip; bringing them there is the DMA stage's time.

    >>> round(float(matrix_seconds(1, 4096, 4096, rate_flops_per_s=1e12)) * 1e6, 3)
    33.554
    >>> tiled = matrix_seconds(1, 4096, 4096, rate_flops_per_s=1e12, tile=(32, 32, 32))
    >>> round(float(tiled) * 1e6, 3)
    1073.742
    """
    tile_m, tile_n, tile_k = tile
    work_flops = 2 * padded(m, tile_m) * padded(n, tile_n) * padded(k, tile_k)
    return work_flops / (np.asarray(efficiency) * rate_flops_per_s)


def vector_seconds(flops: Numbers, rate_flops_per_s: Numbers) -> Numbers:
    """Time of element-wise work: flops / rate.

    >>> float(vector_seconds(2e6, 1e9))
    0.002
    """
    return np.divide(flops, rate_flops_per_s)


def vector_operations(operations: Numbers, exponentials: Numbers, each: Numbers = 1.0) -> Numbers:
    """Operations that element-wise work takes, exponentials at their own rate: n + (each - 1) e.

    Arguments: operations, each exponential counted as one, exponentials among them, and how many
    operations one takes. A vector unit without an exponential evaluates a polynomial: about 15 to
    25 instructions on Hexagon's HVX; a table or a special function unit takes 1 to 4. Valid where
    exponentials and other operations share the unit's lanes.

    >>> float(vector_operations(5e6, 1e6, 20.0))
    24000000.0
    """
    return np.add(operations, np.multiply(np.subtract(each, 1.0), exponentials))


def lane_operations(flops: Numbers, per_operation: Numbers) -> Numbers:
    """Operations of vector lanes that a matrix product takes: FLOP / FLOP of one operation.

    Arguments: FLOP of the product, no tile padded, and how many of them the lanes do in the time
    and energy of one element-wise operation: 1 with fused products at half their rate, 4 and more
    with dot products of 8 bits. Valid where operands are in the lanes' format.

    >>> float(lane_operations(2 * 4096 * 4096, 4.0))
    8388608.0
    """
    return np.divide(flops, per_operation)


def sooner_on_lanes_rows(
    tile_rows: Numbers, lane_flops_per_s: Numbers, tile_flops_per_s: Numbers
) -> Numbers:
    """Rows up to which a product is sooner on vector lanes than on a matrix tile: Tm v / r.

    Lanes take 2 m n k / v for m rows, the tile 2 Tm n k / r for any number up to its Tm. Arguments:
    rows of the tile, rates attained [FLOP/s]. From Tm on (v >= r) no number of rows is sooner on
    the tile. Valid for whole tiles of columns and depth.

    >>> round(float(sooner_on_lanes_rows(32, 2e12, 14e12)), 2)
    4.57
    """
    return np.multiply(tile_rows, np.divide(lane_flops_per_s, tile_flops_per_s))


def dequantise_seconds(weights: Numbers, rate_weights_per_s: Numbers) -> Numbers:
    """Time to expand compressed weights (elements) into the multiplier's format.

    Low-bit products are bound by this on CPUs and vector units: two big cores of a Snapdragon 8
    Elite attain 61.4 GB/s with 8-bit but 42.2 GB/s with 4-bit weights
    (MNN, docs/perf/gemv_bw_benchmark.md).

    >>> float(dequantise_seconds(4e9, 1e12))
    0.004
    """
    return np.divide(weights, rate_weights_per_s)


def expansions(rows: Numbers, shared_rows: Numbers) -> Numbers:
    """How often a weight is expanded for a product: max(1, rows / shared_rows).

    Arguments: rows of activations, and how many of them a kernel multiplies before it expands the
    next piece of the weights (`hw_models.products`).

    >>> float(expansions(512, 4)), float(expansions(1, 4))
    (128.0, 1.0)
    """
    return np.maximum(1.0, np.divide(rows, shared_rows))


def precision_key(activation: str, weight_bits: float, available: Collection[str]) -> str:
    """Name the narrowest available precision that holds both operands.

    Arguments: activation format ("int8", "int16", "fp16", "bf16", "fp32"), bits per weight as
    multiplied, precisions the unit offers ("a16w4", "fp16", ...). Integers may run on a
    floating-point format of at least their width; floating point never on integers. Raises
    `HardwareError` where none is wide enough.

    >>> precision_key("int16", 1.8, ["a16w4", "a16w8", "a8w8"])
    'a16w4'
    >>> precision_key("int8", 4, ["a16w8", "a8w8", "fp16"])
    'a8w8'
    """
    return _precision_key(activation, weight_bits, tuple(available))


@lru_cache(maxsize=256)
def _precision_key(activation: str, weight_bits: float, available: tuple[str, ...]) -> str:
    floating = activation in _FLOAT_BITS
    bits = _FLOAT_BITS[activation] if floating else int(activation.removeprefix("int"))
    widths = {key: _widths(key) for key in available if not floating or key in _FLOAT_BITS}
    fitting = {key: (a, w) for key, (a, w) in widths.items() if a >= bits and w >= weight_bits}
    if not fitting:
        rule = f"precision must hold {activation} activations and {weight_bits:g}-bit weights"
        raise HardwareError(f"{rule}. Got only {', '.join(sorted(available))}.")
    return min(fitting, key=lambda key: (*fitting[key], key in _FLOAT_BITS, key != activation, key))


def _widths(key: str) -> tuple[int, int]:
    if key in _FLOAT_BITS:
        return _FLOAT_BITS[key], _FLOAT_BITS[key]
    activation, weight = key.removeprefix("a").split("w")
    return int(activation), int(weight)
