"""Write the table of metrics into docs/metrics.md: ``python docs/write_metrics.py``."""

from __future__ import annotations

from pathlib import Path

from sim.metrics import page_rows

PAGE = Path(__file__).parent / "metrics.md"
HEAD = "| metric | symbol | formula | unit |\n|---|---|---|---|\n"


def written(text: str) -> str:
    """Return the page with the table of today."""
    before, _, rest = text.partition(HEAD)
    _, _, after = rest.partition("\n\n")
    return before + HEAD + "\n".join(page_rows()) + "\n\n" + after


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
