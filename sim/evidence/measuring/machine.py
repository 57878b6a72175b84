"""The context of a measurement: which machine, how busy, how much memory the process held.

Reads what Linux publishes; elsewhere the fields it cannot fill stay empty.
"""

from __future__ import annotations

import os
import platform
import re
import sys
from pathlib import Path

from sim.evidence.measuring.document import Machine

_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
_UNITS = {"": 1, "K": 2**10, "M": 2**20}


def machine(torch_version: str, threads: int, load_before: float, accelerator: str = "") -> Machine:
    """Return the context block, with the load now as the load after."""
    return Machine(
        cpu=cpu_name(),
        logical_cores=os.cpu_count() or 1,
        caches_bytes=caches_bytes(),
        memory_bytes=_memory_bytes(),
        system=platform.platform(),
        python=platform.python_version(),
        torch=torch_version,
        accelerator=accelerator,
        threads=threads,
        load_average=(load_before, load_average()),
    )


def cpu_name() -> str:
    """Return the processor's name as the system gives it."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", info.read_text()) if info.exists() else None
    return found[1].strip() if found else platform.processor() or platform.machine()


def caches_bytes() -> dict[str, int]:
    """Return the data and unified caches of the first core by level [B]."""
    sizes = {}
    for folder in sorted(_CACHES.glob("index*")):
        if (folder / "type").read_text().strip() == "Instruction":
            continue
        match = re.fullmatch(r"(\d+)([KM]?)", (folder / "size").read_text().strip())
        if match:
            level = (folder / "level").read_text().strip()
            sizes[f"L{level}"] = int(match[1]) * _UNITS[match[2]]
    return sizes


def load_average() -> float:
    """Return the mean number of runnable processes over the last minute."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else 0.0


def peak_resident_bytes() -> int:
    """Return the most memory this process ever held [B]; 0 where the system does not say."""
    try:
        import resource
    except ModuleNotFoundError:
        return 0
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale


def _memory_bytes() -> int:
    if not hasattr(os, "sysconf"):
        return 0
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
