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

from collections.abc import Sequence
from itertools import groupby

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


def tiles_matrix(
    fetch_s: FloatColumn, busy_s: FloatColumn, tiles: IntColumn, buffers: int
) -> Matrix:
    """Return the matrix of ``tiles`` equal tiles: (d+1, d+1, ..., steps), the identity for none.

    An entry is the longest path through n tiles, and only a few paths can be longest, because one
    that changes between fetching and computing more often than it must gains nothing. With f, b,
    d >= 2, and A(k) from the end of a fetch to that of the k-th after it::

        A(k) = max(k f, f + (k - d + 1) b if k >= d)
        fetch_end[0]    -> fetch_end[n]:    f + A(n - 1)
        fetch_end[0]    -> compute_end[n]:  max(f + n b, n f + b)
        compute_end[-e] -> fetch_end[n]:    f + A(n - d + e) if n >= d - e
        compute_end[0]  -> fetch_end[n]:    f + (n - d) b if n >= d, too
        compute_end[-e] -> compute_end[n]:  f + b + (n - d + e) max(f, b) if n >= d - e
        compute_end[0]  -> compute_end[n]:  n b, too

    One buffer lets nothing overlap: every tile takes f + b.
    """
    size, f, b = buffers + 1, fetch_s, busy_s
    shape = np.broadcast_shapes(f.shape, b.shape, tiles.shape)
    n = float(tiles.item()) if tiles.size == 1 else tiles.astype(np.float64)
    matrix = np.full((size, size, *shape), -np.inf)
    slowest = np.maximum(f, b) if buffers > 1 else f + b

    def between_fetches(k: FloatColumn | float) -> FloatColumn:
        if buffers == 1:
            return np.asarray(k * slowest)
        through = _where(k >= buffers, f + (k - buffers + 1.0) * b, 0.0)
        return np.asarray(np.maximum(k * f, through))

    matrix[0, 0] = _where(n > 0, f + between_fetches(n - 1.0), 0.0)
    for e in range(buffers):
        after = n - buffers + e
        longest = between_fetches(after)
        if e == 0:
            longest = np.maximum(longest, after * b)
        matrix[0, 1 + e] = _where(after >= 0, f + longest, -np.inf)
    for j in range(buffers):
        ended = n - j
        matrix[1 + j, 0] = _where(ended > 0, f + b + (ended - 1.0) * slowest, -np.inf)
        for e in range(buffers):
            after = ended - buffers + e
            found = _where(after >= 0, f + b + after * slowest, -np.inf)
            found = _where(ended == -e, 0.0, found)  # where it was, moved down
            if e == 0:
                found = _where(ended > 0, np.maximum(found, ended * b), found)
            matrix[1 + j, 1 + e] = found
    return matrix


def _where(
    holds: bool | NDArray[np.bool_], one: FloatColumn | float, other: FloatColumn | float
) -> FloatColumn | float:
    """Return ``one`` where a condition holds and ``other`` elsewhere; it may be one for all."""
    if isinstance(holds, bool):
        return one if holds else other
    return np.where(holds, one, other)


def barrier_matrix(busy_s: FloatColumn, buffers: int) -> Matrix:
    """Return the matrix of a barrier: every entry of the state becomes ``max(state) + busy_s``."""
    size = buffers + 1
    return np.broadcast_to(busy_s, (size, size, *busy_s.shape)).copy()


def task_matrix(task: TimedTask, buffers: int) -> Matrix:
    """Return the matrix of all tiles of one task (the identity in steps where it does not run).

    Of a task that no step changes it has one entry, which stands for all.
    """
    task = task.narrow
    if task.is_barrier:
        return power(barrier_matrix(task.busy_s, buffers), task.tiles)
    return tiles_matrix(task.fetch_s, task.busy_s, task.tiles, buffers)


def segment_matrix(segment: TimedSegment, buffers: int) -> Matrix:
    """Return the matrix of a segment: the product of its tasks, to the power of its repeat."""
    matrices = [task_matrix(task, buffers) for task in segment.tasks]
    alike = groupby(
        matrices, key=lambda matrix: matrix.shape
    )  # those of one entry among themselves
    products = [_product(list(run)) for _, run in alike]
    return power(_product(products), np.full(1, segment.repeat))


def _product(matrices: Sequence[Matrix]) -> Matrix:
    """Return the product of matrices, the earliest first."""
    product = matrices[0]
    for matrix in matrices[1:]:
        product = multiply(matrix, product)
    return product


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
