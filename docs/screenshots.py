"""The pictures of the dashboard in `docs/images`, made anew by one command.

    python docs/screenshots.py [NAME ...]

Serves the dashboard as `andesim dashboard` does and looks at it with Chromium. A picture is taken
once the page rests and its work in the background is done.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, Final, NamedTuple

from playwright.sync_api import sync_playwright

from sim.cli.dashboarding import command, wait_until_healthy

IMAGES: Final = Path(__file__).parent / "images"
FLAGS: Final = ("--no-sandbox", "--disable-gpu", "--hide-scrollbars")
PATIENCE_MS: Final = 300_000
A_AND_B: Final = (
    "body=by+bits&body_bits=2&speculation=eagle&baseline=body_bits%3D4.0%26speculation%3Dnone"
)
RESTED: Final = """() => {
  const app = document.querySelector("[data-testid=stApp]");
  const busy = !app || app.dataset.testScriptState !== "notRunning"
    || document.querySelector("[data-testid=stSkeleton], [data-testid=stProgress]")
    || !document.querySelector("[data-testid=stMainBlockContainer] h1")
    || document.body.innerText.includes("80 % range: computing");
  if (busy || window.restedSince === undefined) window.restedSince = performance.now();
  return performance.now() - window.restedSince > 2000;
}"""


class Shot(NamedTuple):
    """A picture: its name, the address, the size of the window and the theme."""

    name: str
    path: str
    width_px: int = 1440
    height_px: int = 1000
    scheme: str = "light"
    after_ms: int = 0


SHOTS: Final = (
    Shot("dashboard_explore_1440", "/?solve_for=prompt", height_px=1250),
    Shot("dashboard_explore_390", "/", 390, 844),
    Shot("dashboard_explore_dark", "/?fan_axis=ambient", height_px=1900, scheme="dark"),
    Shot("dashboard_feel_1440", f"/feel?{A_AND_B}", height_px=820, after_ms=4500),
    Shot("dashboard_timeline_1440", f"/timeline?{A_AND_B}", height_px=1500),
    Shot("dashboard_bytes_1440", "/bytes", height_px=1100),
    Shot("dashboard_tradeoffs_1440", "/tradeoffs?most_first_token_s=3", height_px=1500),
    Shot("dashboard_phones_1440", "/phones", height_px=1700),
    Shot("dashboard_sustained_1440", "/sustained?ambient_c=35", height_px=1000),
    Shot("dashboard_sustained_390", "/sustained?ambient_c=35", 390, 844),
    Shot("dashboard_evidence_1440", "/evidence?device=dimensity_9400", height_px=1600),
    Shot("dashboard_validate_1440", "/validate?exhibit=dimensity%2Fvalidation", height_px=1400),
)


def main(names: list[str]) -> None:
    """Take the pictures of some names, or all of them."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        raise SystemExit("Chromium is needed: apt-get install chromium")
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(command(port))
    try:
        if not wait_until_healthy(server, port):
            raise SystemExit("The dashboard did not start.")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
            for shot in SHOTS:
                if not names or shot.name in names:
                    take(browser, f"http://localhost:{port}", shot)
            browser.close()
    finally:
        server.terminate()


def take(browser: Any, address: str, shot: Shot) -> None:
    """Open a page, wait until it rests, and write its picture."""
    context = browser.new_context(
        viewport={"width": shot.width_px, "height": shot.height_px}, color_scheme=shot.scheme
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address + shot.path)
    page.wait_for_function(RESTED)
    page.wait_for_timeout(shot.after_ms)
    page.screenshot(path=str(IMAGES / f"{shot.name}.png"), timeout=PATIENCE_MS)
    print(shot.name, flush=True)
    context.close()


if __name__ == "__main__":
    main(sys.argv[1:])
