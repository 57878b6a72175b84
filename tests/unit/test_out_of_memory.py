"""Memory that runs out ends a command in one sentence, exit code 2 and nothing half written."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from concurrent.futures.process import BrokenProcessPool

import pytest

from sim.errors import SimError
from sim.explore import sweeps
from sim.explore.designs import SweepSpec

ADDRESSES = 210 * 2**20
"""Enough to begin, not to draw thousands of devices [B]."""
LARGE = ("--uncertainty", "5000", "--set", "session.turns.0.output_tokens=30000")


def limited(*arguments: str) -> subprocess.CompletedProcess[str]:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))

    line = [sys.executable, "-m", "sim", *arguments]
    few = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(line, preexec_fn=limit, env=few, capture_output=True, text=True)


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
def test_a_question_too_large_for_the_memory_there_is_ends_in_one_sentence(tmp_path):
    done = limited("simulate", *LARGE, "--json", "--out", str(tmp_path / "run"))
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "must have the memory that the question takes" in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("fault", "code"), [(MemoryError(), 2), (RuntimeError("can't allocate memory: 9 bytes"), 2)]
)
def test_whoever_finds_no_memory_it_is_one_sentence(andesim, monkeypatch, fault, code):
    def fail(*_, **__):
        raise fault

    monkeypatch.setattr("sim.simulation.simulate", fail)
    done = andesim("simulate")
    assert done.code == code
    assert "Remedy: fewer draws" in done.err


def test_a_killed_worker_ends_a_sweep_in_one_sentence_that_says_what_is_kept(tmp_path, monkeypatch):
    class Killed:
        def __init__(self, **_):
            pass

        def __call__(self, _):
            raise BrokenProcessPool("A worker was killed")

    monkeypatch.setattr("joblib.Parallel", Killed)
    spec = SweepSpec(base={"model": "andesvl-0.6b"}, axes={"device": ("dimensity_9500",)})
    with pytest.raises(SimError, match=r"worker process must stay .* Finished chunks are kept"):
        sweeps.run_sweep(spec, tmp_path / "rows.parquet", backend="loky")
