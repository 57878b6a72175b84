"""The bytes of one output token: from memory through classes and groups of layers to units.

Also what lies in memory at the peak, and how operators move under the roofs as the context grows.
"""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np

from dashboard.choices import GIB, Choices
from dashboard.runs import USER_ERRORS, run
from dashboard.timeline import operators, step_frame
from sim.breakdown import BYTE_CLASSES
from sim.results import Result

if TYPE_CHECKING:
    import pandas as pd

GROUPS: Final = {
    "attention": ("attn", "attention", "kv", "rope"),
    "experts": ("expert", "router"),
    "MLP": ("mlp", "ffn", "feed_forward", "gate_proj", "up_proj", "down_proj"),
    "LM head": ("lm_head", "output"),
    "draft": ("draft", "eagle", "medusa"),
    "norms": ("norm",),
}
"""Groups of layers, and what the names of their operators hold."""
OTHER: Final = "other"
CONTEXTS: Final = (256, 1024, 4096, 8192, 16384, 32768)
MOST_WALKERS: Final = 6
"""Operators whose way is drawn: those that take most time at the longest context."""

Flows = dict[tuple[str, str, str], float]
"""Class of bytes, group of layers and unit to bytes per output token [B]."""


def group_of(name: str) -> str:
    """Return the group of layers an operator belongs to.

    >>> group_of("model.layers.mlp.up_proj"), group_of("lm_head")
    ('MLP', 'LM head')
    """
    low = name.lower()
    return next(
        (group for group, words in GROUPS.items() if any(word in low for word in words)), OTHER
    )


def flows(result: Result) -> Flows:
    """Return the bytes that an output token moves, by class, group and unit."""
    found: Flows = defaultdict(float)
    tokens = max(1, result.summary().output_tokens - 1)
    for times in result.groups:
        if times.group.phase != "decode":
            continue
        for task, repeat in times.group.tasks():
            for name, column in BYTE_CLASSES:
                moved = float((getattr(task, column) * task.runs).sum()) * repeat
                if moved > 0.0:
                    found[name, group_of(task.name), task.unit.upper()] += moved / tokens
    return dict(found)


def waits(result: Result) -> dict[str, float]:
    """Return the share of each group's decode time in which its unit waits for operands."""
    waited: dict[str, float] = defaultdict(float)
    lasted: dict[str, float] = defaultdict(float)
    for ran in result.sample("decode"):
        group = group_of(ran.task.name)
        waited[group] += float(np.maximum(0.0, ran.wait_s()).sum())
        lasted[group] += float(ran.elapsed_s.sum())
    return {group: waited[group] / (seconds or 1.0) for group, seconds in lasted.items()}


def held(result: Result) -> dict[tuple[str, str], float]:
    """Return the bytes at the peak by class and part; weights are divided as decode reads them."""
    read: dict[str, float] = defaultdict(float)
    for times in result.groups:
        if times.group.phase == "decode" and times.group.turn == 0:
            for task, repeat in times.group.tasks():
                read[group_of(task.name)] += float(task.weight_bytes.max()) * repeat
    whole = sum(read.values())
    found: dict[tuple[str, str], float] = {}
    for name, size in result.ledger.peak.by_class.items():
        if name == "weights" and whole:
            found |= {(name, group): size * part / whole for group, part in read.items() if part}
        elif size:
            found[name, ""] = size
    return found


def told(result: Result) -> str:
    """Return what memory holds at the peak in words, the largest first."""
    peak = result.ledger.peak.by_class
    parts = sorted(((size, name) for name, size in peak.items() if size), reverse=True)
    words = [f"{name.replace('kv_cache', 'KV cache')} {size / GIB:.2f}" for size, name in parts]
    return f"[GiB] {', '.join(words)}."


def walk(choices: Choices) -> pd.DataFrame:
    """Return the operators of a decode step at growing contexts; those that do not fit are out.

    Columns of `dashboard.timeline.operators` and ``context``.
    """
    return _walk(choices.question())


@lru_cache(maxsize=8)
def _walk(question: Choices) -> pd.DataFrame:
    import pandas as pd

    parts = []
    for context in CONTEXTS:
        asked = question.changed(
            images=0, prompt_tokens=context, output_tokens=2, context_tokens=0, speculation="none"
        )
        try:
            result = run(asked)
        except USER_ERRORS:
            continue  # longer than the model or the cache allows
        if result.fits:
            step = operators(step_frame(result, "decode", 0))
            parts.append(step.assign(context=context))
    if not parts:
        return pd.DataFrame()
    table = pd.concat(parts, ignore_index=True)
    longest = table[table["context"] == table["context"].max()]
    chosen = longest[longest["flops"] > 0.0].head(MOST_WALKERS)["name"]
    return table[table["name"].isin(chosen) & (table["dram_bytes"] > 0.0)]
