"""The command line: `andesim`. Data on standard output, everything else on standard error."""

import gc

gc.disable()  # nothing that the start makes is garbage
from sim.cli.app import main, process  # noqa: E402

gc.enable()

__all__ = ["main", "process"]
