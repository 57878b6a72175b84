"""Print the speed figures of the simulator: medians of several runs, ratios within one run.

Machines are noisy: compare ratios, not seconds.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table

from sim import load_scenario, simulate
from sim.engine.maxplus import step_seconds
from sim.engine.pricing import Pricing
from sim.explore.draws import draw
from sim.heat.course import sustained_fractions
from sim.planning import plan
from sim.results import Result
from workloads.capture import version

RUNS = 5
DEVICES = 500
CAPTURED = {"qwen3-4b": "< 10 s, 1 GB", "qwen3-30b-a3b": "< 30 s"}
"""Models whose capture is timed, with its target."""
HOT_W = 8.0
"""Power above the static one that brings most phones to a trip within ten minutes [W]."""


def median_s(action: Callable[[], object], runs: int = RUNS) -> float:
    """Return the median CPU seconds of an action after one warm-up [s]."""
    action()
    times = []
    for _ in range(runs):
        started = time.process_time()
        action()
        times.append(time.process_time() - started)
    return statistics.median(times)


def process(*arguments: str, runs: int = RUNS) -> tuple[float, float]:
    """Return the median CPU seconds and the peak memory of a command, bytecode cached [s, MB]."""
    command = [sys.executable, "-c", _CHILD, *arguments]
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": tempfile.gettempdir() + "/andesim-pycache"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    seconds, megabytes = [], []
    for _ in range(runs + 1):
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        cpu_s, peak_mb = done.stderr.split()[-2:]
        seconds.append(float(cpu_s))
        megabytes.append(float(peak_mb))
    return statistics.median(seconds[1:]), statistics.median(megabytes[1:])


_CHILD = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, file=sys.stderr)
"""


def rows() -> list[tuple[str, str, str]]:
    """Return the benchmark table: what, figure, target."""
    scenario = load_scenario()
    result: Result = simulate(scenario)
    timed = result.timed
    tiles = sum(
        segment.repeat * int(task.tiles.sum())
        for group in timed.groups
        for segment in group.segments
        for task in segment.tasks
    )
    whole_s = median_s(lambda: simulate(scenario).summary())
    fast_s = median_s(lambda: [step_seconds(group) for group in timed.groups])
    slow_s = median_s(lambda: simulate(scenario, engine="event"), runs=3)
    pricing = Pricing(result.soc, result.soc.stack(result.stack))
    both_s = median_s(lambda: [step_seconds(g) for g in pricing.program(result.program).groups])
    plan_s = median_s(lambda: plan(scenario, result.soc))
    drawn = draw(result.soc, result.stack, samples=DEVICES, seed=0)
    devices = result.soc.with_values({path: column[:, None] for path, column in drawn.items()})
    powers_w = np.full(DEVICES, HOT_W)
    heat_s = median_s(lambda: sustained_fractions(devices, 25.0, powers_w))
    bare_s, _ = process(sys.executable, "-c", "import numpy")
    draws_s, _ = process(sys.executable, "-m", "sim", "simulate", "--uncertainty", "500")
    import_s, import_mb = process(sys.executable, "-c", "import sim")
    cold_s, cold_mb = process(sys.executable, "-m", "sim", "simulate")
    return [
        ("andesim simulate, process", f"{cold_s:.2f} s CPU, {cold_mb:.0f} MB", "< 1.2 s, 200 MB"),
        ("  over a bare interpreter with numpy", f"{cold_s / bare_s:.1f} x", "< 4 x"),
        ("simulate --uncertainty 500, process", f"{draws_s / bare_s:.1f} x bare", "< 8 x"),
        ("import sim", f"{import_s:.2f} s CPU, {import_mb:.0f} MB", "< 0.5 s"),
        ("simulate() + summary(), default scenario", f"{whole_s * 1e3:.1f} ms", "< 20 ms"),
        ("  of which compiling the program", f"{plan_s * 1e3:.1f} ms", ""),
        ("  of which pricing and max-plus", f"{both_s * 1e3:.1f} ms", ""),
        ("max-plus engine alone, program priced", f"{fast_s * 1e3:.2f} ms", ""),
        ("event engine, same program", f"{slow_s:.2f} s for {tiles:,} tile tasks", ""),
        ("event engine, tile tasks per second", f"{tiles / slow_s:,.0f}", "> 100,000"),
        ("max-plus / event engine speed", f"{slow_s / fast_s:,.0f} x", "> 500 x"),
        (f"tenth minute of {DEVICES} drawn devices at {HOT_W} W", f"{heat_s:.2f} s", "< 0.3 s"),
        ("this process, peak memory", f"{_peak_mb():.0f} MB", ""),
    ]


def captures() -> list[tuple[str, str, str]]:
    """Return what capturing a model takes, libraries loaded from nothing; empty without PyTorch."""
    if version() is None:
        return []
    found = []
    for model, target in CAPTURED.items():
        file = f"{tempfile.gettempdir()}/andesim-captured.json"
        line = ("-m", "sim", "trace", "--model", model, "-o", file)
        cpu_s, peak_mb = process(sys.executable, *line, runs=1)
        found.append(
            (f"capture of {model}, process", f"{cpu_s:.1f} s CPU, {peak_mb:.0f} MB", target)
        )
    return found


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print the table."""
    table = Table(title="andesim benchmarks (medians)", title_justify="left", box=None)
    for name in ("what", "figure", "target"):
        table.add_column(name)
    for row in (*rows(), *captures()):
        table.add_row(*row)
    Console().print(table)


if __name__ == "__main__":
    main()
