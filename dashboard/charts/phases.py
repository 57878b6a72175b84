"""Where the first token's time goes, and what bounds decode."""

from __future__ import annotations

from collections.abc import Sequence

from dashboard.charts.palette import Figure, Trace, colour, figure, vertical_line
from sim.breakdown import Term
from sim.metrics import Summary

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


def first_token_waterfall(summary: Summary, target_s: float) -> Figure:
    """Draw vision encode and prefill adding up to the first token, against the target [s]."""
    vision_s, prefill_s = summary.vision_encode_s or 0.0, summary.prefill_s or 0.0
    total_s = summary.time_to_first_token_s or 0.0
    bars = [
        _bar("vision encode", 0.0, vision_s, "vision", total_s),
        _bar("prefill", vision_s, prefill_s, "prefill", total_s),
        _bar("first token", 0.0, total_s, "", total_s),
    ]
    rest_s = total_s - vision_s - prefill_s
    if rest_s > SMALLEST_SHARE * total_s:
        bars.insert(2, _bar("switches", vision_s + prefill_s, rest_s, "host", total_s))
    shown = target_s < FARTHEST_TARGET * total_s
    longest_s = 1.15 * max(total_s, target_s if shown else 0.0)
    return figure(
        bars,
        240,
        xaxis={"title": {"text": "seconds"}, "range": [0, longest_s]},
        yaxis={"autorange": "reversed"},
        showlegend=False,
        **(vertical_line(target_s, "target") if shown else {}),
    )


def decode_bounds(terms: Sequence[Term], steps: int) -> Figure:
    """Draw the milliseconds of one decode step by what bounds them."""
    shown = [term for term in terms if term.share >= SMALLEST_SHARE]
    bars = {
        "type": "bar",
        "orientation": "h",
        "y": [term.name for term in shown],
        "x": [term.seconds / steps * 1e3 for term in shown],
        "marker": {"color": [colour(TERM_COLOURS.get(term.name, "")) for term in shown]},
        "text": [f"{term.seconds / steps * 1e3:.1f} ms, {term.share:.0%}" for term in shown],
        "textposition": "auto",
        "cliponaxis": False,
        "hovertemplate": "%{y}: %{x:.2f} ms<extra></extra>",
    }
    axis = {"title": {"text": "milliseconds per step"}}
    return figure([bars], 240, xaxis=axis, yaxis={"autorange": "reversed"})


def takeaway(terms: Sequence[Term]) -> str:
    """Return what the chart of decode says, for people who cannot see it."""
    if not terms:
        return "No decode step ran."
    return f"Decode is bound by {terms[0].name}: {terms[0].share:.0%} of each step."


def _bar(name: str, start_s: float, seconds: float, component: str, total_s: float) -> Trace:
    return {
        "type": "bar",
        "orientation": "h",
        "y": [name],
        "x": [seconds],
        "base": [start_s],
        "marker": {"color": colour(component)},
        "text": f"{seconds:.2f} s",
        "textposition": "outside" if seconds < 0.15 * total_s else "inside",
        "cliponaxis": False,
        "hovertemplate": f"{name}: {seconds:.3f} s<extra></extra>",
    }
