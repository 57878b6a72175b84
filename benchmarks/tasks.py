"""Walk the seven tasks of a deployment engineer through the dashboard, with a stopwatch.

    python -m benchmarks.tasks [--width PX ...] [--dark] [--pictures FOLDER]

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
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from playwright.sync_api import Error, sync_playwright
from rich.console import Console
from rich.table import Table

from benchmarks.dashboard import FLAGS, Served
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


class Walk:
    """A page and what was done on it."""

    def __init__(self, page: Any, address: str, narrow: bool) -> None:
        self.page, self.address, self.narrow = page, address, narrow
        self.touches = 0

    def open(self, path: str) -> None:
        """Go to a page; a link or the address bar counts as one touch."""
        self.touches += 1
        self.page.goto(self.address + path)
        self.rest()

    def rest(self) -> None:
        """Wait until the page has run and is drawn."""
        rested(self.page)

    def sidebar(self) -> None:
        """Open the sidebar where a narrow screen hides it."""
        if self.narrow and not self.page.get_by_test_id("stSidebar").is_visible():
            self.touch(self.page.get_by_test_id("stExpandSidebarButton"))

    def touch(self, target: Any) -> None:
        """Click."""
        self.touches += 1
        target.click()
        self.rest()

    def number(self, label: str, value: str) -> None:
        """Type into a number box of the sidebar."""
        self.sidebar()
        self.touches += 1
        field = self.page.get_by_label(label, exact=True)
        field.fill(value)
        field.press("Enter")
        self.rest()

    def button(self, name: str, exact: bool = False) -> None:
        """Click a button."""
        self.touch(self.page.get_by_role("button", name=name, exact=exact).first)

    def drop(self, *files: Any) -> None:
        """Drop files."""
        self.touches += 1
        self.page.locator("input[type=file]").first.set_input_files(list(files))
        self.rest()

    def said(self, pattern: str = "", longest_s: float = 120.0) -> str:
        """Return the first box that says something of a pattern."""
        box = self.page.get_by_test_id("stAlert").filter(has_text=re.compile(pattern)).first
        box.wait_for(timeout=longest_s * 1e3)
        return " ".join(str(box.inner_text()).split())


def format_and_keep(walk: Walk) -> str:
    """T1: weight format and cache share for the 4B: 1.5 s, 40 tokens/s."""
    walk.open("/tradeoffs?most_first_token_s=1.5&least_tokens_per_s=40")
    return walk.said("that meet every target|surely meets")


def llama_bench(walk: Walk) -> str:
    """T2: how far off was my llama-bench run?"""
    walk.open("/validate")
    walk.drop(str(IMPORTS / "llama_bench.json"))
    return walk.said("are simulated within")


def report(walk: Walk) -> str:
    """T3: a report for the boss."""
    walk.open("/report")
    walk.button("Write the report")
    walk.page.get_by_role("button", name="PDF").wait_for(timeout=180_000)
    return "a report with PDF, HTML, Markdown and JSON"


def a_against_b(walk: Walk) -> str:
    """T4: A against B, operator by operator."""
    walk.open("/timeline")
    walk.sidebar()
    walk.button("Pin baseline")
    walk.open("/timeline?body=by+bits&body_bits=2&baseline=body_bits%3D4.0")
    line = walk.page.get_by_text(re.compile("ms in A")).first
    line.wait_for()
    return str(line.inner_text())


def largest_context(walk: Walk) -> str:
    """T5: the largest prompt in 4 GiB with an int8 cache."""
    walk.open("/?app_budget_gib=4&solve_for=prompt")
    walk.touch(walk.page.get_by_text("Memory alone, not the targets"))
    line = walk.page.get_by_text("Largest prompt:").first
    line.wait_for()
    return " ".join(str(line.inner_text()).split())


def ten_minutes(walk: Walk) -> str:
    """T6: ten minutes at 40 °C."""
    walk.open("/sustained?ambient_c=40")
    return walk.said()


def own_phone_and_model(walk: Walk) -> str:
    """T7: my device file and my config.json."""
    walk.open("/own")
    for name, text in (("mine.yaml", DEVICE), ("config.json", json.dumps(CONFIG))):
        walk.drop({"name": name, "mimeType": "text/plain", "buffer": text.encode()})
        walk.touch(walk.page.get_by_role("button", name="Use it", exact=True).last)
    walk.rest()
    walk.page.get_by_test_id("stDataFrame").first.wait_for()
    if walk.narrow:
        walk.button("Pages")
    listed = walk.page.get_by_test_id("stPopoverBody") if walk.narrow else walk.page
    walk.touch(listed.get_by_role("link", name="Explore").first)
    return walk.said()


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


def walked(browser: Any, served: Served, width_px: int, scheme: str, folder: Path | None) -> Any:
    """Yield each task, walked in a browser profile of its own."""
    for name, task in TASKS.items():
        context = browser.new_context(
            viewport={"width": width_px, "height": 900 if width_px > 800 else 844},
            color_scheme=scheme,
        )
        page = context.new_page()
        page.set_default_timeout(60_000)
        walk = Walk(page, served.address, width_px < 800)
        begun_s = time.perf_counter()
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
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--pictures", type=Path)
    asked = parser.parse_args(arguments)
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        raise SystemExit("Chromium is needed: apt-get install chromium")
    if asked.pictures:
        asked.pictures.mkdir(parents=True, exist_ok=True)
    scheme = "dark" if asked.dark else "light"
    for width_px in asked.width:
        table = Table("task", "touches", "seconds", "answer", title=f"{width_px} px, {scheme}")
        served = Served()
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
                for one in walked(browser, served, width_px, scheme, asked.pictures):
                    table.add_row(one.task, str(one.touches), f"{one.seconds:.1f}", one.answer)
                    print(*one, flush=True)
                browser.close()
        finally:
            served.stop()
        Console(width=140).print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
