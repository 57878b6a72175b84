"""Print how long a person waits for the dashboard, measured in a real Chromium.

    python -m benchmarks.dashboard [--quick]

Aims are ratios to a bare interpreter that loads numpy, run on the same machine between the samples
of each line, so that both meet the same neighbours.

First page: from opening the address of a server that has just answered to the first numbers on
screen, which the server writes into the page, and to Streamlit's own cards, with which the controls
come; the browser profile is new, so nothing is cached. Slider: from a key press on a slider to
another number on the card it moves, each time a run that was not computed before. Bands: from the
key press to 80 % ranges on every card. All are read from the browser's own clock. Growth: what
the server holds after 20 and after 120 moves of two viewers in turn. CPU seconds and memory are
those of the server and of the process that draws for it; where others use the machine, they say
more than waiting does.
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
from typing import Any, NamedTuple

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
FIRST = "#first-answer .cards b"
VALUE = "[data-testid=stMetricValue]"
DRAWN = "[data-testid=stPlotlyChart] .main-svg"

WATCH_FIRST = """([first, values, charts]) => {
  window.seen = {};
  const look = () => {
    const now = performance.now();
    const seen = window.seen;
    const cards = document.querySelector(values)?.innerText;
    if (!seen.numbers && (cards || document.querySelector(first)?.innerText)) seen.numbers = now;
    if (!seen.cards && cards) seen.cards = now;
    if (!seen.charts && document.querySelectorAll(charts).length >= 3) seen.charts = now;
    if (!seen.charts) requestAnimationFrame(look);
  };
  look();
}"""
WATCH_CHANGE = """([values, awaitsRanges]) => new Promise((resolve) => {
  const card = () => document.querySelectorAll(values)[1]?.innerText;
  const ranged = () => {
    const said = document.body.innerText;
    return /80 % range/.test(said) && !/range: computing/.test(said);
  };
  const before = card();
  document.addEventListener("keydown", () => {
    const pressed = performance.now();
    let isNew = false;
    const look = () => {
      const text = card();
      isNew ||= text && text !== before;
      if (isNew && (!awaitsRanges || ranged())) resolve((performance.now() - pressed) / 1e3);
      else requestAnimationFrame(look);
    };
    look();
  }, { once: true, capture: true });
})"""
"""Until the card has another number, and until all cards have their ranges where that is asked."""
CALM = """() => !/range: computing|one by one/.test(document.body.innerText)"""


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
        """Return the CPU seconds of the server and its helper until now [s]."""
        times = [one.cpu_times() for one in self._processes()]
        return float(sum(one.user + one.system for one in times))

    def held_mb(self) -> float:
        """Return what the server and its helper hold [MB]."""
        return float(sum(one.memory_info().rss for one in self._processes())) / 1e6

    def _processes(self) -> list[psutil.Process]:
        server = psutil.Process(self.server.pid)
        return [server, *server.children(recursive=True)]


@contextmanager
def served() -> Iterator[Served]:
    """Serve the dashboard as `andesim dashboard` does."""
    found = Served()
    try:
        yield found
    finally:
        found.stop()


class Visit(NamedTuple):
    """Seconds from opening a page: to the first answer, to cards and controls, to three charts."""

    numbers_s: float
    cards_s: float
    charts_s: float


def first_visit(browser: Any, address: str) -> Visit:
    """Open a page in a new profile, without anything cached."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page: Page = context.new_page()
    page.add_init_script(f"({WATCH_FIRST})({[FIRST, VALUE, DRAWN]!r})")
    page.goto(address, wait_until="commit")
    page.wait_for_function("window.seen && window.seen.charts", timeout=60_000)
    seen = page.evaluate("window.seen")
    context.close()
    return Visit(*(seen[name] / 1e3 for name in ("numbers", "cards", "charts")))


class Moves(NamedTuple):
    """Seconds of each move of a slider, of a bare interpreter before each, of the server's CPU."""

    waits_s: list[float]
    bare_s: list[float]
    cpu_s: float


def moves(
    browser: Any, here: Served, count: int, tokens: int, *, rests: bool, ranges: bool = False
) -> Moves:
    """Measure moves of a slider, each to a number that was not computed before.

    Parameters
    ----------
    tokens
        Of the prompt, so that no two calls ask the same.
    rests
        Whether all is drawn before the next move; else each follows the number before it at once,
        as dragging does.
    ranges
        Whether to wait for the ranges on all cards.
    """
    page: Page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"{here.address}/?body=by+bits&prompt_tokens={tokens}")
    page.locator(DRAWN).nth(2).wait_for()
    page.get_by_role("slider", name="Body bits per weight").focus()
    page.wait_for_function(CALM, timeout=60_000)
    page.wait_for_timeout(1000)
    waits, bare, before_s = [], [], here.cpu_s()
    for _ in range(count):
        if rests:
            page.wait_for_function(CALM, timeout=60_000)
            page.wait_for_timeout(500)
            bare.append(bare_s())
        asked = f"({{ done: ({WATCH_CHANGE})([{VALUE!r}, {str(ranges).lower()}]) }})"
        waiting = page.evaluate_handle(asked)
        page.keyboard.press("ArrowRight")
        waits.append(waiting.evaluate("(held) => held.done"))
    page.close()
    return Moves(waits, bare or [bare_s() for _ in range(5)], (here.cpu_s() - before_s) / count)


class Holds(NamedTuple):
    """What the server and its helper hold, and what the scripts of a page hold [MB]."""

    server_mb: float
    page_mb: float


