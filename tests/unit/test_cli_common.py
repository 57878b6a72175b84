"""What every command line offers: version, short help, whole lines, and a decent end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from importlib.metadata import version

import pytest

from sim.cli.commands import app_for


def run(*arguments, **options):
    line = [sys.executable, "-m", "sim", *arguments]
    return subprocess.run(line, capture_output=True, timeout=120, **options)


def test_the_version_is_told(andesim):
    assert andesim("--version").out == f"andesim {version('andesim')}\n"


@pytest.mark.parametrize(
    "command", [c.name or c.callback.__name__ for c in app_for().registered_commands]
)
def test_dash_h_is_help(andesim, command):
    assert andesim(command, "-h").out == andesim(command, "--help").out != ""


def test_no_line_of_the_command_list_is_cut(andesim, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    listed = andesim("--help").out.partition("Commands:")[2]
    assert listed.count("\n") > 10
    assert "..." not in listed
    assert "--install-completion" in andesim("--help").out


def test_scenarios_are_listed_with_what_they_are_about(andesim):
    rows = json.loads(andesim("scenarios", "--json").out)
    assert "gui_agent_ten_minutes" in [row["id"] for row in rows]
    assert all(row["about"].endswith(".") for row in rows)
    assert "gui_agent_ten_minutes" in andesim("scenarios").out


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_a_console_of_few_letters_gets_the_whole_answer(encoding):
    found = run("simulate", env={**os.environ, "PYTHONIOENCODING": encoding})
    assert found.returncode == 0, found.stderr
    assert "fingerprint" in found.stdout.decode(encoding)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@pytest.mark.parametrize("arguments", [["simulate"], ["simulate", "--json"], ["devices"]])
def test_a_full_output_is_one_sentence(arguments):
    with open("/dev/full", "w") as full:
        line = [sys.executable, "-m", "sim", *arguments]
        found = subprocess.run(line, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
    assert found.returncode == 2
    assert found.stderr == "andesim: standard output must take what is printed. It is full.\n"


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_terminated_dashboard_takes_its_server_along():
    line = [sys.executable, "-m", "sim", "dashboard", "--no-browser"]
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True) as started:
        assert any("Dashboard at" in line for line in started.stderr)
        children = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(started.pid)], capture_output=True, text=True
        ).stdout.split()
        started.send_signal(signal.SIGTERM)
        started.communicate(timeout=30)
        assert started.returncode == 143
    assert children
    alive = subprocess.run(["ps", "-o", "stat=", *children], capture_output=True, text=True)
    assert all(state.startswith("Z") for state in alive.stdout.split())


def test_under_speculation_a_token_stands_beside_a_step(andesim):
    told = andesim(
        "simulate", "--set", "deployment.speculation={method: eagle, acceptance: {alpha: 0.7}}"
    )
    lines = [line.split() for line in told.out.splitlines()]
    committed = float(next(line[3] for line in lines if line[:3] == ["A", "step", "commits"]))
    step, token = next(map(float, line[2:4]) for line in lines if line[:2] == ["cache", "copies"])
    assert token == pytest.approx(step / committed, abs=0.01)
    assert "ms per token" not in andesim("simulate").out
