"""Ids of what ships: models, networks and compositions, by the names of their files alone."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent
MODELS = _HERE / "models" / "catalogue"
NETWORK_TRACES = _HERE / "traces" / "networks"
COMPOSITIONS = _HERE / "compositions"
_NO_NETWORK = "manifest"


def model_ids() -> list[str]:
    """Return the catalogue's ids, sorted."""
    return _stems(MODELS, "*.yaml")


def network_ids() -> list[str]:
    """Return the ids of the shipped networks, sorted."""
    return [name for name in _stems(NETWORK_TRACES, "*.json") if name != _NO_NETWORK]


def composition_ids() -> list[str]:
    """Return the ids of the shipped compositions, sorted."""
    return _stems(COMPOSITIONS, "*.yaml")


def _stems(folder: Path, pattern: str) -> list[str]:
    return sorted(file.stem for file in folder.glob(pattern))
