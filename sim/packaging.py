"""The four top-level packages as installed: in one folder, of one owner, in which version.

Their names are plain words, so another distribution could ship a folder of the same name and hide
one of ours. Where that has happened, andesim refuses to start.
"""

from __future__ import annotations

import importlib.util
import platform
from functools import cache
from importlib.metadata import packages_distributions, version
from pathlib import Path

from sim.errors import SimError

PACKAGES = ("sim", "hw_models", "workloads", "dashboard")
DISTRIBUTION = "andesim"


def package_folders() -> dict[str, Path | None]:
    """Return the folder each package would be imported from; ``None`` where there is none."""
    specs = {name: importlib.util.find_spec(name) for name in PACKAGES}
    return {
        name: Path(spec.origin).resolve().parents[1] if spec and spec.origin else None
        for name, spec in specs.items()
    }


def check_one_folder() -> None:
    """Raise `SimError` unless the packages lie in one folder."""
    folders = package_folders()
    if len(set(folders.values())) != 1:
        found = ", ".join(f"{name} in {folder}" for name, folder in folders.items())
        raise SimError(
            f"The packages must come from one folder. Got {found}. "
            "Install andesim in an environment of its own."
        )


def check_one_owner() -> None:
    """Raise `SimError` if another distribution owns one of the packages too."""
    owners = packages_distributions()
    foreign = {
        name: sorted(set(owners.get(name, [])) - {DISTRIBUTION})
        for name in PACKAGES
        if set(owners.get(name, [])) - {DISTRIBUTION}
    }
    if foreign:
        raise SimError(
            f"The packages must belong to andesim alone. Got {foreign}. "
            "Uninstall the other distributions."
        )


@cache
def versions() -> dict[str, str]:
    """Return the versions of andesim, numpy and Python, which a result depends on."""
    return {
        "andesim": version(DISTRIBUTION),
        "numpy": version("numpy"),
        "python": platform.python_version(),
    }
