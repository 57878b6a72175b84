"""Where the first token's time goes, and what bounds decode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dashboard.charts.bars import Bar, slim, wide
from dashboard.charts.palette import BASELINE, Figure, colour, figure, vertical_line
from sim.breakdown import Term
from sim.summary import Summary

TERM_COLOURS = {
    "arithmetic": "compute",
    "operator launch": "launch",
    "host and graph calls": "host",
    "DRAM: weights": "weights",
    "DRAM: KV cache": "kv_cache",
    "DRAM: KV write": "kv_cache",
    "DRAM: activations": "activations",
    "DRAM: activation write": "activations",
}
SMALLEST_SHARE = 0.005
FARTHEST_TARGET = 3.0
"""A target further away than this many times the first token is left out of the picture."""
ROW_PX: Final = 42
TOKEN: Final = "first token"


def first_token_waterfall(
    summary: Summary, target_s: float, baseline: Summary | None = None
) -> Figure:
    """Draw vision encode and prefill adding up to the first token, against the target [s]."""
    now, then = _parts(summary), _parts(baseline) if baseline else []
    longest_s = max((bar.start + bar.length for bar in [*now, *then]), default=0.0)
    shown = target_s < FARTHEST_TARGET * longest_s
    reach_s = 1.15 * max(longest_s, target_s if shown else 0.0)
    names = dict.fromkeys(bar.name for bar in [*then[:-1], *now[:-1]])
    return figure(
        [wide(now), *([slim(then)] if then else [])],
        105 + ROW_PX * (len(names) + 1),
        xaxis={"title": {"text": "seconds"}, "range": [0, reach_s]},
        yaxis=_rows([*names, TOKEN]),
        showlegend=bool(then),
        barmode="overlay",
        **(vertical_line(target_s, f"target {target_s:g} s") if shown else {}),
    )


def decode_bounds(
    terms: Sequence[Term], steps: int, baseline: tuple[Sequence[Term], int] | None = None
) -> Figure:
    """Draw the milliseconds of one decode step by what bounds them; ``baseline`` likewise."""
    now = _terms(terms, steps)
    then = _terms(*baseline) if baseline else []
    names = list(dict.fromkeys(bar.name for bar in [*now, *then]))
    longest = max((bar.length for bar in [*now, *then]), default=0.0)
    return figure(
        [wide(now), *([slim(then)] if then else [])],
        105 + ROW_PX * len(names),
        xaxis={"title": {"text": "milliseconds per step"}, "range": [0, 1.2 * longest]},
        yaxis=_rows(names),
        showlegend=bool(then),
        barmode="overlay",
    )


def takeaway(terms: Sequence[Term]) -> str:
    """Return what the chart of decode says, for people who cannot see it."""
    if not terms:
        return "No decode step ran."
    return f"Decode is bound by {terms[0].name}: {terms[0].share:.0%} of each step."


def first_token_takeaway(summary: Summary, baseline: Summary | None) -> str:
    """Return what the waterfall says, for people who cannot see it."""
    said = f"First token after {summary.time_to_first_token_s:.2f} s"
    if baseline is None or baseline.time_to_first_token_s is None:
        return f"{said}."
    return f"{said}; {BASELINE}: {baseline.time_to_first_token_s:.2f} s."


def _rows(names: list[str]) -> Figure:
    """Return the axis of rows from top to bottom."""
    order = {"categoryorder": "array", "categoryarray": names}
    return {"range": [len(names) - 0.5, -0.5], "showgrid": False} | order


def _parts(summary: Summary) -> list[Bar]:
    """Return the phases up to the first token, each beginning where the one before ends."""
    total_s = summary.time_to_first_token_s or 0.0
    parts = [
        ("vision encode", summary.vision_encode_s or 0.0, "vision"),
        ("prefill", summary.prefill_s or 0.0, "prefill"),
    ]
    rest_s = total_s - sum(seconds for _, seconds, _ in parts)
    if rest_s > SMALLEST_SHARE * total_s:
        parts.append(("switches", rest_s, "host"))
    bars, start_s = [], 0.0
    for name, seconds, component in parts:
        if seconds > 0.0:
            bars.append(Bar(name, start_s, seconds, f"{seconds:.2f} s", colour(component)))
            start_s += seconds
    return [*bars, Bar(TOKEN, 0.0, total_s, f"{total_s:.2f} s", "#5F6368")]


def _terms(terms: Sequence[Term], steps: int) -> list[Bar]:
    """Return the terms that show, in milliseconds of a step."""
    return [
        Bar(
            term.name,
            0.0,
            term.seconds / steps * 1e3,
            f"{term.seconds / steps * 1e3:.1f} ms, {term.share:.0%}",
            colour(TERM_COLOURS.get(term.name, "")),
        )
        for term in terms
        if term.share >= SMALLEST_SHARE
    ]
