"""What can go wrong, as exceptions a program can catch.

::

    ValueError
    ├── workloads.errors.WorkloadError     trace, model, scenario
    ├── hw_models.errors.HardwareError     device, parameter, unit
    └── SimError                           run, output, analysis
        └── OutputError                    a file or folder that cannot be written

Every message says what must be which rule, what was got, and the nearest valid name or the remedy.
The command line turns each of them into one message and exit code 2.
"""

from __future__ import annotations


class SimError(ValueError):
    """A run, an analysis or its input breaks a rule."""


class OutputError(SimError):
    """A file or folder cannot be written; nothing half-written is left."""
