"""Walk the seven tasks of a deployment engineer through the dashboard, with a stopwatch.

    python -m benchmarks.tasks [--width PX ...] [--scheme light dark] [--pictures FOLDER]

A real Chromium does by script what a person does by hand: each click, key and file is counted, and
the seconds run from the first touch to the answer on screen. The time a person reads is not in it.
The answers are printed as the page says them.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from playwright.sync_api import Error, sync_playwright
from rich.console import Console
from rich.table import Table

from benchmarks.dashboard import FLAGS, served
from tests.browser.conftest import rested

IMPORTS = Path(__file__).parents[1] / "tests" / "fixtures" / "imports"
DEVICE = """extends: dimensity_9500
id: mine
name: My phone
dram:
  rate: {value: 9.6 GT/s, kind: assumed, source: assumption, low: 9 GT/s, high: 10 GT/s}
"""
CONFIG = {
    **{"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": 896},
    **{"intermediate_size": 4864, "num_hidden_layers": 24, "num_attention_heads": 14},
    **{"num_key_value_heads": 2, "vocab_size": 151936, "tie_word_embeddings": True},
}


SCROLLED_MS = 300
"""Until a scrolled sidebar rests."""


class Walk:
    """A page and what was done on it."""

    def __init__(self, page: Any, address: str, narrow: bool) -> None:
        self.page, self.address, self.narrow = page, address, narrow
        self.touches = 0
        page.goto(address)
        rested(page)

    def rest(self) -> None:
        """Wait until the page has run and is drawn."""
        rested(self.page)

    def touch(self, target: Any) -> None:
        """Click."""
        self.touches += 1
        target.click()
        self.rest()

    def press(self, target: Any) -> None:
        """Click where something stands, though an open list takes the click first."""
        target.wait_for()
        box = target.bounding_box() or {}
        self.touches += 1
        self.page.mouse.click(box["x"] + 30, box["y"] + box["height"] / 2)
        self.rest()

    def go(self, name: str) -> None:
        """Go to a page by the bar, or by the list of pages where a narrow screen has no bar."""
        if self.narrow:
            self.sidebar(is_open=False)
            self.touch(self.page.get_by_role("button", name="Pages"))
        listed = self.page.get_by_test_id("stPopoverBody") if self.narrow else self.page
        self.touch(listed.get_by_role("link", name=name).first)

    def sidebar(self, is_open: bool = True) -> None:
        """Open or close the sidebar where it covers a narrow screen."""
        if self.narrow and is_open != self.page.get_by_test_id("stSidebar").is_visible():
            self.touches += 1
            if is_open:
                self.page.get_by_test_id("stExpandSidebarButton").click()
            else:
                self.page.get_by_test_id("stSidebarHeader").get_by_role("button").click()
            self.rest()

    def number(self, label: str, value: str) -> None:
        """Type into a number box of the sidebar."""
        self.sidebar()
        self.touches += 1
        field = self.page.get_by_role("spinbutton", name=label, exact=True)
        field.fill(value)
        field.press("Enter")
        self.rest()

    def choose(self, label: str, option: str) -> None:
        """Choose an option of a list of the sidebar."""
        self.sidebar()
        self.pick(self.page.get_by_test_id("stSidebar").get_by_role("combobox", name=label), option)

    def pick(self, listed: Any, option: str) -> None:
        """Scroll to a list, which scrolling would close, open it, and choose an option."""
        listed.scroll_into_view_if_needed()
        self.page.wait_for_timeout(SCROLLED_MS)
        self.touches += 1
        listed.click()
        self.touch(self.page.get_by_role("option", name=option, exact=True))

    def unfold(self, group: str) -> None:
        """Unfold a group of the sidebar."""
        self.sidebar()
        self.touch(self.page.get_by_test_id("stSidebar").get_by_text(group, exact=True))

    def button(self, name: str, exact: bool = False) -> None:
        """Click a button."""
        self.touch(self.page.get_by_role("button", name=name, exact=exact).first)

    def drop(self, *files: Any) -> None:
        """Drop files."""
        self.touches += 1
        self.page.locator("input[type=file]").first.set_input_files(list(files))
        self.rest()

    def said(self, pattern: str = "", longest_s: float = 120.0) -> str:
        """Return the first box of the page that says something of a pattern."""
        self.sidebar(is_open=False)
        boxes = self.page.get_by_test_id("stMain").get_by_test_id("stAlert")
        box = boxes.filter(has_text=re.compile(pattern)).first
        box.wait_for(timeout=longest_s * 1e3)
        box.scroll_into_view_if_needed()
        return " ".join(str(box.get_by_test_id("stMarkdownContainer").first.inner_text()).split())

    def line(self, pattern: str) -> str:
        """Return the first line of the page of a pattern."""
        self.sidebar(is_open=False)
        line = self.page.get_by_test_id("stMain").get_by_text(re.compile(pattern)).first
        line.wait_for()
        line.scroll_into_view_if_needed()
        return " ".join(str(line.inner_text()).split())


def format_and_keep(walk: Walk) -> str:
    """T1: weight format and cache share for the 4B: 1.5 s to the first token, 40 tokens/s."""
    walk.number("First token within [s]", "1.5")
    walk.number("Tokens/s at least", "40")
    walk.go("Trade-offs")
    varied = walk.page.get_by_test_id("stMultiSelect").filter(has_text="What to vary")
    walk.touch(varied.get_by_role("button", name="Clear all"))
    walk.touch(varied.get_by_role("combobox"))
    for axis in ("bits", "keep", "image", "draft"):
        walk.touch(walk.page.get_by_role("option", name=axis, exact=True))
    walk.press(walk.page.locator("button:visible", has_text="Run 32 scenarios").first)
    return walk.said("of 32 configurations surely|of \\d+ that meet every target")


def llama_bench(walk: Walk) -> str:
    """T2: how far off was my llama-bench run?"""
    walk.go("Validate")
    walk.drop(str(IMPORTS / "llama_bench.json"))
    return walk.said("are simulated within")


def report(walk: Walk) -> str:
    """T3: a report for the boss: two images, three adapters, 34 °C, during a video call."""
    walk.number("Images", "2")
    walk.unfold("Speculation and adapters")
    walk.number("LoRA adapters", "3")
    walk.unfold("Environment and device")
    walk.number("Ambient [°C]", "34")
    walk.choose("Background", "video_call")
    walk.go("Report")
    walk.button("Write the report")
    pdf = walk.page.get_by_role("button", name="PDF")
    pdf.wait_for(timeout=180_000)
    walk.touches += 1
    with walk.page.expect_download() as told:
        pdf.click()
    size_kb = Path(told.value.path()).stat().st_size / 1e3
    return f"{told.value.suggested_filename}, {size_kb:.0f} kB: {walk.said('FAIL|PASS|MARG|THR')}"


def a_against_b(walk: Walk) -> str:
    """T4: A, 4 bits, against B, 1.8 bits with EAGLE, operator by operator, and its link."""
    walk.sidebar()
    walk.button("Pin baseline")
    walk.choose("Body", "by bits")
    walk.number("Body bits per weight", "1.8")
    walk.unfold("Speculation and adapters")
    walk.choose("Speculation", "eagle")
    walk.go("Timeline")
    said = walk.line("ms in A")
    walk.sidebar()
    walk.button("Copy link")
    link = walk.page.get_by_test_id("stCode").first.inner_text()
    walk.page.keyboard.press("Escape")
    walk.line("ms in A")
    return f"{said} A link of {len(link)} characters, with the baseline."


def largest_context(walk: Walk) -> str:
    """T5: the largest prompt in 4 GiB with an int8 cache."""
    walk.number("App budget [GiB], 0 = device's", "4")
    walk.choose("KV cache format", "int8")
    walk.sidebar(is_open=False)
    walk.touch(walk.page.locator(".st-key-solve_for").get_by_text("prompt", exact=True))
    walk.touch(walk.page.get_by_text("Memory alone, not the targets"))
    return walk.line("Largest prompt:")


def ten_minutes(walk: Walk) -> str:
    """T6: ten minutes at 40 °C."""
    walk.go("Sustained")
    walk.unfold("Environment and device")
    walk.number("Ambient [°C]", "40")
    return walk.said("tokens/s")


def own_phone_and_model(walk: Walk) -> str:
    """T7: my device file and my config.json."""
    walk.go("Bring your own")
    for name, text in (("mine.yaml", DEVICE), ("config.json", json.dumps(CONFIG))):
        walk.drop({"name": name, "mimeType": "text/plain", "buffer": text.encode()})
        walk.touch(walk.page.get_by_role("button", name="Use it", exact=True).last)
    walk.page.get_by_test_id("stDataFrame").first.wait_for()
    walk.go("Explore")
    return walk.said("FAIL|PASS|MARGINAL|THROTTLES")


TASKS: dict[str, Callable[[Walk], str]] = {
    "T1 format and keep": format_and_keep,
    "T2 llama-bench": llama_bench,
    "T3 report": report,
    "T4 A against B": a_against_b,
    "T5 largest context": largest_context,
    "T6 ten minutes, 40 °C": ten_minutes,
    "T7 own phone and model": own_phone_and_model,
}


class Walked(NamedTuple):
    """One task: touches, seconds, the answer."""

    task: str
    touches: int
    seconds: float
    answer: str


def walked(
    browser: Any, address: str, width_px: int, scheme: str, folder: Path | None = None
) -> Iterator[Walked]:
    """Yield each task, walked in a browser profile of its own."""
    for name, task in TASKS.items():
        context = browser.new_context(
            viewport={"width": width_px, "height": 900 if width_px > 800 else 844},
            color_scheme=scheme,
        )
        page = context.new_page()
        page.set_default_timeout(60_000)
        begun_s = time.perf_counter()
        walk = Walk(page, address, width_px < 800)
        try:
            answer = task(walk)
        except Error as error:
            answer = f"STOPPED: {str(error).splitlines()[0]}"
        yield Walked(name, walk.touches, time.perf_counter() - begun_s, answer)
        if folder is not None:
            page.screenshot(path=str(folder / f"{name[:2]}_{width_px}_{scheme}.png"))
        context.close()


def main(arguments: list[str]) -> None:
    """Walk the tasks at each width and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tasks")
    parser.add_argument("--width", type=int, nargs="*", default=[1440])
    parser.add_argument("--scheme", nargs="*", choices=("light", "dark"), default=["light"])
    parser.add_argument("--pictures", type=Path)
    asked = parser.parse_args(arguments)
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        raise SystemExit("Chromium is needed: apt-get install chromium")
    if asked.pictures:
        asked.pictures.mkdir(parents=True, exist_ok=True)
    with served() as here, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        for width_px, scheme in product(asked.width, asked.scheme):
            title = f"{width_px} px, {scheme}"
            table = Table("task", "touches", "seconds", "answer", title=title)
            for one in walked(browser, here.address, width_px, scheme, asked.pictures):
                table.add_row(one.task, str(one.touches), f"{one.seconds:.1f}", one.answer)
                print(title, *one, flush=True)
            Console(width=140).print(table)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
