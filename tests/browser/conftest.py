"""A served dashboard and a real Chromium; without Chromium the suite is skipped and says so."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sim.cli.dashboarding import command, wait_until_healthy

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SETTLED_MS = 700
"""How long a page must rest before a script types into it; Streamlit runs a page again soon after
it was opened, from the address it had then."""
RESTED = """(rest) => {
  const app = document.querySelector("[data-testid=stApp]");
  const busy = !app || app.dataset.testScriptState !== "notRunning"
    || document.querySelector("[data-testid=stSkeleton]")
    || !document.querySelector("[data-testid=stMainBlockContainer] h1");
  if (busy || window.restedSince === undefined) window.restedSince = performance.now();
  return performance.now() - window.restedSince > rest;
}"""
HARMLESS = (
    "_stcore/health",  # Streamlit asks for these beside a page's path first, then at the root
    "_stcore/host-config",
)

Open = Callable[..., Any]


def rested(page: Any) -> None:
    """Return once the script of a page has run and all of it is drawn."""
    page.evaluate("() => { window.restedSince = undefined }")
    page.wait_for_function(RESTED, arg=SETTLED_MS)


def unused_port() -> int:
    """Return a port that the system hands out, so that suites side by side never share a server."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def chromium_path() -> str:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("BROWSER SUITE SKIPPED: no Chromium. Remedy: apt-get install chromium")
    return path


@pytest.fixture(scope="session")
def address(chromium_path: str) -> Iterator[str]:
    """Serve the dashboard as `andesim dashboard` does."""
    port = unused_port()
    server = subprocess.Popen(command(port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert wait_until_healthy(server, port)
        yield f"http://localhost:{port}"
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture(scope="session")
def browser(chromium_path: str) -> Iterator[Any]:
    reason = "BROWSER SUITE SKIPPED: no playwright. Remedy: pip install '.[dev]'"
    sync_api = pytest.importorskip("playwright.sync_api", reason=reason)
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: Any, address: str) -> Iterator[Open]:
    """Return a function that opens a page of the dashboard; afterwards no page may have erred."""
    faults: list[str] = []
    contexts: list[Any] = []

    def listen(page: Any) -> None:
        def console(message: Any) -> None:
            where = message.location.get("url", "")
            if message.type == "error" and not where.endswith(HARMLESS):
                faults.append(f"console: {message.text} {where}")

        def request(sent: Any) -> None:
            if not sent.url.startswith((address, address.replace("http", "ws"), "data:", "blob:")):
                faults.append(f"request off this machine: {sent.url}")

        page.on("console", console)
        page.on("pageerror", lambda error: faults.append(f"page error: {error}"))
        page.on("request", request)

    def open_page(
        path: str = "/",
        width_px: int = 1440,
        scheme: str = "light",
        touch: bool = False,
        reduced_motion: str = "no-preference",
    ) -> Any:
        height_px = 900 if width_px > 800 else 844
        context = browser.new_context(
            viewport={"width": width_px, "height": height_px},
            color_scheme=scheme,
            has_touch=touch,
            reduced_motion=reduced_motion,
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        listen(page)
        page.goto(path if path.startswith("http") else address + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []
