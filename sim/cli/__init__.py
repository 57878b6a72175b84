"""The command line: `andesim`. Data on standard output, everything else on standard error."""

from sim.cli.app import main

__all__ = ["main"]
