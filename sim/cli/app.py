"""The commands of `andesim` and how their errors end.

Exit codes: 0 done, 1 a target or tolerance missed, 2 bad input or no memory left, 130 a sweep
or report stopped by Ctrl-C, 143 the dashboard stopped by a signal.
Commands import what they need when they run, so that ``--help`` is quick and nothing but capture
and measurement ever loads torch.
"""

from __future__ import annotations

import errno
import os
import sys
import warnings
from typing import Any, NoReturn

from hw_models.errors import HardwareError
from sim.cli.commands import ASKED, app_for
from sim.cli.ending import keep_all, leave
from sim.cli.patience import begin
from sim.cli.plain import PLAIN, clipped
from sim.errors import SimError
from sim.packaging import check_one_folder
from workloads.errors import WorkloadError

BAD_INPUT = 2

_OTHER_NAMES = (
    "names of files must be text of this locale. Got other characters. "
    "Remedy: set PYTHONUTF8=1, or a locale such as C.UTF-8."
)


_NO_MEMORY = (
    "this machine must have the memory that the question takes. It has run out. "
    "Remedy: fewer draws (--uncertainty), fewer tokens or turns, or fewer --jobs of a sweep."
)
_ALLOCATOR = "can't allocate memory"
"""What PyTorch says of memory that the system does not give."""


def _show_warning(message: Warning | str, *_: Any) -> None:
    """Show a warning as a line of its own, without the place in our code that gave it."""
    print(f"andesim: {message}", file=sys.stderr)


def main() -> NoReturn:
    """Run the command line; rule breaks become one message and exit code 2."""
    warnings.showwarning = _show_warning  # type: ignore[assignment]
    sys.exit(_outcome())  # type: ignore[arg-type]


def process() -> NoReturn:
    """Be the process `andesim`: run the command line, begin and end quickly."""
    keep_all()
    try:
        main()
    except SystemExit as ended:
        leave(ended.code)


def _outcome() -> object:
    """Run the command that is asked for and return the exit code, with all output written."""
    try:
        check_one_folder()
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(errors=PLAIN)  # type: ignore[union-attr]
        begin()
        code = _code_of_command()
        sys.stdout.flush()
        return code
    except (WorkloadError, HardwareError, SimError) as error:
        print(f"andesim: {clipped(str(error))}", file=sys.stderr)
    except UnicodeEncodeError:
        print(f"andesim: {_OTHER_NAMES}", file=sys.stderr)
    except MemoryError:
        print(f"andesim: {_NO_MEMORY}", file=sys.stderr)
    except RuntimeError as error:
        if _ALLOCATOR not in str(error):
            raise
        print(f"andesim: {_NO_MEMORY}", file=sys.stderr)
    except BrokenPipeError:  # the reader of our output has gone: nothing left to say
        _forget_output()
        return 0
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename is not None:
            raise
        _forget_output()
        print("andesim: standard output must take what is printed. It is full.", file=sys.stderr)
    return BAD_INPUT


def _code_of_command() -> object:
    try:
        if ASKED in os.environ:
            from sim.cli.completing import asked_by_shell

            with asked_by_shell(os.environ) as words:
                app_for(words[1:])(prog_name="andesim")
        else:
            app_for(sys.argv[1:])(prog_name="andesim")
    except SystemExit as ended:
        return ended.code
    return 0


def _forget_output() -> None:
    """Let what is still unwritten go nowhere, so that Python does not fail on it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
