"""The device before a host fit: a template, what was measured directly, and a kernel per kind.

Peak rates are set `PEAK_MARGIN` above the highest rate that any measured operator attained;
utilisation then says which share of them each size reaches. A node of a utilisation table stands
at a size that was measured, so that no node is without data.

Not identifiable, hence never fitted: the peak rates (only their product with utilisation shows).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from pydantic import ValidationError

from hw_models.provenance import Parameter, Source
from hw_models.schema import Kernel
from hw_models.soc import SocSpec, load_soc
from hw_models.tree import to_tree
from sim.calibration.operators import Operators, Samples
from sim.engine.utilisation import kernel_size
from sim.errors import SimError
from sim.evidence.manifests import faults

TEMPLATE: Final = "_host"
STACK: Final = "pytorch"
SOURCE: Final = "runs"
PEAK_MARGIN: Final = 1.5
MATRIX_STEP, VECTOR_STEP = 2.0, 8.0  # least ratio of neighbouring nodes, but for both ends

SHARE: Final = Parameter(0.2, "fraction", "assumed", SOURCE, 1e-3, 1.0, "prior")


def template() -> SocSpec:
    """Return the host device that nothing was fitted to."""
    return load_soc(TEMPLATE)


def prior_device(samples: Samples, dtype: str, read_bytes_per_s: float, runs: str) -> SocSpec:
    """Return the template with measured rates and one kernel for each kind of operator.

    Parameters
    ----------
    dtype
        ``bf16`` or ``fp32``.
    read_bytes_per_s
        What one thread was seen to read from memory [B/s].
    runs
        Names of the runs, for the source of every number.

    Raises `SimError` where what was measured is out of all bounds.
    """
    tree = to_tree(template())
    tree["sources"][SOURCE] = Source(title=f"Runs measured on this machine: {runs}")
    unit, stack = tree["units"]["cpu"], tree["stacks"][STACK]
    unit["matrix"]["rates"][dtype] = _peak(_rate(samples, matrix=True), "FLOP/s")
    unit["vector"]["rate"] = _peak(_rate(samples, matrix=False), "FLOP/s")
    dram = tree["dram"]
    transfers = 8 * read_bytes_per_s / (dram["channels"].value * dram["width_bits"].value)
    dram["rate"] = _guess(transfers, "T/s", 4.0, "read from a buffer beyond the caches")
    stack["step_overhead_s"] = _guess(1e-4, "s", 10.0)
    stack["defaults"] = stack["defaults"] | {"activations": dtype}
    stack["kernels"] = _kernels(samples)
    try:
        return SocSpec.model_validate(tree, context=tree["sources"])
    except ValidationError as error:
        found = "; ".join(faults(error, "prior"))
        raise SimError(f"what was measured must be possible for a machine. Got {found}") from None


def _kernels(samples: Samples) -> dict[str, Kernel]:
    """Return a prior kernel for each operator, or phase and operator."""
    groups: dict[str, list[Operators]] = {}
    for group in samples.operators:
        groups.setdefault(group.kernel, []).append(group)
    return {name: _kernel(found) for name, found in sorted(groups.items())}


def _kernel(groups: Sequence[Operators]) -> Kernel:
    """Return a prior kernel with a node at sizes that occur."""
    task = groups[0].task
    is_matrix = bool(task.flops.any())
    sizes = np.concatenate([kernel_size(group.task) for group in groups])
    nodes = nodes_of(sizes.tolist(), MATRIX_STEP if is_matrix else VECTOR_STEP)
    # vector work has no edges, and attention's table over keys already is one over n
    half_n = half_k = _known(0.0, "elements")
    if task.kind == "linear":
        half_n = half_k = _guess(30.0, "elements", 100.0)
    return Kernel.model_construct(
        overhead_s=_guess(2e-5, "s", 50.0),
        sizes=tuple(_known(node, "count") for node in nodes),
        utilisation=tuple(SHARE for _ in nodes),
        half_n=half_n,
        half_k=half_k,
    )


def nodes_of(sizes: Sequence[float], step: float) -> list[float]:
    """Return nodes for a table: sizes that occur, each at least ``step`` times the one before.

    The smallest and the largest size are always among them.

    >>> nodes_of([1, 1, 16, 20, 64, 70], step=2.0)
    [1, 16, 70]
    """
    known = sorted({max(1, round(size)) for size in sizes})
    nodes: list[float] = [known[0]]
    for size in known[1:]:
        if size >= step * nodes[-1]:
            nodes.append(size)
    if known[-1] != nodes[-1]:
        nodes[-1:] = [known[-1]] if len(nodes) > 1 else [nodes[0], known[-1]]
    return nodes


def _rate(samples: Samples, matrix: bool) -> float:
    """Return the highest rate an operator attained [FLOP/s]."""
    best = 0.0
    for group in samples.operators:
        if bool(group.task.flops.any()) == matrix:
            work = group.task.flops if matrix else group.task.vector_ops
            best = max(best, float(np.max(work / group.measured_s)))
    return best


def _peak(rate: float, unit: str) -> Parameter:
    note = f"highest rate seen, times {PEAK_MARGIN}; utilisation is relative to it"
    value = rate * PEAK_MARGIN
    return Parameter(value, unit, "derived", SOURCE, rate, value * PEAK_MARGIN, note)


def _guess(value: float, unit: str, factor: float, note: str = "prior") -> Parameter:
    return Parameter(value, unit, "assumed", SOURCE, value / factor, value * factor, note)


def _known(value: float, unit: str) -> Parameter:
    return Parameter(float(value), unit, "standard", SOURCE, float(value), float(value))
