"""What the Tab key offers behind `--set` and its like: dotted paths, and values behind the `=`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from hw_models.soc import SocSpec, load_soc
from hw_models.tree import leaves
from sim.cli.offering import device_ids, model_ids, offered
from sim.explore.names import MODELS, names_of
from workloads.files import read_yaml
from workloads.scenario import DEFAULT, Scenario, scenario_file
from workloads.schema_paths import keys_at

ASSUME: Final = "assume"
"""Entries of the device lie below it."""


def device_on(line: Mapping[str, Any]) -> str:
    """Return the device that the options of a line name: `--device`, `--set`, the scenario's own.

    Raises `WorkloadError` for a scenario that cannot be read.
    """
    if line.get("device"):
        return str(line["device"])
    for given in reversed(line.get("overrides") or ()):
        path, _, value = given.partition("=")
        if path == "device":
            return str(value)
    scenario = line.get("scenario")
    mapping = read_yaml(scenario_file(scenario)) if scenario else DEFAULT
    return str(mapping["device"])


@dataclass(frozen=True)
class Settings:
    """The settings of a scenario as the Tab key walks through them.

    Attributes
    ----------
    device
        Returns the device that is asked of.
    """

    device: Callable[[], SocSpec]

    @classmethod
    def on(cls, line: Mapping[str, Any]) -> Settings:
        """Return the settings that go with the options of a line."""
        return cls(lambda: load_soc(device_on(line)))

    def assignments(self, begun: str) -> list[str]:
        """Return what ``PATH=VALUE`` may go on with, whole."""
        path, equals, value = begun.partition("=")
        if equals:
            return [f"{path}={one}" for one in self.values(path, value)]
        return self.paths(begun)

    def lists(self, begun: str) -> list[str]:
        """Return what ``PATH=[VALUES]`` may go on with, whole."""
        path, equals, listed = begun.partition("=")
        if not equals:
            return self.paths(begun)
        before, comma, last = listed.removeprefix("[").rpartition(",")
        return [f"{path}=[{before}{comma}{one}" for one in self.values(path, last)]

    def values(self, path: str, begun: str) -> list[str]:
        """Return the names that a setting may take and that begin so."""
        if path in MODELS:
            return model_ids(begun)
        if path == "device":
            return device_ids(begun)
        return offered(begun, names_of(path, self.device))

    def paths(self, begun: str) -> list[str]:
        """Return what a dotted path may go on with; a single answer is followed to its values."""
        parent, _, key = begun.rpartition(".")
        above = f"{parent}." if parent else ""
        names = [name for name in self._keys(parent) if name.startswith(key)]
        found = [one for name in names for one in self._continued(f"{above}{name}")]
        if len(found) > 1 or not found:
            return found
        if found[0].endswith("."):
            return self.paths(found[0])
        return self.assignments(found[0]) or found

    def _continued(self, path: str) -> list[str]:
        """Return a path with what may follow: keys behind a dot, a value behind ``=``."""
        below = self._keys(path)
        takes = not below or (not path.startswith(ASSUME) and names_of(path, self.device))
        return [f"{path}."] * bool(below) + [f"{path}="] * bool(takes)

    def _keys(self, path: str) -> list[str]:
        """Return the keys below a path."""
        first, _, entry = path.partition(".")
        if first != ASSUME:
            return keys_at(Scenario, path)
        above = f"{entry}." if entry else ""
        below = (
            place.removeprefix(above) for place, _ in self._entries() if place.startswith(above)
        )
        return list(dict.fromkeys(place.partition(".")[0] for place in below))

    def _entries(self) -> list[tuple[str, Any]]:
        """Return the numbers of the device, and what it may have and has not, by dotted path."""
        return [
            (path, leaf)
            for path, leaf in leaves(self.device())
            if not isinstance(leaf, str | tuple)
        ]
