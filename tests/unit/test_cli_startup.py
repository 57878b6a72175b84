"""The command line in processes of its own: quick to start, nothing loaded that is not needed."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("torch", "fvcore", "pandas", "simpy", "scipy", "plotly", "streamlit", "pyarrow")

LOADED = """
import sys
from sim.cli import main
sys.argv = ["andesim", *sys.argv[1:]]
try:
    main()
finally:
    print("loaded:", *sorted(sys.modules), file=sys.stderr)
"""


def loaded_by(*arguments: str) -> set[str]:
    """Top-level modules a command loads."""
    process = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments], capture_output=True, text=True, check=True
    )
    (line,) = (line for line in process.stderr.splitlines() if line.startswith("loaded:"))
    return {name.partition(".")[0] for name in line.split()[1:]}


@pytest.mark.parametrize("command", ["simulate --help", "simulate --json", "models --json"])
def test_a_command_loads_no_heavy_library(command):
    assert not loaded_by(*command.split()) & set(HEAVY)


def test_importing_the_packages_loads_no_heavy_library():
    code = "import sys, sim, hw_models.soc, workloads.catalogue; print(*sys.modules)"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    assert not {name.partition(".")[0] for name in process.stdout.split()} & set(HEAVY)


def test_python_m_sim_is_the_same_command():
    process = subprocess.run(
        [sys.executable, "-m", "sim", "formats", "w4", "--json"], capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout)[0]["id"] == "w4"


def test_bad_input_ends_a_process_with_code_2_and_one_message():
    process = subprocess.run(
        [sys.executable, "-m", "sim", "simulate", "--set", "device=dimensity_9501"],
        capture_output=True,
        text=True,
    )
    assert process.returncode == 2
    assert process.stdout == ""
    assert process.stderr.startswith("andesim: device ")
    assert "Did you mean 'dimensity_9500'?" in process.stderr


def test_a_reader_that_goes_away_is_no_error():
    """`andesim devices --json | head -1`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sim", "devices", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    complaint = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 0
    assert complaint == b""
