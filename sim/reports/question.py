"""What a report answers: a scenario, targets, and how to run it again.

A folder that `simulate --out` wrote is asked anew from its scenario; the report says where today's
numbers differ from those in the folder.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sim.errors import SimError
from sim.explore.targets import Target
from sim.simulation import EngineName
from sim.verdicts import MINUTES
from workloads.errors import WorkloadError
from workloads.files import parse_json, read_text
from workloads.scenario import Scenario, load_scenario

SCENARIO, SUMMARY = "scenario.yaml", "summary.json"


@dataclass(frozen=True)
class Question:
    """A scenario and what is asked of it.

    Attributes
    ----------
    draws
        Draws of the uncertain numbers behind intervals and verdict; 0: the run alone is judged.
    minutes
        Minutes of decoding after which the targets are asked once more.
    command
        The command line that asks the same.
    link
        The address of the dashboard with the same choices; empty where it was asked elsewhere.
    recorded
        The summary that a result folder holds; empty where the scenario came from elsewhere.
    baseline
        What the run is compared with; ``None``: nothing.
    """

    scenario: Scenario
    targets: tuple[Target, ...] = ()
    draws: int = 0
    minutes: int = MINUTES
    seed: int = 0
    engine: EngineName = "auto"
    command: str = ""
    link: str = ""
    recorded: Mapping[str, Any] = field(default_factory=dict)
    baseline: Scenario | None = None


def read_question(
    path: Path | None = None,
    targets: Sequence[Target] = (),
    draws: int = 0,
    seed: int | None = None,
    overrides: Sequence[str] = (),
    minutes: int = MINUTES,
    baseline: Path | None = None,
) -> Question:
    """Return the question about a scenario file or id, a result folder, or the default scenario.

    Parameters
    ----------
    seed
        Of every random stream; ``None``: the folder's, else 0.
    baseline
        Scenario to compare with.
    """
    recorded: Mapping[str, Any] = {}
    source: Path | None = path
    if path is not None and os.path.isdir(path):
        source, recorded = path / SCENARIO, _recorded(path)
    chosen: int = recorded.get("seed", 0) if seed is None else seed
    return Question(
        scenario=load_scenario(source, overrides),
        targets=tuple(targets),
        draws=draws,
        minutes=minutes,
        seed=chosen,
        engine="event" if recorded.get("engine") == "event" else "auto",
        command=command_line(path, targets, draws, chosen, overrides, minutes, baseline),
        baseline=None if baseline is None else load_scenario(baseline, ()),
        recorded={} if overrides else recorded,
    )


def command_line(
    path: Path | None,
    targets: Iterable[Target],
    draws: int,
    seed: int,
    overrides: Iterable[str] = (),
    minutes: int = MINUTES,
    baseline: Path | None = None,
) -> str:
    """Return the command that gives the same report.

    >>> command_line(None, [Target.parse("tokens_per_s > 20")], 100, 0)
    "andesim report --target 'tokens_per_s>20' --uncertainty 100 --seed 0"
    """
    words = ["andesim", "report", *([str(path)] if path else [])]
    words += ["--baseline", str(baseline)] if baseline else []
    for override in overrides:
        words += ["--set", override]
    for target in targets:
        words += ["--target", str(target)]
    if minutes != MINUTES:
        words += ["--minutes", str(minutes)]
    return shlex.join([*words, "--uncertainty", str(draws), "--seed", str(seed)])


def _recorded(folder: Path) -> Mapping[str, Any]:
    """Return the summary in a result folder; raises SimError where there is none."""
    try:
        found = parse_json(read_text(folder / SUMMARY), str(folder / SUMMARY))
    except WorkloadError as error:
        raise SimError(
            f"{folder} must be a folder that `andesim simulate --out` wrote. Got: {error}"
        ) from None
    metrics = found.get("metrics") if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping) or not isinstance(metrics, Mapping):
        raise SimError(f"{folder / SUMMARY} must be the summary of a run. Got something else.")
    seed = found.get("seed", 0)
    if not isinstance(seed, int) or seed < 0:
        raise SimError(f"seed of {folder / SUMMARY} must be a whole number. Got {seed!r:.40}.")
    return found
