"""A Dask cluster whose parts die: ``python -m tests.fuzz.cluster --rounds 3``.

In each round a sweep runs on a scheduler and two workers of its own. Once some chunks are done, a
worker or the scheduler is killed with -9. Without a worker the sweep must end all the same; without
its scheduler it must end in one sentence, keep its chunks, and be continued without a cluster. The
rows must be those of a sweep in one process.
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pandas as pd

from tests.fuzz.kills import SCENARIO

SWEEP = """\
base: scenario.yaml
axes:
  deployment.prefill_chunk_tokens: {linear: [8, 127], count: 120}
  environment.ambient_c: {linear: [20, 30], count: 4}
"""
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
PATIENCE_S = 60.0
Process = subprocess.Popen[bytes]


@contextmanager
def cluster() -> Iterator[tuple[str, Process, list[Process]]]:
    """Run a scheduler and two workers; yield the address, the scheduler and the workers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    dask = [sys.executable, "-m", "dask"]
    place = ["--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    one = ["--nthreads", "1", "--no-nanny", "--no-dashboard"]
    scheduler = subprocess.Popen([*dask, "scheduler", *place], **QUIET)
    workers = [subprocess.Popen([*dask, "worker", address, *one], **QUIET) for _ in range(2)]
    try:
        yield address, scheduler, workers
    finally:
        for process in (*workers, scheduler):
            process.kill()
            process.wait()


def sweep(folder: Path, out: str, *options: str) -> subprocess.Popen[str]:
    """Start a sweep in a folder."""
    command = [sys.executable, "-m", "sim", "sweep", "sweep.yaml", "-o", out, *options]
    return subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)


def round_of(folder: Path, victim: str, random: Random) -> str:
    """Run one sweep, kill the victim on the way, and return what became of it.

    Raises `AssertionError` where rows differ or the end is not as it must be.
    """
    out = folder / f"{victim}.parquet"
    parts = out.with_name(f"{out.name}.parts")
    with cluster() as (address, scheduler, workers):
        running = sweep(folder, out.name, "--scheduler", address)
        enough, until_s = random.randint(1, 9), time.monotonic() + PATIENCE_S
        while len(list(parts.glob("*.parquet"))) < enough and time.monotonic() < until_s:
            time.sleep(0.05)
        (scheduler if victim == "scheduler" else random.choice(workers)).kill()
        said = running.communicate()[1]
    kept = len(list(parts.glob("*.parquet"))) if parts.exists() else 0
    told = f"{victim} killed after {enough} chunks, exit code {running.returncode}"
    if running.returncode:
        if victim == "worker" or "Traceback" in said or not kept:
            raise AssertionError(f"{told}, {kept} chunks kept: {said}")
        assert sweep(folder, out.name).wait() == 0
    found, expected = (pd.read_parquet(folder / name) for name in (out.name, "alone.parquet"))
    if not found.equals(expected):
        raise AssertionError(f"{told}: other rows than in one process")
    return f"{told}, {kept} chunks kept, {len(found)} equal rows in the end"


def main() -> None:
    """Print a line per kill; an assertion ends it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random = Random(options.seed)
    for _ in range(options.rounds):
        for victim in ("worker", "scheduler"):
            with tempfile.TemporaryDirectory() as place:
                folder = Path(place)
                (folder / "scenario.yaml").write_text(SCENARIO)
                (folder / "sweep.yaml").write_text(SWEEP)
                assert sweep(folder, "alone.parquet").wait() == 0
                print(round_of(folder, victim, random), flush=True)


if __name__ == "__main__":
    main()
