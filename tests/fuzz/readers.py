"""Every reader of the project, each with valid files to start from.

A reader takes the path of a file. It must return an object or raise one of `REFUSALS`; anything
else it raises is a finding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl
from zlib import crc32

from dashboard.choices import Choices
from dashboard.links import query, read_query
from hw_models.errors import HardwareError
from hw_models.soc import load_soc
from sim.errors import SimError
from sim.evidence.importers import import_measured, importers
from sim.evidence.measured import read_measured
from sim.evidence.measuring.document import read_measurement
from sim.explore.designs import load_sweep
from sim.planning import plan
from workloads.arrivals_file import recorded_clients
from workloads.catalogue import get_model
from workloads.errors import WorkloadError
from workloads.recordings import read_recording
from workloads.scenario import load_scenario
from workloads.trace_file import load_trace
from workloads.weight_formats import read_formats

ROOT = Path(__file__).parents[2]
IMPORTS = ROOT / "tests" / "fixtures" / "imports"
SMALL = 200_000
"""Seeds are at most this large, so that a mutation is likely to hit something [B]."""

RECORDED = """\
at_s,client,priority,prompt_tokens,output_tokens,images,adapter,fresh
0.5,assistant,1,64,128,1080x2400 1280x960,ui,true
7,keyboard,2,,4,,,
"""

REFUSALS = (WorkloadError, HardwareError, SimError)


@dataclass(frozen=True)
class Reader:
    """A reader, the suffix its files have, and valid files."""

    read: Callable[[Path], object]
    suffix: str
    seeds: Callable[[], list[bytes]]


def _files(folder: str, pattern: str) -> list[bytes]:
    found = sorted((ROOT / folder).glob(pattern))
    return [file.read_bytes() for file in found if file.stat().st_size <= SMALL]


def _scenario(path: Path) -> object:
    """A scenario that reads well is also planned: that reads what it names."""
    scenario = load_scenario(path)
    turns = scenario.session.turns
    small = sum(turn.prompt_tokens + turn.output_tokens for turn in turns) < 10_000
    soc = load_soc(scenario.device)
    return plan(scenario, soc) if turns and small and len(turns) < 10 else scenario


def _forced(path: Path) -> object:
    """A file read as a format that may not be its own: its bytes decide which, or that none is."""
    names, number = sorted(importers()), crc32(path.read_bytes())
    return import_measured(path, format=names[number // 2 % len(names)] if number % 2 else None)


def _link(path: Path) -> object:
    text = path.read_bytes().decode("utf-8", errors="replace")
    return read_query(dict(parse_qsl(text[:10_000], keep_blank_values=True)))


def _links() -> list[bytes]:
    return [query(Choices()).encode(), query(Choices(), Choices(body="w8")).encode()]


READERS: dict[str, Reader] = {
    "scenario": Reader(_scenario, ".yaml", lambda: _files("workloads/scenarios", "*.yaml")),
    "device": Reader(load_soc, ".yaml", lambda: _files("hw_models/devices", "*.yaml")),
    "model config": Reader(
        lambda path: get_model(str(path)),
        ".yaml",
        lambda: _files("workloads/models/catalogue", "*.yaml"),
    ),
    "trace": Reader(load_trace, ".json", lambda: _files("workloads/traces", "*.json")),
    "measured CSV": Reader(read_measured, ".csv", lambda: _files("validation_data", "*/*/*.csv")),
    "importers": Reader(import_measured, ".log", lambda: _files(str(IMPORTS), "*")),
    "forced importers": Reader(_forced, ".log", lambda: _files(str(IMPORTS), "*")),
    "sweep": Reader(load_sweep, ".yaml", lambda: _files("docs/examples", "*.yaml")),
    "weight formats": Reader(read_formats, ".yaml", lambda: _files("workloads/formats", "*.yaml")),
    "recording": Reader(
        lambda path: read_recording(path, "accepted_tokens"),
        ".yaml",
        lambda: _files("workloads/traces/behaviour", "*.yaml"),
    ),
    "recorded turns": Reader(recorded_clients, ".csv", lambda: [RECORDED.encode()]),
    "measurement": Reader(
        read_measurement, ".json", lambda: _files("validation_data", "*/*.measurement.json")
    ),
    "link": Reader(_link, ".txt", _links),
}
