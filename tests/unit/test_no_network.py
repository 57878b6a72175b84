"""Nothing is asked of the network: the commands work where no connection can be made."""

from __future__ import annotations

import socket

import pytest

from tests.fuzz.kills import SCENARIO, SWEEP

COMMANDS = [
    ("simulate", "scenario.yaml", "--uncertainty", "8"),
    ("simulate", "scenario.yaml", "--out", "run"),
    ("size", "scenario.yaml", "--target", "tokens_per_s>1"),
    ("report", "scenario.yaml", "-o", "report.html"),
    ("sweep", "sweep.yaml", "-o", "rows.parquet"),
    ("validate", "runs.csv"),
    ("devices",),
    ("models",),
    ("formats",),
]
RUNS = "id,device,model,tokens_per_s\nr1,dimensity_9500,smollm2-135m,80\n"


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda given: given[0])
def test_a_command_makes_no_connection(andesim, tmp_path, monkeypatch, arguments):
    (tmp_path / "scenario.yaml").write_text(SCENARIO)
    (tmp_path / "sweep.yaml").write_text(SWEEP.replace("[8, 127], count: 120", "[8, 16], count: 2"))
    (tmp_path / "runs.csv").write_text(RUNS)
    monkeypatch.chdir(tmp_path)
    tried = []
    inner = socket.socket.connect

    def connect(self, address):
        if self.family == socket.AF_UNIX:  # how workers of one machine talk
            return inner(self, address)
        tried.append(address)
        raise OSError("no network")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *asked, **_: tried.append(asked) or [])
    outcome = andesim(*arguments)
    assert outcome.code in (0, 1), outcome.err
    assert tried == []
