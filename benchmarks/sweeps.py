"""Print the speed of sweeps, of intervals and of the backends.

    python -m benchmarks.sweeps [--quick]

The standard question: Qwen3-4B at 85.3 GB/s and 50 TFLOP/s, prompts of 128 to 8192 tokens, weight
and cache formats, 256 output tokens; one evaluation gives every metric of a run. Figures are CPU
seconds of one process on one core (BLAS threads off), medians of three.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import itertools
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.__main__ import median_s
from hw_models.soc import load_soc
from sim import Scenario, load_scenario, simulate
from sim.explore.designs import Range, SweepSpec
from sim.explore.sweep_batch import Batch
from sim.explore.sweeps import CHUNK_S, run_sweep
from sim.explore.uncertainty import uncertainty
from sim.metrics import metric_columns

BASE = {
    "device": "ideal_85gbps_50tflops",
    "model": "qwen3-4b",
    "session": {"turns": [{"prompt_tokens": 2048, "output_tokens": 256}]},
}
PROMPT = "session.turns.0.prompt_tokens"
BODY, CACHE = "deployment.weights.body", "deployment.kv_cache.dtype"
BODIES, CACHES = ("w2", "w3", "w4", "w8"), ("int16", "int8")
RUNS = 3


def grid(prompts: int) -> SweepSpec:
    """Return the standard question on a grid with this many prompt lengths."""
    return SweepSpec(
        base=BASE,
        axes={PROMPT: Range(log=(128, 8192), count=prompts), BODY: BODIES, CACHE: CACHES},
    )


def evaluations_per_s(prompts: int) -> tuple[int, float]:
    """Return the points of the grid and how many are evaluated per CPU second, without a file."""
    spec = grid(prompts)
    soc = load_soc(str(BASE["device"]))
    lengths = np.array(Range(log=(128, 8192), count=prompts).values(), dtype=np.int64)
    outputs = np.full(lengths.shape, 256)
    scenarios = [
        Scenario.from_mapping(spec.mapping((2048, body, cache)))
        for body in BODIES
        for cache in CACHES
    ]

    def every_metric() -> None:
        for scenario in scenarios:
            metric_columns(Batch(scenario, soc, lengths, outputs).facts)

    return spec.points, spec.points / median_s(every_metric, RUNS)


def whole_sweep(prompts: int) -> tuple[int, float]:
    """Return the rows and the CPU seconds of a sweep into its Parquet file [s]."""
    spec = grid(prompts)

    def sweep() -> None:
        with tempfile.TemporaryDirectory() as folder:
            run_sweep(spec, Path(folder) / "rows.parquet")

    return spec.points, median_s(sweep, RUNS)


_LARGE = """
import resource, sys
from sim.explore.designs import SweepSpec
from sim.explore.sweeps import run_sweep
run_sweep(SweepSpec.model_validate_json(sys.argv[1]), sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def large_sweep_mb(rows: int) -> float:
    """Return the peak memory of a process that sweeps this many rows [MB]."""
    outputs = Range(linear=(2, 1 + rows // 4000), count=rows // 4000)
    spec = grid(500).model_copy(
        update={"axes": {**grid(500).axes, "session.turns.0.output_tokens": outputs}}
    )
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", _LARGE, spec.model_dump_json(), f"{folder}/rows.parquet"]
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def backend_seconds() -> dict[str, float]:
    """Return the wall seconds of one sweep on two processes, workers already running [s].

    The least of `RUNS` turns of each backend, taken alternately: other work on the machine then
    hits both.
    """
    from dask.distributed import LocalCluster

    scenario = load_scenario().model_dump(mode="json", exclude_defaults=True)

    def spec(first: int, count: int) -> SweepSpec:
        axis = Range(linear=(first, first + count - 1), count=count)
        return SweepSpec(base=scenario, axes={"deployment.prefill_chunk_tokens": axis})

    found: dict[str, list[float]] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
    ):
        ways = {
            "loky": {"backend": "loky", "jobs": 2},
            "dask": {"backend": "dask", "scheduler": cluster.scheduler_address},
        }
        for turn, name in itertools.product(range(RUNS + 1), ways):
            wanted = spec(100 + turn, 200) if turn else spec(8, 100)  # the first is a warm-up
            started = time.perf_counter()
            run_sweep(wanted, f"{folder}/{name}{turn}.parquet", **ways[name])
            found.setdefault(name, []).append(time.perf_counter() - started)
    return {name: min(seconds[1:]) for name, seconds in found.items()}


def rows(quick: bool) -> list[tuple[str, str, str]]:
    """Return the table: what, figure, target."""
    found = []
    for prompts in (125, 1000) if quick else (125, 1000, 4000):
        points, rate = evaluations_per_s(prompts)
        found.append((f"standard question, {points} points", f"{rate:,.0f} /s", "> 10,000 /s"))
    points, seconds = whole_sweep(1000)
    found.append(
        (f"sweep with fingerprints and Parquet, {points} rows", f"{points / seconds:,.0f} /s", "")
    )
    result = simulate(load_scenario())
    interval_s = median_s(lambda: uncertainty(result, 500), RUNS)
    found.append(("--uncertainty 500, default scenario", f"{interval_s:.2f} s", "< 3 s"))
    if not quick:
        large_mb = large_sweep_mb(100_000)
        found.append(("100,000-row sweep, peak memory", f"{large_mb:,.0f} MB", "< 2,000 MB"))
        backends = backend_seconds()
        overhead = backends["dask"] / backends["loky"] - 1.0
        seconds = ", ".join(f"{name} {wall_s:.2f} s" for name, wall_s in backends.items())
        what = f"dask over loky, 200 scenarios in chunks of {CHUNK_S:g} s, 2 workers"
        found.append((what, f"{overhead:+.0%} ({seconds})", "< +20 %"))
    here_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found.append(("this process, peak memory", f"{here_mb:.0f} MB", ""))
    return found


def main() -> None:
    """Print the table."""
    table = Table(title="andesim sweeps (medians)", title_justify="left", box=None)
    for name in ("what", "figure", "target"):
        table.add_column(name)
    for row in rows("--quick" in sys.argv):
        table.add_row(*row)
    Console().print(table)


if __name__ == "__main__":
    main()