def _page_mb(page: Page) -> float:
    """Return what the scripts of a page hold once what nobody needs was collected [MB]."""
    tools = page.context.new_cdp_session(page)
    tools.send("HeapProfiler.collectGarbage")
    tools.send("Performance.enable")
    metrics = tools.send("Performance.getMetrics")["metrics"]
    tools.detach()
    held: float = next(item["value"] for item in metrics if item["name"] == "JSHeapUsedSize")
    return held / 1e6


def growth(browser: Any, here: Served) -> tuple[Holds, Holds]:
    """Return what is held after the first and after all moves of two viewers."""
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
        held.append(Holds(here.held_mb(), _page_mb(pages[0])))
    for page in pages:
        page.close()
    return held[0], held[1]


def bare_s() -> float:
    """Return the seconds of an interpreter that loads numpy and ends [s]."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import numpy"], check=True)
    return time.perf_counter() - began


class Panned(NamedTuple):
    """A timeline that was moved: its slices, and the script seconds of each frame [s]."""

    slices: int
    script_s: list[float]


def frames(browser: Any, address: str) -> Panned:
    """Move the timeline of a long reply by keys and return what its frames took."""
    page: Page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"{address}/timeline?images=0&output_tokens=512")
    canvas = page.locator("canvas[data-view]")
    canvas.wait_for(timeout=120_000)
    canvas.focus()
    for key in "wwwwdddddaaaaasssswwdddaaasss":
        page.keyboard.press(key)
        page.wait_for_timeout(50)
    slices = int(canvas.get_attribute("data-slices") or 0)
    taken = canvas.get_attribute("data-frames-ms") or ""
    page.close()
    return Panned(slices, [float(ms) / 1e3 for ms in taken.split(",")])


class Row(NamedTuple):
    """A line of the table: what, its samples [s], bare interpreters beside them [s], its aim."""

    what: str
    samples_s: list[float]
    bare_s: list[float]
    aim: float | None = None

    def cells(self) -> tuple[str, ...]:
        """Return the line as text."""
        middle, bare = statistics.median(self.samples_s), statistics.median(self.bare_s)
        seconds = (min(self.samples_s), middle, max(self.samples_s), bare)
        aim = "" if self.aim is None else f"<= {self.aim:g}"
        return self.what, *(f"{x:.3f}" for x in seconds), f"{middle / bare:.1f}", aim


def measured(browser: Any, quick: bool) -> Iterator[Row]:
    """Yield the figures one after the other."""
    yield from _first_pages(browser, 2 if quick else SERVERS)
    with served() as here:
        bare = [bare_s() for _ in range(3)]
        again = [first_visit(browser, here.address) for _ in range(2 if quick else VISITS)][1:]
        yield Row("later visit: numbers", [visit.numbers_s for visit in again], bare)
        yield Row("  cards and controls", [visit.cards_s for visit in again], bare)
        count = 5 if quick else MOVES
        rested = moves(browser, here, count, 71, rests=True)
        yield Row("slider to a new number", rested.waits_s, rested.bare_s, NUMBER)
        yield Row("  CPU of the server for it", [rested.cpu_s], rested.bare_s)
        dragged = moves(browser, here, count, 72, rests=False)
        yield Row("  dragged without rest", dragged.waits_s, dragged.bare_s, NUMBER)
        yield Row("  CPU of the server for it", [dragged.cpu_s], dragged.bare_s)
        ranged = moves(browser, here, count, 73, rests=True, ranges=True)
        yield Row("slider to ranges on all cards", ranged.waits_s, ranged.bare_s, BANDS)
        panned = frames(browser, here.address)
        yield Row(f"a frame of {panned.slices:,} slices, script", panned.script_s, bare)


def _first_pages(browser: Any, servers: int) -> Iterator[Row]:
    starts, cpu, bare, visits = [], [], [], []
    for _ in range(servers):
        bare.append(bare_s())
        with served() as here:
            begun_s = here.cpu_s()
            visits.append(first_visit(browser, here.address))
            starts.append(here.start_s)
            cpu.append(here.cpu_s() - begun_s)
    numbers, cards, charts = (list(column) for column in zip(*visits, strict=True))
    yield Row("command to a server that answers", starts, bare)
    yield Row("first page: opened to its numbers", numbers, bare)
    yield Row("  cards and controls", cards, bare)
    yield Row("  three charts", charts, bare)
    yield Row("  CPU of the server for it", cpu, bare)
    for what, seen, aim in (
        ("first numbers", numbers, FIRST_PAGE),
        ("cards and controls", cards, None),
    ):
        whole = [start + opened for start, opened in zip(starts, seen, strict=True)]
        yield Row(f"command to {what}", whole, bare, aim)


def main() -> None:
    """Print the table."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        raise SystemExit("Chromium is needed: apt-get install chromium")
    table = Table(title="andesim dashboard [s]", title_justify="left", box=None)
    for name in ("what", "least", "median", "most", "bare", "median / bare", "aim"):
        table.add_column(name)
    bare_s()  # the first one reads files
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        for row in measured(browser, "--quick" in sys.argv):
            table.add_row(*row.cells())
        with served() as here:
            before, after = growth(browser, here)
        browser.close()
    Console(width=110).print(table)
    moved = WARM_MOVES + MORE_MOVES
    for where, one, other in zip(("server", "page"), before, after, strict=True):
        print(
            f"Two viewers, {where}: {one:.0f} MB after {WARM_MOVES} moves, {other:.0f} MB after "
            f"{moved}."
        )


if __name__ == "__main__":
    main()
