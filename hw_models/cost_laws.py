"""Cost laws of other packages: the seconds of an operator, in place of ours.

A stack names a law by operator, as it names kernels, and gives the law's constants::

    laws:
      scaled_dot_product_attention:
        law: two_rates
        constants:
          rate: {value: 2 TFLOP/s, kind: measured, source: me, low: 1.8 TFLOP/s, high: 2.2 TFLOP/s}

The law is a `CostLaw` in the entry point group ``andesim.cost_laws``, under the name in the file.
Its constants are parameters of the device like all others: they are listed, drawn, fitted and
overridden by their dotted paths (``stacks.mine.laws.linear.constants.rate``).

Not open to laws of others: the time of transfers, launch overheads, and the order of tasks.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import numpy as np

from hw_models.errors import HardwareError, suggest
from hw_models.laws import Numbers
from hw_models.plugins import entries, load
from hw_models.provenance import Quantity

GROUP: Final = "andesim.cost_laws"


@dataclass(frozen=True, slots=True)
class Work:
    """What one operator computes in one step; arrays have an entry per step and broadcast.

    Attributes
    ----------
    phase
        ``vision``, ``prefill`` or ``decode``.
    operand_bits
        Bits of the second matrix operand after expansion.
    batch, m, n, k
        ``batch`` products (m x k) by (k x n); 0 where there is no product [elements].
    flops
        Operations of the products that are executed, 1 MAC = 2 FLOP [FLOP].
    vector_ops
        Elementwise operations [FLOP].
    expanded_weights
        Compressed weights to expand [weights].
    read_bytes, write_bytes
        DRAM traffic, whose time is counted elsewhere [B].
    """

    phase: str
    operand_bits: int
    batch: Numbers
    m: Numbers
    n: Numbers
    k: Numbers
    flops: Numbers
    vector_ops: Numbers
    expanded_weights: Numbers
    read_bytes: Numbers
    write_bytes: Numbers


@dataclass(frozen=True, slots=True)
class CostLaw:
    """A law for the seconds that an operator keeps its unit busy at the peak clock.

    Attributes
    ----------
    seconds
        ``seconds(work, **constants)``: seconds of all of ``work`` [s], an array if any of its
        numbers is one. A pure function; constants come as numbers in SI. It replaces our estimate,
        the slowest of matrix, vector and expansion time over the kernel's utilisation.
    source
        Where the law is published or how it was found.
    constants
        Unit and bounds of each constant.
    jumps
        ``jumps(work)``: quantities that change in jumps as sizes grow, such as the number of tiles.
        Between two jumps the law must be affine in the sizes, or convex and made of straight
        pieces: sweeps then work out few steps and draw straight lines between them. None: nothing
        is known, and every step is worked out, which is always right and slower. ``lambda work:
        ()``: no jumps anywhere.
    """

    seconds: Callable[..., Numbers]
    source: str
    constants: Mapping[str, Quantity] = field(default_factory=dict)
    jumps: Callable[[Work], Sequence[Numbers]] | None = None


@cache
def cost_law(name: str) -> CostLaw:
    """Return a law by the name of its entry point.

    Raises `HardwareError` where there is none, or where it cannot be loaded.
    """
    known = entries(GROUP)
    if name not in known:
        rule = f"must be the name of a cost law, an entry point in {GROUP}"
        raise HardwareError(f"{rule}. Got {name!r}. {suggest(name, known)}")
    law: CostLaw = load(known[name], CostLaw)
    return law


def law_seconds(name: str, work: Work, constants: Mapping[str, float]) -> Numbers:
    """Return what a law says of some work [s], in the shape of its arrays.

    Raises `HardwareError` that names the law where it fails, or where it does not return seconds.
    """
    try:
        seconds = np.asarray(cost_law(name).seconds(work, **constants), dtype=np.float64)
        whole = np.broadcast_to(seconds, np.shape(work.m))
    except Exception as error:
        got = f"{type(error).__name__}: {error}"
    else:
        if np.all(np.isfinite(whole) & (whole >= 0.0)):
            return whole
        got = f"{seconds.min():g} to {seconds.max():g}"
    raise HardwareError(
        f"cost law {name!r} must return seconds for each step, finite and not negative. "
        f"Got {got} in {work.phase}."
    )
