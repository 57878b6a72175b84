"""The command line: `andesim`. Data on standard output, everything else on standard error."""

import gc
import sys

gc.disable()  # nothing that the start makes is garbage
try:
    from sim.cli.app import main, process
except ImportError:  # what stands in the place of a package of ours lacks our modules
    from sim.errors import SimError
    from sim.packaging import check_one_folder

    try:
        check_one_folder()
    except SimError as error:
        print(f"andesim: {error}", file=sys.stderr)
        sys.exit(2)
    raise

gc.enable()

__all__ = ["main", "process"]
