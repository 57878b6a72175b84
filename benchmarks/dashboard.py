"""Print how long a person waits for the dashboard, measured in a real Chromium.

    python -m benchmarks.dashboard [--quick]

First cards: from opening the address of a server that has just answered to the first number on
screen; the browser profile is new, so nothing is cached. Slider: from a key press on a slider to
another number on the card it moves, each time a run that was not computed before. Both are read
from the browser's own clock. CPU seconds are those of the server process; where others use the
machine, they say more than waiting does.
"""

from __future__ import annotations

import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
from playwright.sync_api import Page, sync_playwright
from rich.console import Console
from rich.table import Table

from sim.cli.dashboarding import command, wait_until_healthy

SERVERS, VISITS, MOVES = 5, 5, 20
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
VALUE = "[data-testid=stMetricValue]"
DRAWN = "[data-testid=stPlotlyChart] .main-svg"

WATCH_FIRST = """([values, charts]) => {
  window.seen = {};
  const look = () => {
    const now = performance.now();
    if (!window.seen.cards && document.querySelector(values)?.innerText) window.seen.cards = now;
    if (!window.seen.charts && document.querySelectorAll(charts).length >= 3)
      window.seen.charts = now;
    if (!window.seen.charts) requestAnimationFrame(look);
  };
  look();
}"""
WATCH_CHANGE = """(values) => new Promise((resolve) => {
  const card = () => document.querySelectorAll(values)[1]?.innerText;
  const before = card();
  document.addEventListener("keydown", () => {
    const pressed = performance.now();
    const look = () => {
      const text = card();
      if (text && text !== before) resolve((performance.now() - pressed) / 1e3);
      else requestAnimationFrame(look);
    };
    look();
  }, { once: true, capture: true });
})"""


class Served:
    """A dashboard that answers: its address, its process, how long it took to start [s]."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("localhost", 0))
            port = probe.getsockname()[1]
        started_s = time.perf_counter()
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.server = subprocess.Popen(command(port), **quiet)
        if not wait_until_healthy(self.server, port):
            self.stop()
            raise SystemExit("The dashboard did not start.")
        self.start_s = time.perf_counter() - started_s
        self.address = f"http://localhost:{port}"

    def stop(self) -> None:
        """End the server."""
        self.server.terminate()
        self.server.wait()

    def cpu_s(self) -> float:
        """Return the CPU seconds of the server until now [s]."""
        times = psutil.Process(self.server.pid).cpu_times()
        return float(times.user + times.system)


@contextmanager
def served() -> Iterator[Served]:
    """Serve the dashboard as `andesim dashboard` does."""
    found = Served()
    try:
        yield found
    finally:
        found.stop()


def first_visit(browser: Any, address: str) -> tuple[float, float]:
    """Return the seconds from opening a page to the first number and to the third chart [s]."""
    page: Page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.add_init_script(f"({WATCH_FIRST})({[VALUE, DRAWN]!r})")
    page.goto(address, wait_until="commit")
    page.wait_for_function("window.seen && window.seen.charts", timeout=60_000)
    seen = page.evaluate("window.seen")
    page.close()
    return seen["cards"] / 1e3, seen["charts"] / 1e3


def moves(browser: Any, here: Served, count: int, rest_s: float) -> tuple[list[float], float]:
    """Return the seconds of each move of a slider and the server's CPU seconds per move [s].

    ``rest_s`` passes between moves; with 0 each follows the number before it at once, as dragging
    does.
    """
    page: Page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"{here.address}/?body=by+bits&prompt_tokens={64 + round(rest_s * 1000)}")
    page.locator(DRAWN).nth(2).wait_for()
    slider = page.get_by_role("slider", name="Body bits per weight")
    slider.focus()
    page.wait_for_timeout(4000)
    waits, before_s = [], here.cpu_s()
    for _ in range(count):
        waiting = page.evaluate_handle(f"({{ done: ({WATCH_CHANGE})({VALUE!r}) }})")
        page.keyboard.press("ArrowRight")
        waits.append(waiting.evaluate("(held) => held.done"))
        page.wait_for_timeout(1e3 * rest_s)
    page.close()
    return waits, (here.cpu_s() - before_s) / count


def frames(browser: Any, address: str) -> list[float]:
    """Return the script seconds of the frames in which a long reply's timeline is panned [s]."""
    page: Page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"{address}/timeline?images=0&output_tokens=512")
    canvas = page.locator("canvas[data-view]")
    canvas.wait_for(timeout=120_000)
    canvas.focus()
    for key in "wwwwdddddaaaaasssswwdddaaasss":
        page.keyboard.press(key)
        page.wait_for_timeout(50)
    taken = canvas.get_attribute("data-frames-ms") or ""
    page.close()
    return [float(ms) / 1e3 for ms in taken.split(",")]


def measured(browser: Any, quick: bool) -> Iterator[tuple[str, list[float], str]]:
    """Yield a row per figure: what, its samples [s], the aim."""
    starts, cards, charts, cpu = [], [], [], []
    for _ in range(2 if quick else SERVERS):
        with served() as here:
            begun_s = here.cpu_s()
            first = first_visit(browser, here.address)
            starts.append(here.start_s)
            cpu.append(here.cpu_s() - begun_s)
            cards.append(first[0])
            charts.append(first[1])
    yield "command to a server that answers", starts, ""
    yield "first page: opened to cards", cards, ""
    yield "  three charts", charts, ""
    yield "  CPU of the server for it", cpu, ""
    whole = [start + card for start, card in zip(starts, cards, strict=True)]
    yield "command to cards", whole, "<= 3 s"
    with served() as here:
        again = [first_visit(browser, here.address) for _ in range(2 if quick else VISITS)][1:]
        yield "later visit: cards", [visit[0] for visit in again], ""
        for what, rest_s in (("slider to a new number", 2.0), ("  dragged without rest", 0.0)):
            waits, cpu_s = moves(browser, here, 5 if quick else MOVES, rest_s)
            yield what, waits, "<= 0.5 s"
            yield "  CPU of the server for it", [cpu_s], ""
        yield "a frame of the timeline, script", frames(browser, here.address), "<= 0.05 s"


def main() -> None:
    """Print the table."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        raise SystemExit("Chromium is needed: apt-get install chromium")
    table = Table(title="andesim dashboard [s]", title_justify="left", box=None)
    for name in ("what", "least", "median", "most", "aim"):
        table.add_column(name)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        for what, samples, aim in measured(browser, "--quick" in sys.argv):
            ends = (min(samples), statistics.median(samples), max(samples))
            table.add_row(what, *(f"{seconds:.3f}" for seconds in ends), aim)
        browser.close()
    Console().print(table)


if __name__ == "__main__":
    main()
