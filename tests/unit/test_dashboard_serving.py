"""`andesim dashboard`: ports, options, and how it ends."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from dashboard.__main__ import flags
from sim.cli import dashboarding
from sim.errors import SimError


def test_a_port_in_use_is_not_free():
    with socket.socket() as taken:
        taken.bind(("localhost", 0))
        taken.listen()
        assert not dashboarding.is_free(taken.getsockname()[1])
    assert dashboarding.is_free(dashboarding.free_port())


def test_a_port_in_use_is_refused_before_anything_starts(andesim):
    with socket.socket() as taken:
        taken.bind(("localhost", 0))
        taken.listen()
        outcome = andesim("dashboard", "--port", taken.getsockname()[1], "--no-browser")
    assert outcome.code == 2
    assert "--port must be free" in outcome.err


def test_the_server_listens_here_only_and_tells_nobody():
    options = dict(flag.removeprefix("--").split("=", 1) for flag in flags(8600))
    assert options["server.address"] == "localhost"
    assert options["server.port"] == "8600"
    assert options["browser.gatherUsageStats"] == "false"
    assert options["client.showErrorDetails"] == "none"


def test_a_server_that_ends_at_once_is_not_waited_for():
    server = subprocess.Popen([sys.executable, "-c", ""])
    server.wait()
    assert not dashboarding.wait_until_healthy(server, dashboarding.free_port())


def test_a_server_that_fails_ends_the_command(monkeypatch):
    failing = [sys.executable, "-c", "raise SystemExit(3)"]
    monkeypatch.setattr(dashboarding, "command", lambda port: failing)
    with pytest.raises(SimError, match="ended with 3"):
        dashboarding.dashboard(browser=False)


def test_the_command_line_does_not_import_the_dashboard():
    code = "import sys, sim.cli.dashboarding; print('dashboard' in sys.modules)"
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert printed.strip() == "False"
