"""What may account for a broken relation, as docs/metrics.md explains: arithmetic, padding, tiles.

An exception accounts for the whole loss, or it is none.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.breakdown import DRAM, UNREAD, phase_terms
from sim.engine.timed import TimedTask
from sim.results import Result

TTFT, TPOT, PEAK = "time_to_first_token_s", "time_per_output_token_s", "peak_dram_bytes"
ROUNDING = 1e-9
FINER_TILES = 2e-3
"""What finer tiles may save of a step, see docs/metrics.md."""
OF_ROWS = ("arithmetic", "cache copies", "operator launch", DRAM, UNREAD)
"""Beginnings of terms that padded rows take part in; calls and work per layer come once a chunk.

Seconds of DRAM are shared out by bytes, so those of padded rows show in the weights' term, too. A
launch is hidden where the weights are waited for, and shows where padding lets arithmetic bound.
"""


def value_of(result: Result, metric: str) -> Any:
    """Return a metric, or the seconds of the whole reply, ``None`` where memory ended it."""
    if metric == "reply_s":
        return result.makespan_s if result.fits else None
    return result[metric]


def ran_more(before: Result, after: Result, metric: str) -> bool:
    """Return whether more padding was computed, and what padded rows take is the whole loss."""
    padding = [result["flops"] - result["useful_flops"] for result in (before, after)]
    more_s = _more_s(after, before, metric, OF_ROWS)
    return padding[1] > padding[0] and _gain_s(before, after, metric) <= more_s


def took_more_arithmetic(before: Result, after: Result, metric: str) -> bool:
    """Return whether fewer bits took more arithmetic, and it accounts for the whole loss."""
    return _gain_s(after, before, metric) <= _more_s(before, after, metric)


def _gain_s(slower: Result, faster: Result, metric: str) -> float:
    """Return by how much a phase took longer in one run than in another, rounding left out [s]."""
    times = [abs(result[metric]) * _times(result, metric) for result in (slower, faster)]
    return abs(times[0] - times[1]) - ROUNDING * max(times)


def _more_s(
    more: Result, less: Result, metric: str, terms: tuple[str, ...] = ("arithmetic",)
) -> float:
    """Return how much longer terms bound the phases of a metric in one run than in another [s]."""
    phases = ("decode",) if metric == TPOT else ("vision", "prefill")
    found = [
        sum(
            term.seconds
            for phase in phases
            for term in phase_terms(result, phase)
            if term.name.startswith(terms)
        )
        for result in (more, less)
    ]
    return found[0] - found[1]


def _times(result: Result, metric: str) -> float:
    """Return of how many tokens a metric is the time of each."""
    return result["output_tokens"] - 1.0 if metric == TPOT else 1.0


def is_finer(before: Result, after: Result, metric: str) -> bool:
    """Return whether no more is at stake than what finer tiles save.

    Of decode steps it is worked out, (1/n - 1/m) of an operator whose n tiles become m; of others
    it is a share.
    """
    if metric == TPOT and before.fits and after.fits:
        return _gain_s(before, after, metric) <= _finer_s(before, after)
    earlier, later = value_of(before, metric), value_of(after, metric)
    return earlier is not None and later is not None and later >= earlier * (1.0 - FINER_TILES)


def _finer_s(before: Result, after: Result) -> float:
    """Return the most that finer tiles save in all decode steps [s]."""
    saved = 0.0
    for coarse, fine in zip(_decode_tasks(before), _decode_tasks(after), strict=True):
        (repeat, one), (_, other) = coarse, fine
        n, m = np.maximum(one.tiles, 1), np.maximum(other.tiles, 1)
        seconds = m * (other.fetch_s + other.busy_s)
        saved += repeat * float((np.maximum(0.0, 1.0 / n - 1.0 / m) * seconds).sum())
    return saved


def _decode_tasks(result: Result) -> list[tuple[int, TimedTask]]:
    return [
        (segment.repeat, task)
        for times in result.groups
        if times.group.phase == "decode"
        for segment in times.priced.segments
        for task in segment.tasks
        if not task.is_barrier
    ]


def switched_less(before: Result, after: Result, metric: str) -> bool:
    """Return whether no more was gained than by fewer switches of graphs and finer tiles."""
    fewer_s = _switches_s(before) - _switches_s(after)
    gained_s = _gain_s(before, after, metric)
    return gained_s <= fewer_s + _finer_s(before, after)


def _switches_s(result: Result) -> float:
    """Return the seconds in which decode changed to the graph of another cache size [s]."""
    opening = (times.priced.segments[0] for times in result.groups if times.group.phase == "decode")
    switches = (task for part in opening for task in part.tasks if task.kind == "graph_switch")
    return sum(float((task.tiles * task.busy_s).sum()) for task in switches)
