"""`andesim dashboard`: start the dashboard, wait until it answers, open the browser.

The dashboard stands above this package, so it is started as a program of its own and not imported.
It listens on this machine only.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from sim.errors import SimError

if TYPE_CHECKING:
    import subprocess

HOST = "localhost"
FIRST_PORT = 8501
PORTS_TRIED = 50
PATIENCE_S = 60.0
PAUSE_S = 0.03
TERMINATED = 143
"""Exit code of a program that a signal ended: 128 + 15."""

Port = Annotated[
    int | None, typer.Option(min=1024, max=65535, help="Port on this machine; a free one if none.")
]
Browser = Annotated[bool, typer.Option(help="Open the browser once the dashboard answers.")]


def dashboard(port: Port = None, browser: Browser = True) -> None:
    """Open the dashboard in the browser; nothing leaves this machine."""
    import signal
    import subprocess
    import webbrowser

    chosen = port or free_port()
    if not is_free(chosen):
        raise SimError(f"--port must be free. Got {chosen}, which another program uses.")
    server = subprocess.Popen(command(chosen))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))  # the server goes with us
    try:
        if wait_until_healthy(server, chosen):
            typer.echo(f"Dashboard at http://{HOST}:{chosen} (Ctrl-C stops it)", err=True)
            if browser:
                webbrowser.open(f"http://{HOST}:{chosen}")
        elif server.poll() is None:
            typer.echo(f"Not ready yet; it will be at http://{HOST}:{chosen}.", err=True)
        if server.wait():
            raise SimError(f"the dashboard must keep running. It ended with {server.returncode}.")
    except KeyboardInterrupt:
        server.wait()  # it got the same Ctrl-C
    finally:
        server.terminate()


def command(port: int) -> list[str]:
    """Return the command that serves the dashboard; -P keeps the current folder off the path."""
    return [sys.executable, "-P", "-m", "dashboard", str(port)]


def free_port() -> int:
    """Return the first free port from Streamlit's usual one on; raises SimError if none is."""
    for port in range(FIRST_PORT, FIRST_PORT + PORTS_TRIED):
        if is_free(port):
            return port
    raise SimError(f"a port from {FIRST_PORT} on must be free. Give one with --port.")


def is_free(port: int) -> bool:
    """Return whether nothing listens on a port of this machine."""
    import socket

    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) != 0


def wait_until_healthy(server: subprocess.Popen[bytes], port: int) -> bool:
    """Return whether the dashboard answers; not, if it ends or takes longer than a minute."""
    import urllib.request

    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s and server.poll() is None:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/_stcore/health", timeout=2.0):
                return True
        except OSError:  # nothing listens yet
            time.sleep(PAUSE_S)
    return False
