"""What can go wrong on the demand side, as one exception a program can catch.

Every message says what must be which rule, what was got, and the nearest valid name or the remedy.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

MOST_LISTED = 32
"""Names an error lists; of more it gives the nearest."""
MOST_NAMED = 3
"""Settings of one reason that are named."""


class WorkloadError(ValueError):
    """A model, a trace, a scenario or another workload input breaks a rule."""


def did_you_mean(name: object, choices: Iterable[str]) -> str:
    """Return the sentence that ends an error about an unknown name.

    The nearest of ``choices`` when there is one, else all of them or, of many, the nearest few.

    >>> did_you_mean("qwen3-4", ["qwen3-4b", "llama-2-7b"])
    "Did you mean 'qwen3-4b'?"
    >>> did_you_mean("zebra", ["qwen3-4b", "llama-2-7b"])
    'Known: llama-2-7b, qwen3-4b.'
    """
    names, wanted = sorted(choices), str(name).lower()
    near = difflib.get_close_matches(wanted, names, n=1)
    if near:
        return f"Did you mean {near[0]!r}?"
    if len(names) <= MOST_LISTED:
        return f"Known: {', '.join(names)}."
    nearest = difflib.get_close_matches(wanted, names, n=5, cutoff=0.0)
    return f"Nearest of {len(names)}: {', '.join(nearest)}."


def without_effect(given: Sequence[str], reason: str) -> str:
    """Return the sentence that settings or options that were given change nothing, and why."""
    verb = "has" if len(given) == 1 else "have"
    more = f" and {len(given) - MOST_NAMED} more" if len(given) > MOST_NAMED else ""
    return f"{', '.join(given[:MOST_NAMED])}{more} {verb} no effect: {reason}."
