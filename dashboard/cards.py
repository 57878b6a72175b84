"""The headline numbers as cards: value, change from the baseline, what to compare it with."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dashboard.choices import GIB
from sim.results import Intervals, Result
from sim.summary import Summary

SMALLEST_CHANGE = 5e-4
"""Relative change below which a card says that there is none."""
UNCHANGED = "no change"
NEVER = "the run ends before it"
"""Note of a number that a run out of memory never reached."""


@dataclass(frozen=True, slots=True)
class Card:
    """One headline number as text.

    Attributes
    ----------
    delta
        Change from the baseline with its sign and unit, ``None`` without a baseline.
    less_is_better
        Whether a negative change is good.
    note
        What to read the number against.
    help
        How the number is defined.
    metric
        Name of the metric it shows, as `simulate --json` has it; "" if it has no interval.
    range
        The 80 % interval, as text.
    """

    label: str
    value: str
    delta: str | None
    less_is_better: bool
    note: str
    help: str
    metric: str
    range: str = ""


def with_ranges(plain: list[Card], intervals: Intervals | None) -> list[Card]:
    """Return the cards with the 80 % interval of each number, or that it is being computed."""
    return [replace(card, range=_range(card.metric, intervals)) for card in plain]


def cards(result: Result, baseline: Result | None = None) -> list[Card]:
    """Return the five cards of a run."""
    new, old = result.summary(), baseline.summary() if baseline else None
    return [
        _first_token(new, old),
        _rate(new, old),
        _peak(new, old, result.ledger.budget_bytes),
        _energy(new, old),
        _load(new, old, result),
    ]


def card(
    label: str,
    now: float | None,
    then: float | None,
    unit: str,
    digits: int = 2,
    *,
    help: str,
    note: str = "",
    metric: str = "",
    less_is_better: bool = True,
) -> Card:
    """Return a card of a number in a unit, with its change from what the baseline has."""
    return Card(
        label=label,
        value=number(now, unit, digits),
        delta=change(now, then, unit, digits),
        less_is_better=less_is_better,
        note=note,
        help=help,
        metric=metric,
    )


def change(new: float | None, old: float | None, unit: str, digits: int = 2) -> str | None:
    """Return the change of a number as text, ``None`` where there is nothing to compare.

    >>> change(1.5, 2.0, "s"), change(2.0, 2.001, "s"), change(2.0, None, "s")
    ('-0.50 s', 'no change', None)
    """
    if new is None or old is None:
        return None
    said = f"{new - old:+.{digits}f} {unit}"
    is_nothing = not said.strip(f"+-0. {unit}")
    return UNCHANGED if is_nothing or abs(new - old) <= SMALLEST_CHANGE * abs(old) else said


def number(value: float | None, unit: str, digits: int = 2) -> str:
    """Return a number with its unit, a dash where the run never got there.

    >>> number(1.234, "s"), number(None, "s")
    ('1.23 s', '–')
    """
    return "–" if value is None else f"{value:.{digits}f} {unit}"


def _range(metric: str, intervals: Intervals | None) -> str:
    """Return an interval as text.

    >>> _range("load_s", {"load_s": {"p10": 0.4, "p50": 0.6, "p90": 0.9}})
    '80 % range 0.40 to 0.90'
    >>> _range("load_s", {"load_s": {"p10": 0.4, "p50": 0.4, "p90": 0.4}})
    'no uncertain input'
    """
    if intervals is None:
        return "80 % range: computing"
    if metric not in intervals:
        return ""
    scale = GIB if metric.endswith("_bytes") else 1.0
    low, high = (intervals[metric][name] / scale for name in ("p10", "p90"))
    if low == high:
        return "no uncertain input"
    digits = 2 if high < 10.0 else 1
    return f"80 % range {low:.{digits}f} to {high:.{digits}f}"


def _first_token(new: Summary, old: Summary | None) -> Card:
    return card(
        "Time to first token",
        new.time_to_first_token_s,
        old.time_to_first_token_s if old else None,
        "s",
        metric="time_to_first_token_s",
        note=f"vision {number(new.vision_encode_s, 's')}, prefill {number(new.prefill_s, 's')}"
        if new.fits
        else NEVER,
        help="Vision encode + prefill + first token, on loaded weights, mean per turn.",
    )


def _rate(new: Summary, old: Summary | None) -> Card:
    return card(
        "Tokens/s, burst",
        new.tokens_per_s,
        old.tokens_per_s if old else None,
        "tok/s",
        1,
        less_is_better=False,
        metric="tokens_per_s",
        note=f"sustained {number(new.sustained_tokens_per_s, 'tok/s', 1)}" if new.fits else NEVER,
        help="Output tokens after the first / decode seconds. Sustained: once the body sits at "
        "the governor's first trip.",
    )


def _peak(new: Summary, old: Summary | None, budget_bytes: float) -> Card:
    return card(
        "Peak DRAM",
        new.peak_dram_bytes / GIB,
        old.peak_dram_bytes / GIB if old else None,
        "GiB",
        metric="peak_dram_bytes",
        note=f"of {budget_bytes / GIB:.2f} GiB app budget",
        help="Largest resident total: weights, embedding, vision encoder, KV cache, activations, "
        "draft, adapters, runtime.",
    )


def _energy(new: Summary, old: Summary | None) -> Card:
    return card(
        "Energy per reply",
        _spent_j(new),
        _spent_j(old) if old else None,
        "J",
        1,
        metric="energy_j",
        note=f"{number(new.energy_per_token_j, 'J/token')}, {number(new.mean_power_w, 'W', 1)}"
        if new.fits
        else NEVER,
        help="Energy of the whole device over the run, display and host included.",
    )


def _spent_j(summary: Summary) -> float | None:
    """Return the energy of a whole reply; a run that ended early has none to compare."""
    return summary.energy_j if summary.fits else None


def _load(new: Summary, old: Summary | None, result: Result) -> Card:
    start = result.cold_start()
    return card(
        "Cold start",
        new.load_s,
        old.load_s if old else None,
        "s",
        metric="load_s",
        note=f"{result.program.opened_bytes / 1e9:.2f} GB in {start.read_s:.1f} s, "
        f"then {start.total_s - start.read_s:.1f} s set-up",
        help="Cold start: reading the deployed file from flash, setting up its graphs, making its "
        "weights ready. Nothing of it is in the time to first token.",
    )
