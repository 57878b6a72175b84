"""The exact fast engine: steps as products of (max, +) matrices.

At constant rates the recurrences of `sim.engine.timed` are linear in the (max, +) semiring. With
the state ``x = (fetch_end, compute_end[i], compute_end[i-1], ..., compute_end[i-d+1])`` one tile is
a (d+1) x (d+1) matrix; equal tiles and identical layers are powers of it; and every entry is a
column over the steps of a group, so all decode steps are evaluated at once.

A step begins with both stages idle, hence its duration is the largest entry of ``M (x) 0``: steps
do not depend on each other and a group is a cumulative sum.

Reference: F. Baccelli, G. Cohen, G. J. Olsder, J.-P. Quadrat, *Synchronization and Linearity*,
Wiley 1992, chapter 2. Not modelled here: rates that change inside a step (`sim.engine.replay` does
that).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.engine.timed import FloatColumn, IntColumn, TimedGroup, TimedSegment, TimedTask

Matrix = NDArray[np.float64]  # (size, size, ..., steps)
State = NDArray[np.float64]  # (size, ..., steps)


def identity(size: int, *columns: int) -> Matrix:
    """Return the (max, +) identity, 0 on the diagonal, -inf elsewhere: (size, size, *columns)."""
    matrix = np.full((size, size, *columns), -np.inf)
    matrix[np.arange(size), np.arange(size)] = 0.0
    return matrix


def multiply(later: Matrix, earlier: Matrix) -> Matrix:
    """Return the (max, +) product: ``out[i, j] = max_k(later[i, k] + earlier[k, j])``."""
    dimensions = max(later.ndim, earlier.ndim)
    later, earlier = _beside(later, dimensions), _beside(earlier, dimensions)
    product = later[:, 0, None] + earlier[None, 0]
    for k in range(1, later.shape[0]):
        np.maximum(product, later[:, k, None] + earlier[None, k], out=product)
    return product


def apply(matrix: Matrix, state: State) -> State:
    """Return ``matrix (x) state``, shape (size, ..., steps)."""
    dimensions = max(matrix.ndim, state.ndim + 1)
    wide = _beside(state[None], dimensions)
    advanced: State = (_beside(matrix, dimensions) + wide).max(axis=1)
    return advanced


def power(matrix: Matrix, exponents: IntColumn) -> Matrix:
    """Return ``matrix`` to the power ``exponents[s]`` in each step s, by repeated squaring.

    >>> one = power(identity(2, 3) + 1.5, np.array([0, 1, 2]))
    >>> one[0, 0].tolist()
    [0.0, 1.5, 3.0]
    """
    lowest, highest = int(exponents.min()), int(exponents.max())
    if lowest == highest == 1:
        return matrix
    size = matrix.shape[0]
    shape = np.broadcast_shapes(matrix.shape[2:], exponents.shape)
    if lowest == highest:
        exponents = exponents.reshape(-1)[:1]
    else:
        exponents = np.broadcast_to(exponents, shape)
        matrix = np.broadcast_to(_beside(matrix, 2 + len(shape)), (size, size, *shape))
    result = identity(size, *matrix.shape[2:])
    bit = 1
    while True:
        taken = (exponents & bit) != 0
        if taken.all():
            result = multiply(matrix, result) if bit > 1 else matrix.copy()
        elif taken.any():
            result[:, :, taken] = multiply(matrix[:, :, taken], result[:, :, taken])
        bit <<= 1
        if bit > highest:
            return result
        matrix = multiply(matrix, matrix)


def _beside(matrix: Matrix, dimensions: int) -> Matrix:
    """Return a matrix with an axis of one entry for devices, where another has one."""
    if matrix.ndim == dimensions:
        return matrix
    missing = dimensions - matrix.ndim
    return matrix.reshape(*matrix.shape[:2], *(1,) * missing, *matrix.shape[2:])


def tile_matrix(fetch_s: FloatColumn, busy_s: FloatColumn, buffers: int) -> Matrix:
    """Return the matrix of one tile for ``buffers`` operand buffers: (d+1, d+1, ..., steps)."""
    size = buffers + 1
    shape = np.broadcast_shapes(fetch_s.shape, busy_s.shape)
    matrix = np.full((size, size, *shape), -np.inf)
    matrix[0, 0] = matrix[0, buffers] = fetch_s
    matrix[1, 0] = matrix[1, buffers] = fetch_s + busy_s
    matrix[1, 1] = np.maximum(matrix[1, 1], busy_s)
    for age in range(2, size):
        matrix[age, age - 1] = 0.0
    return matrix


def barrier_matrix(busy_s: FloatColumn, buffers: int) -> Matrix:
    """Return the matrix of a barrier: every entry of the state becomes ``max(state) + busy_s``."""
    size = buffers + 1
    return np.broadcast_to(busy_s, (size, size, *busy_s.shape)).copy()


def task_matrix(task: TimedTask, buffers: int) -> Matrix:
    """Return the matrix of all tiles of one task (the identity in steps where it does not run)."""
    if task.is_barrier:
        one = barrier_matrix(task.busy_s, buffers)
    else:
        one = tile_matrix(task.fetch_s, task.busy_s, buffers)
    return power(one, task.tiles)


def segment_matrix(segment: TimedSegment, buffers: int) -> Matrix:
    """Return the matrix of a segment: the product of its tasks, to the power of its repeat."""
    matrices = [task_matrix(task, buffers) for task in segment.tasks]
    product = matrices[0]
    for matrix in matrices[1:]:
        product = multiply(matrix, product)
    return power(product, np.full(1, segment.repeat))


def step_seconds(group: TimedGroup) -> FloatColumn:
    """Return the duration of each step of a group [s]: (steps,), or (devices, steps) of many."""
    state: State = np.zeros((group.buffers + 1, group.steps))
    matrices: dict[tuple[tuple[TimedTask, ...], int], Matrix] = {}
    for segment in group.segments:
        key = segment.tasks, segment.repeat  # graphs of equal layers share their tasks
        if key not in matrices:
            matrices[key] = segment_matrix(segment, group.buffers)
        state = apply(matrices[key], state)
    duration: FloatColumn = state.max(axis=0)
    return duration


def step_ends_beside(
    ahead_s: FloatColumn,
    beside_s: FloatColumn,
    needed: FloatColumn,
    start_s: FloatColumn | float = 0.0,
) -> FloatColumn:
    """Return when each step ends of a group that runs beside the one ahead [s].

    Step j waits for the step before it and for the first ``needed[j]`` steps ahead: two machines in
    a row, ``end[j] = max(end[j-1], ready[j]) + beside_s[j]``. Steps lie along the last axis.

    >>> step_ends_beside(np.array([3.0, 3.0]), np.array([1.0, 1.0]), np.array([1, 2])).tolist()
    [4.0, 7.0]
    """
    encoded_s = np.insert(np.cumsum(ahead_s, axis=-1), 0, 0.0, axis=-1)
    ready_s = start_s + encoded_s[..., needed.astype(np.int64)]
    done_s = np.cumsum(beside_s, axis=-1)
    ends_s: FloatColumn = done_s + np.maximum.accumulate(ready_s - (done_s - beside_s), axis=-1)
    return ends_s
