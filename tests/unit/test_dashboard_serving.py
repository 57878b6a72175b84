"""`andesim dashboard`: ports, options, and how it ends."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest

from dashboard import serving
from dashboard.cards import cards
from dashboard.choices import Choices
from dashboard.first_answer import first_answer
from dashboard.runs import run
from dashboard.serving import options
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
    given = options(8600)
    assert given["server.address"] == "localhost"
    assert given["server.port"] == 8600
    assert given["browser.gatherUsageStats"] is False
    assert given["client.showErrorDetails"] == "none"
    assert given["server.enableXsrfProtection"] is given["server.enableCORS"] is True


def listens_on(process):
    """Addresses on which a process listens, from the kernel's tables (IPv4 and IPv6)."""
    sockets = set()
    for link in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):  # a file that was closed meanwhile
            sockets.add(os.readlink(link))
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{process}/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if state == "0A" and f"socket:[{rest[5]}]" in sockets:
                found.add(local.partition(":")[0])
    return found


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux")
def test_the_running_server_has_no_socket_but_on_loopback(tmp_path):
    """Whatever the environment and the user's own Streamlit settings say."""
    port = dashboarding.free_port()
    asked = {
        "STREAMLIT_SERVER_ADDRESS": "0.0.0.0",
        "STREAMLIT_SERVER_ENABLE_XSRF_PROTECTION": "false",
    }
    server = subprocess.Popen(
        dashboarding.command(port),
        env=os.environ | asked,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert dashboarding.wait_until_healthy(server, port)
        addresses = listens_on(server.pid)
        with urllib.request.urlopen(f"http://localhost:{port}/_stcore/host-config") as answer:
            answer.read()
        upload = urllib.request.Request(
            f"http://localhost:{port}/_stcore/upload_file/a/b", b"x", method="PUT"
        )
        with pytest.raises(urllib.error.HTTPError) as refusal:
            urllib.request.urlopen(upload)
    finally:
        server.terminate()
        server.wait()
    assert addresses
    assert addresses <= {"0100007F", "00000000000000000000000001000000"}
    assert refusal.value.code == 403, "without the page's own token nothing can be sent"


def test_the_first_answer_is_that_of_the_cards():
    asked = Choices(body="by bits", body_bits=3.5)
    said = first_answer("body=by+bits&body_bits=3.5&view=0,1")
    for card in cards(run(asked)):
        assert f"<span>{card.label}</span><b>{card.value}</b>" in said
    assert "80 % range: computing" in said
    assert "80 % range 1." in first_answer(""), "the draws of the default question ship"


@pytest.mark.parametrize(
    "query",
    ["body_bits=99", "nonsense=1", "model=<script>", "baseline=body%3Dw8", "images=16&stack=x"],
)
def test_a_link_that_the_page_has_to_explain_has_no_first_answer(query):
    assert first_answer(query) == ""


def test_the_page_asks_for_the_first_answer_and_stays_streamlit_s():
    shell = serving.page()
    assert 'fetch("first-answer" + location.search)' in shell
    assert shell.count("</head>") == shell.count('<div id="root"></div>') == 1


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


def test_the_server_starts_without_plotly_and_charts_find_it_later():
    code = (
        "import sys; from dashboard.beginning import without\n"
        "with without('plotly'): import dashboard.serving\n"
        "print(any(name.partition('.')[0] == 'plotly' for name in sys.modules))\n"
        "import plotly.io; print(plotly.io.templates.default)"
    )
    command = [sys.executable, "-c", code]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed.split() == ["False", "plotly"]
