"""Run the command line as ``python -m sim``."""

from sim.cli import process

process()
