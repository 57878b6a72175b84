"""The device of a scenario, with what the scenario assumes of it in place of what its file says.

Not done here: its power mode and threads, which are settings of a run (`sim.planning.running`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from hw_models.provenance import OVERRIDE, Parameter
from hw_models.soc import SocSpec, load_soc
from hw_models.tree import leaves
from workloads.errors import without_effect
from workloads.scenario import Scenario


def device_of(scenario: Scenario, soc: SocSpec | None = None) -> SocSpec:
    """Return the device a scenario asks of, or another in its place, with what is assumed of it.

    What-if values that a device brings along stay: a draw of a device holds what was assumed of it
    already, moved by what the fit of its stack leaves open. Raises `HardwareError` for entries that
    no device has, or that break its rules.
    """
    found = soc or load_soc(scenario.device)
    if not scenario.assume:
        return found
    known = dict(leaves(found))
    entries = assumed(scenario, found).items()
    return found.with_overrides(
        {path: entry for path, entry in entries if not _is_override(known.get(path))}
    )


def assumed(scenario: Scenario, soc: SocSpec) -> dict[str, Any]:
    """Return what a scenario assumes of a device by dotted path."""
    return dict(_entries(scenario.assume, frozenset(dict(leaves(soc)))))


def in_vain(scenario: Scenario, soc: SocSpec, units: Collection[str]) -> Iterator[str]:
    """Yield a sentence for assumptions on stacks and units that the run has nothing to do with.

    Parameters
    ----------
    units
        Those that something runs on.
    """
    name = scenario.stack or soc.default_stack
    own, drivers = soc.stack(name).unit, {name}
    for unit in set(units) - {own}:
        drivers |= {next(other for other, part in soc.stacks.items() if part.unit == unit)}
    paths = assumed(scenario, soc)
    rules = {
        "the run is on another stack": ("stacks", drivers),
        "nothing runs on that unit": ("units", {own, *units}),
    }
    for reason, (group, needed) in rules.items():
        told = [
            f"assume.{path}"
            for path in paths
            if path.startswith(f"{group}.") and path.split(".")[1] not in needed
        ]
        if told:
            yield without_effect(told, reason)


def _is_override(leaf: Any) -> bool:
    return isinstance(leaf, Parameter) and leaf.source == OVERRIDE


def _entries(given: Mapping[str, Any], known: frozenset[str], at: str = "") -> Iterator[Any]:
    """Yield (dotted path, entry) of a nested mapping; a part that the device lacks is one entry."""
    for name, entry in given.items():
        path = f"{at}.{name}" if at else name
        if isinstance(entry, Mapping) and path not in known:
            yield from _entries(entry, known, path)
        else:
            yield path, entry
