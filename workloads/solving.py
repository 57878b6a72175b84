"""Find the affine form that explains the sizes recorded at several probes, exactly, in fractions.

The first probes that tell the names apart solve the coefficients, the rest verify. Sizes that no
form explains are refused: a trace holds nothing that was only seen once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

from workloads.errors import WorkloadError
from workloads.extent import Extent
from workloads.trace import Operator, Segment, TensorRef

Sizes = Mapping[str, int]


def solve(
    runs: Sequence[Sequence[Segment]], probes: Sequence[Sizes], symbols: Sequence[str]
) -> tuple[Segment, ...]:
    """Return the segments whose sizes explain every run; raises `WorkloadError` if none do.

    Arguments:
        runs: the segments recorded at each probe, with constant sizes.
        probes: sizes of each run, enough to tell the symbols apart, and others to verify.
        symbols: the size names.
    """
    outlines = [[(s.name, s.repeat, len(s.operators)) for s in run] for run in runs]
    if any(outline != outlines[0] for outline in outlines):
        raise WorkloadError(f"a phase must call the same operators at every size. {_first(runs)}")
    segments = []
    for same in zip(*runs, strict=True):
        calls = zip(*(segment.operators for segment in same), strict=True)
        operators = tuple(_solve_operator(call, probes, symbols) for call in calls)
        segments.append(replace(same[0], operators=operators))
    return tuple(segments)


def _first(runs: Sequence[Sequence[Segment]]) -> str:
    """Say where the lists of two runs part."""
    calls = [[(o.name, o.module) for s in run for o in s.operators] for run in runs]
    for other in calls[1:]:
        for mine, theirs in zip(calls[0], other, strict=False):
            if mine != theirs:
                return f"Got {mine[0]} of {mine[1]} and {theirs[0]} of {theirs[1]}."
    return f"Got {', '.join(str(len(found)) for found in calls)} operators."


def _solve_operator(
    calls: Sequence[Operator], probes: Sequence[Sizes], symbols: Sequence[str]
) -> Operator:
    base = calls[0]
    place = f"{base.name} of {base.module}"
    if any(_without_sizes(call) != _without_sizes(base) for call in calls):
        raise WorkloadError(f"{place} must be called alike at every size.")

    def tensors(groups: Iterable[tuple[TensorRef, ...]]) -> Iterator[TensorRef]:
        for group in groups:
            sizes = zip(*(tensor.shape for tensor in group), strict=True)
            shape = (solve_extent(_constants(size), probes, symbols, place) for size in sizes)
            yield replace(group[0], shape=tuple(shape))

    work = None
    if base.work is not None:
        pairs = zip(*(call.work or () for call in calls), strict=True)
        solved = [solve_extent(_constants(pair), probes, symbols, place) for pair in pairs]
        work = (solved[0], solved[1])
    return replace(
        base,
        inputs=tuple(tensors(zip(*(call.inputs for call in calls), strict=True))),
        outputs=tuple(tensors(zip(*(call.outputs for call in calls), strict=True))),
        work=work,
    )


def _without_sizes(call: Operator) -> Operator:
    def strip(tensors: Iterable[TensorRef]) -> tuple[TensorRef, ...]:
        return tuple(replace(t, shape=(Extent.of(0),) * len(t.shape)) for t in tensors)

    return replace(call, inputs=strip(call.inputs), outputs=strip(call.outputs), work=None)


def _constants(extents: Iterable[Extent]) -> tuple[Fraction, ...]:
    return tuple(extent.constant for extent in extents)


def solve_extent(
    values: Sequence[Fraction | int], probes: Sequence[Sizes], symbols: Sequence[str], place: str
) -> Extent:
    """Return the affine form that takes ``values`` at ``probes``.

    Raises `WorkloadError`, which names ``place``, if there is none.

    >>> probes = ({"N": 16}, {"N": 24}, {"N": 80})
    >>> str(solve_extent((5, 7, 21), probes, ("N",), "merge"))
    'N/4+1'
    """
    if all(value == values[0] for value in values):
        return Extent.of(Fraction(values[0]))
    rows = tuple((1, *(probe[symbol] for symbol in symbols)) for probe in probes)
    basis, inverse = _inverse(rows)
    found = [sum(c * values[i] for c, i in zip(row, basis, strict=True)) for row in inverse]
    for row, value in zip(rows, values, strict=True):
        if sum(c * size for c, size in zip(found, row, strict=True)) != value:
            seen = ", ".join(map(str, values))
            raise WorkloadError(f"{place}: sizes must be affine in {symbols}. Got {seen}.")
    return Extent.of(found[0], **dict(zip(symbols, found[1:], strict=True)))


def independent(rows: Sequence[Sequence[int | Fraction]]) -> list[int]:
    """Return the first rows that are independent of the rows before them.

    >>> independent([[1, 2], [2, 4], [0, 1]])
    [0, 2]
    """
    kept: list[int] = []
    reduced: list[tuple[int, list[Fraction]]] = []
    for index, row in enumerate(rows):
        rest = [Fraction(value) for value in row]
        for pivot, other in reduced:
            factor = rest[pivot]
            rest = [a - factor * b for a, b in zip(rest, other, strict=True)]
        first = next((i for i, value in enumerate(rest) if value), None)
        if first is not None:
            kept.append(index)
            reduced.append((first, [value / rest[first] for value in rest]))
    return kept


@lru_cache(maxsize=64)
def _inverse(rows: tuple[tuple[int, ...], ...]) -> tuple[list[int], list[list[Fraction]]]:
    """Return independent rows and the inverse of their matrix.

    Raises `WorkloadError` where the probes do not tell the names apart.
    """
    basis, width = independent(rows), len(rows[0])
    if len(basis) < width:
        raise WorkloadError("probes must tell the size names apart.")
    table = [[*map(Fraction, rows[i]), *(Fraction(i == j) for j in basis)] for i in basis]
    for column in range(width):
        pivot = next(r for r in range(column, width) if table[r][column])
        table[column], table[pivot] = table[pivot], table[column]
        table[column] = [value / table[column][column] for value in table[column]]
        for other in range(width):
            if other != column:
                factor = table[other][column]
                pairs = zip(table[other], table[column], strict=True)
                table[other] = [a - factor * b for a, b in pairs]
    return basis, [row[width:] for row in table]
