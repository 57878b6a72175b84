"""Serve the dashboard on this machine only: `python -P -m dashboard PORT`.

What a first page needs is imported and computed while the server starts and the browser loads, so
that the first visitor does not wait for it. Nothing is fetched from elsewhere and nothing is sent
anywhere.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from threading import Thread

from dashboard.choices import Choices
from dashboard.elsewhere import elsewhere
from dashboard.runs import decode_terms, draws, run

UPLOAD_MEGABYTES = 64
"""Largest file the Validate page takes; importers read no more than that."""


def flags(port: int) -> list[str]:
    """Return Streamlit's options: localhost, no telemetry, no file watcher, no traces on screen."""
    options = {
        "server.address": "localhost",
        "server.port": port,
        "server.headless": "true",
        "server.enableCORS": "true",
        "server.enableXsrfProtection": "true",
        "server.fileWatcherType": "none",
        "server.maxUploadSize": UPLOAD_MEGABYTES,
        "browser.gatherUsageStats": "false",
        "runner.magicEnabled": "false",  # a text standing alone in a page is no output
        "runner.postScriptGC": "false",  # a whole collection after each move; Python's own suffice
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        "global.disableWidgetStateDuplicationWarning": "true",
        "theme.light.primaryColor": "#0072B2",
        "theme.light.textColor": "#0B0B10",  # captions fade it; this keeps them above 4.5 to 1
        "theme.dark.primaryColor": "#56B4E9",
        "theme.dark.backgroundColor": "#14171D",
        "theme.dark.secondaryBackgroundColor": "#1C2028",
        "theme.dark.textColor": "#F4F6F8",
        "theme.baseFontSize": 15,
        "theme.headingFontSizes": "1.05rem",
        "theme.paddingTop": "1.2rem",
        "theme.sidebar.paddingTop": "1rem",
    }
    return [f"--{name}={value}" for name, value in options.items()]


def warm() -> None:
    """Import what pages draw with, and run the default scenario."""
    import pandas  # noqa: F401
    import plotly.graph_objects  # noqa: F401

    run(Choices()).summary()
    decode_terms(Choices())
    draws(Choices())
    gc.freeze()  # what is loaded stays, so that no collection need look at it
    elsewhere(draws, Choices())


def main() -> None:
    """Serve until stopped."""
    from streamlit.web.cli import main as streamlit

    if len(sys.argv) != 2 or not sys.argv[1].isdecimal():
        sys.exit("usage: python -P -m dashboard PORT")
    Thread(target=warm, daemon=True).start()
    page = Path(__file__).with_name("app.py")
    sys.argv = ["streamlit", "run", str(page), *flags(int(sys.argv[1]))]
    streamlit()


if __name__ == "__main__":
    main()
