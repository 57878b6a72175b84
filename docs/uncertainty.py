"""Write how often the intervals of draws hold measured rows into concepts/uncertainty.md.

    python docs/uncertainty.py

The table stands between two comments of that page; the rest of the page is written by hand. A fit
moves it. Not counted: memory and power, of which too few rows were published.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from sim.evidence.exhibits import load_exhibits, runs_in_role
from sim.output import write_text
from sim.validation.draws import Coverage, coverage_of_draws
from sim.validation.tables import table

PAGE: Final = Path(__file__).parent / "concepts" / "uncertainty.md"
BEGIN: Final = "<!-- written by `python docs/uncertainty.py` -->"
END: Final = "<!-- end -->"
DRAWS: Final = 100
KINDS: Final = {True: "with a fit", False: "without a fit"}
"""What stacks are called, by whether they have a fit."""


def shares(found: Iterable[Coverage]) -> str:
    """Return rows and the share inside, per metric and over all, of stacks with a fit or without.

    >>> print(shares([Coverage("tokens_per_s", True, 4, 0.75)]))
    | stacks | metric | rows | inside 80 % interval |
    |---|---|---|---|
    | with a fit | tokens_per_s | 4 | 75 % |
    | with a fit | all | 4 | 75 % |
    """
    known = list(found)
    lines = []
    for is_fitted, name in KINDS.items():
        own = [item for item in known if item.is_fitted == is_fitted]
        lines += [[name, item.metric, str(item.n), f"{100 * item.inside:.0f} %"] for item in own]
        count = sum(item.n for item in own)
        if count:
            inside = sum(item.n * item.inside for item in own) / count
            lines.append([name, "all", str(count), f"{100 * inside:.0f} %"])
    return table(["stacks", "metric", "rows", "inside 80 % interval"], lines)


def with_block(page: str, text: str) -> str:
    """Return the page with another table between its two comments."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    RUNS = runs_in_role(load_exhibits(), "validation")
    TEXT = shares(coverage_of_draws(RUNS, DRAWS))
    write_text(PAGE, with_block(PAGE.read_text(encoding="utf-8"), TEXT))
    print(TEXT)
