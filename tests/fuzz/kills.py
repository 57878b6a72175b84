"""Kill -9 at random instants: ``python -m tests.fuzz.kills --rounds 20`` and look at what is left.

After each kill every file and folder under its own name must be whole, and the same command run
again must end with what an undisturbed run gives, and leave nothing of the killed ones.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pandas as pd

from sim.evidence.measuring.document import read_measurement
from workloads.trace_file import load_trace

SCENARIO = """\
device: dimensity_9500
model: smollm2-135m
session: {turns: [{prompt_tokens: 64, output_tokens: 16}]}
"""
SWEEP = """\
base: scenario.yaml
axes: {deployment.prefill_chunk_tokens: {linear: [8, 127], count: 120}}
"""
FILES = ["scenario.yaml", "summary.json", "tasks.parquet", "trace.json"]
"""What a run's folder holds."""


@dataclass(frozen=True)
class Killed:
    """A command, what it writes, and how to read that; equal runs may differ in `measure` only."""

    arguments: tuple[str, ...]
    output: str
    read: Callable[[Path], object]
    repeats: bool = True


def _folder(path: Path) -> object:
    """Read every file of a run's folder, none of which may be missing."""
    if sorted(file.name for file in path.iterdir()) != FILES:
        raise ValueError("half a folder")
    found = {}
    for file in path.iterdir():
        if file.suffix == ".parquet":
            found[file.name] = pd.read_parquet(file).to_json()
        else:
            text = file.read_text(encoding="utf-8")
            found[file.name] = json.loads(text) if file.suffix == ".json" else text
    return found


def _page(path: Path) -> object:
    text = path.read_text(encoding="utf-8")
    if not text.endswith("</html>\n"):
        raise ValueError("half a page")
    return text


COMMANDS = {
    "simulate": Killed(("simulate", "scenario.yaml", "--out", "run"), "run", _folder),
    "report": Killed(("report", "scenario.yaml", "-o", "r.html"), "r.html", _page),
    "sweep": Killed(
        ("sweep", "sweep.yaml", "-o", "rows.parquet"),
        "rows.parquet",
        lambda path: pd.read_parquet(path).to_json(),
    ),
    "trace": Killed(("trace", "--model", "smollm2-135m", "-o", "t.json"), "t.json", load_trace),
    "measure": Killed(
        ("measure", "--model", "smollm2-135m", "--device", "cpu", "--quick", "-o", "m.json"),
        "m.json",
        read_measurement,
        repeats=False,
    ),
}


def start(killed: Killed, folder: Path) -> subprocess.Popen[bytes]:
    """Start a command in a folder of its own."""
    (folder / "sweep.yaml").write_text(SWEEP)
    (folder / "scenario.yaml").write_text(SCENARIO)
    command = [sys.executable, "-m", "sim", *killed.arguments]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=folder, stdout=quiet, stderr=quiet)


def finish(killed: Killed, folder: Path) -> object:
    """Run a command to its end and return what it wrote."""
    if start(killed, folder).wait():
        raise AssertionError(f"{killed.arguments[0]} must end well after a kill")
    if left := [path.name for path in folder.iterdir() if path.name.startswith(".")]:
        raise AssertionError(f"{killed.arguments[0]} must leave no temporary file. Got {left}.")
    return killed.read(folder / killed.output)


def kill(killed: Killed, folder: Path, after_s: float) -> object | None:
    """Kill a command after some seconds; return what it had written under its name, if anything."""
    process = start(killed, folder)
    time.sleep(after_s)
    process.kill()
    process.wait()
    output = folder / killed.output
    return killed.read(output) if output.exists() else None


def campaign(name: str, rounds: int, random: Random) -> str:
    """Kill a command in each round, look, kill it again, look, and let it end."""
    killed, whole = COMMANDS[name], 0
    with tempfile.TemporaryDirectory() as place:
        begun = time.monotonic()
        expected = finish(killed, Path(place))
        lasts_s = time.monotonic() - begun
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as place:
            for _ in range(2):
                left = kill(killed, Path(place), random.uniform(0.2, 1.1) * lasts_s)
                whole += left is not None
            again = finish(killed, Path(place))
            if killed.repeats and again != expected:
                raise AssertionError(f"{name} must give the same after a kill")
    return f"{name}: {2 * rounds} kills, {whole} after an output was there, all whole, all resumed"


def main() -> None:
    """Run the campaign; an assertion or a reader's error ends it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--command", choices=COMMANDS, action="append")
    options = parser.parse_args()
    for name in options.command or COMMANDS:
        print(campaign(name, options.rounds, Random(f"{options.seed} {name}")), flush=True)


if __name__ == "__main__":
    main()
