"""The device of a scenario, with what the scenario assumes of it in place of what its file says.

Not done here: its power mode and threads, which are settings of a run (`sim.planning.running`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hw_models.provenance import OVERRIDE, Parameter
from hw_models.soc import SocSpec, load_soc
from hw_models.tree import leaves
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
    entries = dict(_entries(scenario.assume, frozenset(known)))
    return found.with_overrides(
        {path: entry for path, entry in entries.items() if not _is_override(known.get(path))}
    )


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
