"""How long the corpus takes to load: ``python -m benchmarks.corpus``."""

from __future__ import annotations

import time

from sim.evidence import corpus
from sim.evidence.corpus_tables import KINDS


def main() -> None:
    """Print rows and seconds of each table, the first with the imports it needs."""
    for kind in KINDS:
        began = time.process_time()
        rows = len(corpus(kind))
        print(f"{kind:16} {rows:6} rows {time.process_time() - began:.3f} CPU s")


if __name__ == "__main__":
    main()
