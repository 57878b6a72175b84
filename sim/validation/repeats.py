"""Repeats: how well one value can do on rows that ask the same question and were answered apart.

Rows with the same device, stack, network, formats, lengths and images are simulated alike, whatever
the model. Over the measured values m of such rows the mean of ``|v / m - 1|`` is piecewise linear
in v, so its least value, the floor, stands at one of them.

Not modelled: conditions that the rows do not state, such as releases and heat; the floor is their
size.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sim.validation.judging import Judged


def least_error(measured: Sequence[float]) -> float:
    """Return the least mean absolute relative error that a single value can have.

    >>> round(least_error([28.03, 23.472]), 4)
    0.0813
    >>> least_error([5.0, 5.0])
    0.0
    """
    return min(sum(abs(v / m - 1.0) for m in measured) / len(measured) for v in measured)


def error_floor(rows: Iterable[Judged]) -> float:
    """Return the least MAPE that any model can reach on rows of one metric."""
    groups: dict[tuple[object, ...], list[float]] = {}
    for row in rows:
        groups.setdefault(_question(row), []).append(row.measured)
    total = sum(len(own) * least_error(own) for own in groups.values())
    return total / sum(map(len, groups.values()))


def _question(row: Judged) -> tuple[object, ...]:
    """Return what a simulation is told of a row."""
    run = row.run
    formats = (run.weights, run.activations, run.kv_dtype, run.kv_value_dtype)
    lengths = (run.context_tokens, run.depth_tokens, run.prompt_tokens, run.output_tokens)
    way = (run.image_px, run.threads, run.ubatch_tokens, run.flash_attention)
    return (row.metric, row.device, row.stack, run.model, *formats, *lengths, *way)
