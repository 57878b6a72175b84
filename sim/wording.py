"""Numbers and names as people read them.

A shown number keeps its exact value, so that a page can be checked against its JSON. Memory is in
binary units, everything moved in decimal ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sim.metrics import METRICS, ships
from workloads.program import Program

NAMES: Final = {"prefill_tokens_per_s": "prefill rate"}
"""What is measured and no metric of a run."""
MEMORY: Final = ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "B"))
MOVED: Final = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1, "B"))
TIMES: Final = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
PLAIN: Final = (
    ("tokens_per_s", "tokens/s"),
    ("tokens_per_step", ""),
    ("j_per_token", "J/token"),
    ("_j", "J"),
    ("_w", "W"),
    ("_c", "°C"),
)
SHARES: Final = ("mfu", "mbu", "share", "error")
"""Endings of names whose values are fractions, told in per cent."""
PASSES: Final = "would pass on the device's own numbers"
"""What every door says of a remedy; how likely it passes over draws is not known before its run."""
SMALLEST_SECONDS: Final = 0.1
"""Shorter times are told in the next smaller unit [s]."""


@dataclass(frozen=True, slots=True)
class Number:
    """A value and its text, unit included."""

    value: float | None
    text: str


def shown(metric: str, value: float | None) -> Number:
    """Return a value of a metric as text; the metric's name tells the unit.

    >>> shown("time_to_first_token_s", 1.93936).text, shown("prefill_s", 0.04637).text
    ('1.94 s', '46.4 ms')
    >>> shown("peak_dram_bytes", 3048413696.0).text, shown("tokens_per_s", None).text
    ('2.84 GiB', '-')
    """
    return Number(value, "-" if value is None else _text(metric, float(value)))


def visual_noun(program: Program) -> str:
    """Return what a language model reads of an image: tokens, or states of cross attention."""
    return "visual states" if program.image_states else "visual tokens"


def span(metric: str, low: float, high: float) -> str:
    """Return a range of a metric, the unit once where both ends have the same.

    >>> span("tokens_per_s", 16.36, 28.13), span("prefill_s", 0.05, 1.2)
    ('16.4 to 28.1 tokens/s', '50.0 ms to 1.20 s')
    """
    return " to ".join(end.text for end in ends(metric, low, high))


def ends(metric: str, low: float, high: float) -> tuple[Number, Number]:
    """Return both ends of a range of a metric, the unit at the second alone if it is that of both.

    >>> [end.text for end in ends("load_s", 0.5, 0.9)]
    ['0.500', '0.900 s']
    """
    first, last = shown(metric, low), shown(metric, high)
    amount, _, unit = first.text.partition(" ")
    is_same = unit == last.text.partition(" ")[2]
    return (replace(first, text=amount) if is_same else first), last


def label(metric: str) -> str:
    """Return the name of a metric without its unit.

    >>> label("tokens_per_s"), label("vision_encode_s"), label("dram_read_bytes")
    ('decode rate', 'vision encode', 'DRAM read')
    """
    if metric in METRICS:
        return METRICS[metric].words
    if metric in NAMES:
        return NAMES[metric]
    stem, _, unit = metric.rpartition("_")
    spoken = (stem if unit in ("s", "bytes", "j", "w", "c") else metric).replace("_", " ")
    return spoken.replace("dram", "DRAM").replace("kv", "KV")


def held_name(name: str) -> str:
    """Return a class of DRAM as people write it.

    >>> held_name("kv_cache"), held_name("weights")
    ('KV cache', 'weights')
    """
    return name.replace("kv_cache", "KV cache")


def change(before: float, after: float) -> str:
    """Return a relative change in per cent, with a digit more where it is small.

    >>> change(2.0, 3.0), change(2.26, 2.2555), change(2.0, 2.0)
    ('+50%', '-0.2%', '+0.0%')
    """
    share = after / before - 1.0
    return f"{share:+.0%}" if abs(share) >= 0.0095 else f"{share:+.1%}".replace("-0.0%", "+0.0%")


def told(remedy: Mapping[str, Any]) -> str:
    """Return a remedy (`sim.explore.remedies`) as plain data in a sentence."""
    return f"{remedy['text']} (costs: {remedy['cost']}): {remedy['answer']}"


def significant(value: float) -> str:
    """Return a number with three significant digits, all digits before the point kept.

    >>> significant(0.0396), significant(21.565), significant(1463.7), significant(0.0)
    ('0.0396', '21.6', '1464', '0')
    """
    if not value or abs(value) < 1e-6 or abs(value) >= 1e9:
        return f"{value:.3g}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def _text(metric: str, value: float) -> str:
    if metric in METRICS and not ships(metric):
        return f"{significant(value)} {METRICS[metric].unit}"
    if metric.endswith(SHARES):
        return f"{100.0 * value:.0f} %" if abs(value) >= 0.1 else f"{100.0 * value:.1f} %"
    for ending, unit in PLAIN:
        if metric.endswith(ending):
            return f"{significant(value)} {unit}".rstrip()
    if metric.endswith("_s"):
        return _scaled(value, TIMES, SMALLEST_SECONDS)
    if metric.endswith("_bytes") or metric == "weight_bytes_per_step":
        is_held = metric.startswith(("peak", "budget", "held"))
        return _scaled(value, MEMORY if is_held else MOVED)
    if metric.endswith("flops"):
        return f"{significant(value / 1e12)} TFLOP"
    return f"{value:.0f}" if value == int(value) else significant(value)


def _scaled(value: float, units: tuple[tuple[float, str], ...], smallest: float = 1.0) -> str:
    """Return a value in the largest unit of which it holds at least ``smallest``."""
    fitting = (pair for pair in units if abs(value) >= smallest * pair[0])
    factor, unit = next(fitting, units[-1] if value else units[0])
    return f"{significant(value / factor)} {unit}"
