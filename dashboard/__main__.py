"""Serve the dashboard on this machine only: `python -P -m dashboard PORT`."""

from __future__ import annotations

import sys

from dashboard.beginning import begin, without


def main() -> None:
    """Serve until stopped."""
    if len(sys.argv) != 2 or not sys.argv[1].isdecimal():
        sys.exit("usage: python -P -m dashboard PORT")
    begin()
    with without("plotly"):
        from dashboard.serving import serve

    serve(int(sys.argv[1]))


if __name__ == "__main__":
    main()
