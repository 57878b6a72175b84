"""How well a stack's kernels use a unit, task by task (`hw_models.kernels`)."""

from __future__ import annotations

import numpy as np

from hw_models import kernels
from hw_models.schema import Kernel
from sim.engine.timed import FloatColumn
from workloads.tasks import Task


def utilisation(kernel: Kernel | None, task: Task) -> FloatColumn | float:
    """Return the share of the on-chip roofline that the stack's kernel attains on a task.

    1 where no kernel was calibrated: efficiencies and rates then say all there is to say.
    """
    if kernel is None:
        return 1.0
    is_matrix = bool(task.flops.any())
    table = [size.value for size in kernel.sizes], [share.value for share in kernel.utilisation]
    share = kernels.interpolated_utilisation(kernel_size(task), *table)
    if is_matrix:
        halves = kernel.half_n.value, kernel.half_k.value
        share = share * kernels.edge_utilisation(task.n, task.k, *halves)
    return np.asarray(share)


def kernel_size(task: Task) -> FloatColumn:
    """Return the size a kernel's table is over, per step.

    Keys for attention, rows for other matrix products, operations for vector work.
    """
    if task.kind == "attention":
        return task.n
    return task.m if task.flops.any() else task.vector_ops
