"""Parts of llama-bench tables, for tests of importers."""

from __future__ import annotations

HEADER = "| model | size | params | backend | {extra}test | t/s |\n"
RULE = "| --- | ---: | ---: | --- | {extra}--: | --: |\n"
MODEL = "llama 1B Q4_0 | 0.72 GiB | 1.24 B"


def table(*rows: str, columns: str = "") -> str:
    """Return a llama-bench table with more columns."""
    names = [name.strip() for name in columns.split("|") if name.strip()]
    extra, rule = (
        "".join(f"{part} | " for part in parts) for parts in (names, ["--:"] * len(names))
    )
    body = "".join(f"| {MODEL} | {row} |\n" for row in rows)
    return HEADER.format(extra=extra) + RULE.format(extra=rule) + body
