"""The server: Streamlit's, with a first answer in the page while Streamlit's own script loads.

Streamlit writes what controls hold into the address without a trace in the browser's history. Our
lines make one entry of each change that settles, so that Back undoes it and Forward does it again.

Other processes and threads do what a first page needs while the server starts and the browser
loads. Nothing is fetched from elsewhere and nothing is sent anywhere.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import streamlit
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route
from streamlit.starlette import App

from dashboard.beginning import answer, load
from dashboard.elsewhere import elsewhere
from dashboard.pages import PAGES

HERE: Final = Path(__file__).parent
PARTS: Final = HERE / "components"
SHELL: Final = Path(streamlit.__file__).parent / "static" / "index.html"
FRESH: Final = {"Cache-Control": "no-cache"}
TURN_S: Final = 0.0005
"""How long a thread keeps the interpreter while another waits [s].

A page is sent in a hundred messages, after each of which the sender waits for the script's turn.
"""
UPLOAD_MEGABYTES: Final = 64
"""Largest file the Validate page takes; importers read no more than that."""


def options(port: int) -> dict[str, Any]:
    """Return Streamlit's options: localhost, no telemetry, no file watcher, no traces on screen."""
    return {
        "server.address": "localhost",
        "server.port": port,
        "server.headless": True,
        "server.enableCORS": True,
        "server.enableXsrfProtection": True,
        "server.fileWatcherType": "none",
        "server.maxUploadSize": UPLOAD_MEGABYTES,
        "browser.gatherUsageStats": False,
        "runner.magicEnabled": False,  # a text standing alone in a page is no output
        "runner.postScriptGC": False,  # a whole collection after each move; Python's own suffice
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        "global.disableWidgetStateDuplicationWarning": True,
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


def serve(port: int) -> None:
    """Serve until stopped."""
    sys.setswitchinterval(TURN_S)
    paths = ["/", *(f"/{name}" for name in PAGES)]
    routes = [*(Route(path, _page) for path in paths), Route("/first-answer", _answer)]
    App(HERE / "app.py", routes=routes, lifespan=_lifespan).run(config=options(port))


@asynccontextmanager
async def _lifespan(_: App) -> AsyncIterator[None]:
    """Load what a page needs once the server answers, while the browser loads its own part."""
    load(_simulated)
    load(_drawing)
    yield


def _simulated() -> None:
    """Run the default scenario; another process has made the first answer of it meanwhile."""
    from dashboard.choices import Choices
    from dashboard.runs import run

    run(Choices()).summary()


def _drawing() -> None:
    """Import what pages draw with."""
    import plotly.graph_objects  # noqa: F401

    from dashboard import screens, sidebar  # noqa: F401

    gc.freeze()  # what is loaded stays, so that no collection need look at it


def page() -> str:
    """Return Streamlit's page with ours in its head: the first answer, and a history of changes."""
    css, first, changes = (
        (PARTS / name).read_text(encoding="utf-8")
        for name in ("opening.css", "opening.js", "history.js")
    )
    ours = f"<style>{css}</style>\n<script>{first}\n{changes}</script>\n</head>"
    return SHELL.read_text(encoding="utf-8").replace("</head>", ours, 1)


async def _page(_: Request) -> HTMLResponse:
    return HTMLResponse(page(), headers=FRESH)


async def _answer(request: Request) -> HTMLResponse:
    found = await asyncio.to_thread(elsewhere, answer, request.url.query)
    return HTMLResponse(found, headers=FRESH)
