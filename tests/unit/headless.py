"""The dashboard's pages run headless, for the tests of several files."""

from __future__ import annotations

import json
from pathlib import Path
from time import sleep
from typing import Any

from streamlit.testing.v1 import AppTest

import dashboard

APP = Path(dashboard.__file__).with_name("app.py")


def opened(**query: str) -> AppTest:
    """Open the first page by a link of these entries."""
    app = AppTest.from_file(str(APP), default_timeout=60)
    for name, text in query.items():
        app.query_params[name] = text
    return app.run()


def page(name: str, **query: str) -> AppTest:
    """Open a page by a link of these entries."""
    return opened(**query).switch_page(f"app_pages/{name}.py").run()


def shown(app: AppTest) -> dict[str, str]:
    """Return the cards: value by label."""
    return {metric.label: metric.value for metric in app.metric}


def done(app: AppTest, job: str) -> None:
    """Run the page again once a job of it is done."""
    app.session_state[f"job_{job}"][1].wait(90.0)
    app.run()


def button_that_comes(app: AppTest, key: str) -> Any:
    """Run the page again until what is worked on in the background is there."""
    for _ in range(600):
        found = [button for button in app.button if button.key == key]
        if found:
            return found[0]
        sleep(0.1)
        app.run()
    raise AssertionError(f"no button {key}")


def figures(app: AppTest) -> list[dict[str, Any]]:
    """Return the charts of a page, as what draws them takes them."""
    return [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]
