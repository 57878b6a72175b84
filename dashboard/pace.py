"""A reply at the pace of the simulated phone: when the image is read, and when each token comes.

Times are seconds from sending the question, of the first turn. Two things may stretch them: the
slow end of the 80 % range, and the clock that is left after minutes of decoding without a pause.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from sim.explore.uncertainty import nominal_metrics
from sim.explore.variants import MetricColumns
from sim.results import Result

SLOW: Final = 90.0
"""Percentile of the waits that the ghost shows."""
DIGITS: Final = 5


def pace(
    result: Result, name: str, drawn: MetricColumns | None = None, minute: int = 1
) -> dict[str, Any]:
    """Return the pace of a reply as the page plays it.

    Parameters
    ----------
    drawn
        Metrics on draws of the device; none or empty: no ghost.
    minute
        In which minute of decoding without a pause the question is asked; 1: on a cool phone.
    """
    summary = result.summary()
    slowed = clock_left(result, minute)
    first_s = (summary.time_to_first_token_s or 0.0) / slowed
    return {
        "name": name,
        "vision": (summary.vision_encode_s or 0.0) / slowed,
        "first": first_s,
        "tokens": [round(first_s + at_s / slowed, DIGITS) for at_s in token_times(result)],
        "ghost": _ghost(result, drawn),
        "clock": slowed,
    }


def token_times(result: Result) -> list[float]:
    """Return when each output token comes, in seconds after the first one [s]."""
    found: list[float] = [0.0]
    for times in result.groups:
        if times.group.turn == 0 and times.group.phase == "decode":
            counts = np.broadcast_to(times.group.committed_tokens, (times.group.steps,))
            ends_s = times.ends_s - result_start_s(result)
            for end_s, count in zip(ends_s.tolist(), counts.tolist(), strict=True):
                found += [end_s] * round(count)
    return found


def result_start_s(result: Result) -> float:
    """Return when the first turn's decode begins [s]."""
    decode = [g.start_s for g in result.groups if g.group.turn == 0 and g.group.phase == "decode"]
    return min(decode, default=0.0)


def clock_left(result: Result, minute: int) -> float:
    """Return the mean clock of a minute of decoding without a pause, as a fraction."""
    if minute <= 1:
        return 1.0
    columns = nominal_metrics(result, minute)
    left = float(columns["sustained_tokens_per_s"][0] / columns["tokens_per_s"][0])
    return left if np.isfinite(left) and left > 0.0 else 1.0


def _ghost(result: Result, drawn: MetricColumns | None) -> dict[str, float] | None:
    """Return how much longer first token and later ones take at the slow end of the range."""
    summary = result.summary()
    if not drawn or not summary.time_to_first_token_s or not summary.tokens_per_s:
        return None
    first_s, rate = drawn["time_to_first_token_s"], drawn["tokens_per_s"]
    if not (np.isfinite(first_s).all() and np.isfinite(rate).all()):
        return None
    return {
        "first": float(np.percentile(first_s, SLOW)) / summary.time_to_first_token_s,
        "rest": summary.tokens_per_s / float(np.percentile(rate, 100.0 - SLOW)),
    }
