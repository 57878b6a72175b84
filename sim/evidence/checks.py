"""Checks of a measured run that need no simulation: garbage, noise, cold starts, throttling.

Measured files are often wrong in ways a program can see. An *error* makes the run useless; a
*warning* is for a person to weigh. The bound that physics sets on a decode rate is an argument,
because it belongs to a device. Not checked: whether the conditions the file states are true.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import fmean, median, pstdev
from typing import Final, Literal, NamedTuple

from sim.evidence.measured import MeasuredRun

FEWEST_OUTPUT_TOKENS: Final = 16
"""Assumed: fewer do not make a steady decode rate."""
LARGEST_RELATIVE_SPREAD: Final = 0.15
"""Assumed: standard deviation over mean above which repeats are too noisy."""
MEASURABLE: Final = (1e-15, 1e15)
"""Assumed: beyond these no sample is a time [s] or a rate [tokens/s] of any device."""
COLD_FACTOR: Final = 1.3
"""Assumed: a first sample this much slower than the median of the others is a cold one."""
THROTTLED_FRACTION: Final = 0.9
"""Assumed: share of the first rate below which the last one of a steady fall is throttled."""
FASTEST_TOKENS_PER_S: Final = 1e5
"""Assumed: no machine decodes one sequence anywhere near this fast; more is a timer fault."""

Severity = Literal["error", "warning"]


class Finding(NamedTuple):
    """One thing a check found."""

    severity: Severity
    message: str


def checks(run: MeasuredRun, ceiling_tokens_per_s: float | None = None) -> list[Finding]:
    """Return what is wrong or doubtful about a run.

    Parameters
    ----------
    ceiling_tokens_per_s
        Decode rate the device cannot exceed: peak DRAM bandwidth / bytes read per token
        [tokens/s]; not checked if none.

    >>> checks(MeasuredRun(id="a", tokens_per_s=1684.0), ceiling_tokens_per_s=80.0)[0].severity
    'error'
    """
    return [
        *_zero_metrics(run),
        *_turns(run),
        *_ceiling(run, ceiling_tokens_per_s),
        *(
            found
            for metric, samples in run.samples.items()
            for found in _check_samples(metric, samples)
        ),
    ]


def _zero_metrics(run: MeasuredRun) -> Iterator[Finding]:
    if run.time_to_first_token_s == 0.0:
        yield Finding("warning", "time_to_first_token_s is 0: no turn was recorded.")
    for metric in ("prefill_tokens_per_s", "tokens_per_s", "vision_encode_s"):
        if getattr(run, metric) == 0.0:
            yield Finding("error", f"{metric} must be above 0. Got 0: nothing was timed.")


def _turns(run: MeasuredRun) -> Iterator[Finding]:
    told = run.samples or run.operators or run.warnings
    if not run.metrics and not told:
        yield Finding("error", "a run must measure something. Got no metric: no turn was recorded.")
    elif run.output_tokens and run.tokens_per_s is None:
        yield Finding("warning", "no decode rate, although output tokens are given.")
    if run.output_tokens is not None and 0 < run.output_tokens < FEWEST_OUTPUT_TOKENS:
        yield Finding(
            "warning",
            f"output_tokens should be at least {FEWEST_OUTPUT_TOKENS} for a steady decode rate. "
            f"Got {run.output_tokens}.",
        )


def _ceiling(run: MeasuredRun, ceiling_tokens_per_s: float | None) -> Iterator[Finding]:
    rate = run.tokens_per_s or 0.0
    if rate > FASTEST_TOKENS_PER_S:
        yield Finding("error", f"tokens_per_s must be below {FASTEST_TOKENS_PER_S:g}. Got {rate}.")
    elif ceiling_tokens_per_s is not None and rate > ceiling_tokens_per_s:
        yield Finding(
            "error",
            f"tokens_per_s must not exceed {ceiling_tokens_per_s:.4g}, the rate at which DRAM can "
            f"deliver the weights and the KV cache. Got {rate:g}.",
        )


def _check_samples(metric: str, samples: Sequence[float]) -> Iterator[Finding]:
    least, most = MEASURABLE
    if not all(least < sample < most for sample in samples):
        yield Finding(
            "error",
            f"samples of {metric} must lie between {least:g} and {most:g}. Got {list(samples)}.",
        )
        return
    slowness = [1.0 / sample if metric.endswith("_per_s") else sample for sample in samples]
    if len(samples) < 2:
        return
    if slowness[0] > COLD_FACTOR * median(slowness[1:]):
        yield Finding("warning", f"the first sample of {metric} is a cold one; set it apart.")
        slowness = slowness[1:]
    spread = pstdev(slowness) / fmean(slowness)
    if spread > LARGEST_RELATIVE_SPREAD:
        yield Finding("warning", f"samples of {metric} spread by {spread:.0%} of their mean.")
    if _slows_down(slowness):
        yield Finding("warning", f"samples of {metric} slow down steadily: the device throttles.")


def _slows_down(slowness: Sequence[float]) -> bool:
    """Whether each of at least four samples is slower than the one before, by 10 % in all."""
    steady = len(slowness) >= 4 and all(a < b for a, b in pairwise(slowness))
    return steady and slowness[0] < THROTTLED_FRACTION * slowness[-1]
