"""Take a picture of every page of the dashboard, whole, to be looked at.

    python -m benchmarks.looks FOLDER [--width PX ...] [--scheme light dark] [--sees DEFICIENCY ...]
                               [--query TEXT] [--page NAME ...]

Pages scroll inside their window, so each is opened at its width, left to rest, and then given a
window as high as what it holds. ``--sees`` takes it as people see it whose eyes lack a cone, by
Chromium's own emulation: ``deuteranopia``, ``protanopia``, ``tritanopia``, ``achromatopsia``.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from itertools import product
from pathlib import Path
from typing import Any

from playwright.sync_api import Error, sync_playwright

from benchmarks.dashboard import FLAGS, served
from dashboard.pages import PAGES
from tests.browser.conftest import rested

EYES = ("none", "deuteranopia", "protanopia", "tritanopia", "achromatopsia")
TALLEST_PX = 6_000
CONTENT_PX = "() => document.querySelector('[data-testid=stMain]').scrollHeight"
LATE_MS = 4_000
"""For what comes after a page has run: ranges, and charts that are drawn again for them."""


def look(browser: Any, address: str, width_px: int, scheme: str, sees: str) -> Any:
    """Return a page in a profile of its own, of a width and theme, seen with some eyes."""
    height_px = 900 if width_px > 800 else 844
    context = browser.new_context(
        viewport={"width": width_px, "height": height_px}, color_scheme=scheme
    )
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.goto(address)
    eyes = context.new_cdp_session(page)
    eyes.send("Emulation.setEmulatedVisionDeficiency", {"type": sees})
    rested(page)
    page.wait_for_timeout(LATE_MS)
    rested(page)
    return page


def take(page: Any, width_px: int, path: Path) -> None:
    """Write the picture of a whole page."""
    whole_px = min(TALLEST_PX, int(page.evaluate(CONTENT_PX)) + 60)
    page.set_viewport_size({"width": width_px, "height": max(844, whole_px)})
    page.wait_for_timeout(1_200)
    page.screenshot(path=str(path))


def main(arguments: list[str]) -> None:
    """Take the pictures that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.looks")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--width", type=int, nargs="*", default=[390, 1440, 1920])
    parser.add_argument("--scheme", nargs="*", choices=("light", "dark"), default=["light", "dark"])
    parser.add_argument("--sees", nargs="*", choices=EYES, default=["none"])
    parser.add_argument("--page", nargs="*", choices=tuple(PAGES), default=list(PAGES))
    parser.add_argument("--query", default="", help="of the address, e.g. ambient_c=40")
    asked = parser.parse_args(arguments)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("Chromium is needed: apt-get install chromium")
    asked.folder.mkdir(parents=True, exist_ok=True)
    with served() as here, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        for name, width, scheme, sees in product(asked.page, asked.width, asked.scheme, asked.sees):
            eyes = "" if sees == "none" else f"_{sees}"
            path = asked.folder / f"{name}_{width}_{scheme}{eyes}.png"
            address = f"{here.address}/{'' if name == 'explore' else name}?{asked.query}"
            try:
                page = look(browser, address, width, scheme, sees)
                take(page, width, path)
                print(path, flush=True)
            except Error as error:
                print(f"{path}: {str(error).splitlines()[0]}", flush=True)
            for context in browser.contexts:
                context.close()
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
