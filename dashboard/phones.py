"""One question on many phones and their stacks: numbers, ranges, verdict, evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any, Final, NamedTuple

from dashboard.choices import Choices
from dashboard.labels import labelled
from dashboard.options import stacks
from dashboard.runs import USER_ERRORS, judged, run, word
from hw_models.soc import list_socs, load_soc
from sim.charts.shapes import ALERT, GREEN, GREY, ORANGE
from sim.explore.uncertainty import intervals, sampled_metrics
from sim.reports.evidence import status_of
from sim.wording import shown

DRAWS: Final = 20
"""Of each phone and stack, fewer than of the one question: marks of a wall are small."""
PHONES: Final = (
    *("dimensity_9500", "dimensity_9400", "dimensity_9300", "dimensity_8400", "dimensity_8300"),
    *("snapdragon_8_elite_gen_5", "snapdragon_8_elite", "snapdragon_8_gen_3", "snapdragon_8_gen_2"),
    *("snapdragon_8_gen_1", "snapdragon_7_plus_gen_2", "snapdragon_7_gen_3", "exynos_2500"),
    *("exynos_2400", "tensor_g5", "tensor_g4", "tensor_g3", "apple_a19_pro", "apple_a14"),
    "kirin_9000",
)
"""Shown before anyone has chosen, newest of each maker first."""
METRICS: Final = {
    "time_to_first_token_s": ("first token", "s"),
    "tokens_per_s": ("decode", "tok/s"),
}
INKS: Final = {"PASS": GREEN, "MARGINAL": ORANGE, "THROTTLES": ORANGE, "FAIL": ALERT}
MARKS: Final = {"validated": "●●●", "partly": "●●○", "unvalidated": "○○○"}
MOST_STACKS: Final = 2
"""Of a phone, unless every one is asked for."""
WIDTH, LEFT, ROW, TOP = 320, 118, 30, 22


class Mark(NamedTuple):
    """One stack of a phone: its numbers, their 80 % ranges, verdict and evidence status."""

    device: str
    name: str
    stack: str
    status: str
    probability: float
    values: dict[str, float | None]
    ranges: dict[str, tuple[float, float]]
    evidence: str
    reason: str
    is_drawn: bool = True


def known() -> list[str]:
    """Return the devices that can be put on the wall."""
    return list_socs()


def first() -> list[str]:
    """Return the phones shown at first, of those that are known."""
    return [name for name in PHONES if name in known()]


def wall(
    choices: Choices, devices: Sequence[str], every_stack: bool = False
) -> tuple[Iterator[Mark], int]:
    """Return two marks for each stack of each phone as they are made, and how many there are.

    The first mark is of the phone's own numbers, the second, later, has ranges.
    """
    found = {device: _stacks(device, every_stack) for device in devices}
    pairs = [(device, stack, status) for device in devices for stack, status in found[device]]
    marks = (_mark(choices, *pair, draws=draws) for draws in (0, DRAWS) for pair in pairs)
    return marks, 2 * len(pairs)


def _stacks(device: str, every_stack: bool) -> list[tuple[str, str]]:
    """Return stacks of a phone with their evidence: its own first, then those with most of it."""
    own = load_soc(device).default_stack
    known: list[tuple[str, str]] = [
        (stack, status_of(device, stack)) for stack in stacks(device)[1:]
    ]
    ordered = sorted(known, key=lambda pair: (pair[0] != own, list(MARKS).index(pair[1])))
    return ordered if every_stack else ordered[:MOST_STACKS]


def latest(marks: Sequence[Mark]) -> list[Mark]:
    """Return the last mark of each phone and stack."""
    return list({(mark.device, mark.stack): mark for mark in marks}.values())


def _mark(choices: Choices, device: str, stack: str, evidence: str, *, draws: int) -> Mark:
    asked = choices.changed(device=device, stack=stack, what_if="")
    name = load_soc(device).name
    try:
        result = run(asked)
        sampled = sampled_metrics(result, draws) if result.fits and draws else None
    except USER_ERRORS as error:
        return Mark(device, name, stack, "INVALID", 0.0, {}, {}, evidence, labelled(str(error)))
    verdict = judged(asked, result, sampled)
    found = intervals(sampled) if sampled else {}
    summary = result.summary().as_dict()
    return Mark(
        device,
        name,
        stack,
        word(result, verdict),
        verdict.probability,
        {metric: summary[metric] for metric in METRICS},
        {one: (found[one]["p10"], found[one]["p90"]) for one in METRICS if one in found},
        evidence,
        verdict.sentence,
        is_drawn=bool(sampled) or not result.fits,
    )


def grouped(marks: Sequence[Mark]) -> list[list[Mark]]:
    """Return the marks by phone, the phone with the likeliest stack first."""
    phones: dict[str, list[Mark]] = {}
    for mark in marks:
        phones.setdefault(mark.device, []).append(mark)
    ordered = [sorted(own, key=lambda mark: -mark.probability) for own in phones.values()]
    return sorted(ordered, key=lambda own: -own[0].probability)


def most(marks: Sequence[Mark], metric: str) -> float:
    """Return the largest value of a metric that all small charts must hold."""
    ends = [mark.ranges.get(metric, (0.0, mark.values.get(metric) or 0.0))[1] for mark in marks]
    return max([*ends, 1e-9])


def told(own: Sequence[Mark], metric: str) -> str:
    """Return the picture of a phone in words, for people who cannot see it."""
    title, _ = METRICS[metric]
    said = (f"{mark.stack} {shown(metric, mark.values.get(metric)).text}, {mark.status}"
            for mark in own)  # fmt: skip
    return f"{own[0].name}, {title}: {'; '.join(said)}"


def picture(own: Sequence[Mark], metric: str, top: float, limit: float, ink: str) -> str:
    """Return one phone as a small SVG: a row per stack, its range as a bar, the target dashed.

    ``ink`` is the colour of its text.
    """
    scale = (WIDTH - LEFT - 8) / top
    title, unit = METRICS[metric]
    height = TOP + ROW * len(own) + 6
    rows = [_row(mark, metric, TOP + ROW * place, scale) for place, mark in enumerate(own)]
    at = LEFT + min(limit, top) * scale
    line = (
        f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{TOP - 8}" y2="{height}" stroke="{ALERT}" '
        'stroke-dasharray="4 3"/>'
        if limit
        else ""
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{2 * WIDTH}" height="{2 * height}" '
        f'font-size="11" fill="{ink}" font-family="sans-serif">'
        f'<text x="{LEFT}" y="10" opacity=".75">{title}, 0 to {top:.3g} {unit}</text>'
        f"{line}{''.join(rows)}</svg>"
    )


def _row(mark: Mark, metric: str, y: float, scale: float) -> str:
    ink = INKS.get(mark.status, GREY)
    name = escape(mark.stack if len(mark.stack) < 19 else mark.stack[:17] + "…")
    parts = [
        f'<text x="0" y="{y + 11}">{name}</text>',
        f'<text x="0" y="{y + 23}" opacity=".7" font-size="9.5">{mark.status} '
        f"{MARKS[mark.evidence]}</text>",
    ]
    value, span = mark.values.get(metric), mark.ranges.get(metric)
    if span:
        low, high = (LEFT + end * scale for end in span)
        parts.append(
            f'<rect x="{low:.1f}" y="{y + 6}" width="{max(1.0, high - low):.1f}" height="10" '
            f'rx="3" fill="{ink}" opacity=".35"/>'
        )
    if value is not None:
        at = LEFT + value * scale
        parts.append(f'<circle cx="{at:.1f}" cy="{y + 11}" r="4.5" fill="{ink}"/>')
        parts.append(f'<text x="{LEFT}" y="{y + 27}" font-size="9.5">{value:.3g}</text>')
    return "".join(parts)


def ordered(marks: Sequence[Mark]) -> list[Mark]:
    """Return the marks, the likeliest first."""
    return sorted(marks, key=lambda mark: -mark.probability)


def rows(marks: Sequence[Mark]) -> list[dict[str, Any]]:
    """Return the wall as a table."""
    return [
        {
            "phone": mark.name,
            "stack": mark.stack,
            "verdict": mark.status,
            "probability": mark.probability,
            "first token [s]": mark.values.get("time_to_first_token_s"),
            "tokens/s": mark.values.get("tokens_per_s"),
            "evidence": mark.evidence,
        }
        for mark in marks
    ]
