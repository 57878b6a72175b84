"""Parts of llama-bench tables, for tests of importers."""

from __future__ import annotations

HEADER = "| model | size | params | backend | {extra}test | t/s |\n"
RULE = "| --- | ---: | ---: | --- | {extra}--: | --: |\n"
MODEL = "llama 1B Q4_0 | 0.72 GiB | 1.24 B"
