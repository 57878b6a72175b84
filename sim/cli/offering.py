"""Names and files that begin as a word does: what the Tab key offers of each kind.

Each list loads no more than its own names, since a person waits for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from glob import escape, glob
from pathlib import Path
from typing import Final

FILES: Final = ("*.yaml", "*.yml")


def offered(begun: str, names: Iterable[str], patterns: Iterable[str] = ()) -> list[str]:
    """Return names that begin so, then files of the patterns and folders that do."""
    found = sorted(name for name in names if name.startswith(begun))
    if patterns:
        folders = [f"{path}/" for path in glob(f"{escape(begun)}*") if Path(path).is_dir()]
        files = [path for one in patterns for path in glob(f"{escape(begun)}{one}")]
        found += sorted({*folders, *files})
    return found


def device_ids(begun: str) -> list[str]:
    """Return devices whose ids begin so, and device files."""
    from hw_models.files import device_ids as ids

    return offered(begun, ids(), FILES)


def model_ids(begun: str) -> list[str]:
    """Return models and networks whose ids begin so, and configurations."""
    from workloads.shipped_ids import composition_ids, network_ids
    from workloads.shipped_ids import model_ids as ids

    return offered(begun, (*ids(), *network_ids(), *composition_ids()), ("*.json", "*.gguf"))


def format_ids(begun: str) -> list[str]:
    """Return weight formats whose ids begin so, and format files."""
    from workloads.weight_formats import catalogue

    return offered(begun, catalogue(), FILES)


def scenario_ids(begun: str) -> list[str]:
    """Return scenarios whose ids begin so, and scenario files."""
    from workloads.scenario import scenario_ids as ids

    return offered(begun, ids(), FILES)


def metrics(begun: str) -> list[str]:
    """Return metrics whose names begin so; a limit is for the person to say."""
    from sim.metrics import known_metrics

    return offered(begun, known_metrics())


def importer_names(begun: str) -> list[str]:
    """Return the formats of measured files."""
    from sim.evidence.importers.registry import importers

    return offered(begun, importers())


def columns(begun: str) -> list[str]:
    """Return our columns behind the name of theirs."""
    from sim.evidence.measured import COLUMNS

    theirs, equals, ours = begun.partition("=")
    return [f"{theirs}={name}" for name in offered(ours, COLUMNS)] if equals else []
