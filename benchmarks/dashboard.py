"""Print how long a person waits for the dashboard, measured in a real Chromium.

    python -m benchmarks.dashboard [--quick]

Aims are ratios to a bare interpreter that loads numpy on the same machine, timed first.

First cards: from opening the address of a server that has just answered to the first number on
screen; the browser profile is new, so nothing is cached. Slider: from a key press on a slider to
another number on the card it moves, each time a run that was not computed before. Both are read
from the browser's own clock. Bands: from the key press to 80 % ranges on every card. Growth: what
the server holds after 20 and after 120 moves of two viewers in turn. CPU seconds are those of the
server process; where others use the machine, they say more than waiting does.
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
WARM_MOVES, MORE_MOVES = 20, 100
FIRST_PAGE, NUMBER, BANDS = 15.0, 1.5, 8.0
"""Aims, as multiples of a bare interpreter that loads numpy."""
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
VALUE = "[data-testid=stMetricValue]"
DRAWN = "[data-testid=stPlotlyChart] .main-svg"

RANGED = """() => {
  const said = document.body.innerText;
  return /80 % range/.test(said) && !/range: computing/.test(said);
}"""
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


def bands(browser: Any, here: Served, count: int) -> list[float]:
    """Return the seconds from a move of a slider to ranges on every card [s]."""
    page: Page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"{here.address}/?body=by+bits&prompt_tokens=77")
    page.locator(DRAWN).nth(2).wait_for()
    slider = page.get_by_role("slider", name="Body bits per weight")
    slider.focus()
    page.wait_for_function(RANGED, timeout=60_000)
    waits = []
    for _ in range(count):
        page.wait_for_timeout(500)
        waiting = page.evaluate_handle(f"({{ done: ({WATCH_CHANGE})({VALUE!r}) }})")
        began = time.perf_counter()
        page.keyboard.press("ArrowRight")
        waiting.evaluate("(held) => held.done")
        page.wait_for_function(RANGED, timeout=60_000, polling="raf")
        waits.append(time.perf_counter() - began)
    page.close()
    return waits


def growth_mb(browser: Any, here: Served) -> tuple[float, float]:
    """Return what the server holds after the first and after all moves of two viewers [MB]."""
    pages = [browser.new_page(viewport={"width": 1440, "height": 900}) for _ in range(2)]
    for page, tokens in zip(pages, (91, 92), strict=True):
        page.goto(f"{here.address}/?body=by+bits&prompt_tokens={tokens}")
        page.locator(DRAWN).nth(2).wait_for()
        page.get_by_role("slider", name="Body bits per weight").focus()
    held = []
    for count in (WARM_MOVES, MORE_MOVES):
        for move in range(count):
            page = pages[move % 2]
            page.keyboard.press("ArrowRight" if move // 20 % 2 == 0 else "ArrowLeft")
            page.wait_for_timeout(250)
        held.append(psutil.Process(here.server.pid).memory_info().rss / 1e6)
    for page in pages:
        page.close()
    return held[0], held[1]


def bare_s(runs: int = 5) -> float:
    """Return the median seconds of an interpreter that loads numpy and ends [s]."""
    found = []
    for _ in range(runs + 1):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import numpy"], check=True)
        found.append(time.perf_counter() - began)
    return statistics.median(found[1:])


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


Row = tuple[str, list[float], float | None]
"""What, its samples [s], its aim as a multiple of a bare interpreter."""


def measured(browser: Any, quick: bool) -> Iterator[Row]:
    """Yield the figures one after the other."""
    starts, cards, charts, cpu = [], [], [], []
    for _ in range(2 if quick else SERVERS):
        with served() as here:
            begun_s = here.cpu_s()
            first = first_visit(browser, here.address)
            starts.append(here.start_s)
            cpu.append(here.cpu_s() - begun_s)
            cards.append(first[0])
            charts.append(first[1])
    yield "command to a server that answers", starts, None
    yield "first page: opened to cards", cards, None
    yield "  three charts", charts, None
    yield "  CPU of the server for it", cpu, None
    whole = [start + card for start, card in zip(starts, cards, strict=True)]
    yield "command to cards", whole, FIRST_PAGE
    with served() as here:
        again = [first_visit(browser, here.address) for _ in range(2 if quick else VISITS)][1:]
        yield "later visit: cards", [visit[0] for visit in again], None
        count = 5 if quick else MOVES
        for what, rest_s in (("slider to a new number", 2.0), ("  dragged without rest", 0.0)):
            waits, cpu_s = moves(browser, here, count, rest_s)
            yield what, waits, NUMBER
            yield "  CPU of the server for it", [cpu_s], None
        yield "slider to ranges on all cards", bands(browser, here, count), BANDS
        yield "a frame of the timeline, script", frames(browser, here.address), None


def main() -> None:
    """Print the table."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        raise SystemExit("Chromium is needed: apt-get install chromium")
    table = Table(title="andesim dashboard [s]", title_justify="left", box=None)
    for name in ("what", "least", "median", "most", "median / bare", "aim"):
        table.add_column(name)
    bare = bare_s()
    table.add_row("bare interpreter with numpy", "", f"{bare:.3f}", "", "1.0", "")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        for what, samples, aim in measured(browser, "--quick" in sys.argv):
            middle = statistics.median(samples)
            ends = (min(samples), middle, max(samples))
            shown = "" if aim is None else f"<= {aim:g}"
            table.add_row(what, *(f"{x:.3f}" for x in ends), f"{middle / bare:.1f}", shown)
        with served() as here:
            before, after = growth_mb(browser, here)
        browser.close()
    Console().print(table)
    moved = WARM_MOVES + MORE_MOVES
    print(f"Two viewers: {before:.0f} MB after {WARM_MOVES} moves, {after:.0f} MB after {moved}.")


if __name__ == "__main__":
    main()
