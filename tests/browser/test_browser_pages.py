"""Every page in a real browser: it draws, fits its width, says nothing wrong, and reads aloud."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import dashboard
from dashboard.choices import Choices
from dashboard.runs import decode_terms, run
from dashboard.screens import residency
from sim.charts.data import decode_chart, first_token_chart

pytestmark = pytest.mark.browser

PAGES = sorted(path.stem for path in (Path(dashboard.__file__).parent / "app_pages").glob("*.py"))
SERIOUS = ("serious", "critical")


def settled(page: Any) -> None:
    """Wait until the script has run and what it draws is drawn."""
    page.get_by_test_id("stSidebar").wait_for(state="attached")
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    page.locator("[data-testid=stMainBlockContainer] :is([data-testid=stAlert], "
                 "[data-testid=stMarkdown])").first.wait_for()  # fmt: skip
    page.wait_for_timeout(600)


def overflow_px(page: Any) -> int:
    """Return by how much the page is wider than its window."""
    pixels: int = page.evaluate(
        "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return pixels


def barriers(page: Any) -> list[tuple[str, list[str]]]:
    """Return what keeps people from using the page, as axe sees it."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    return [
        (found["id"], [node["html"][:160] for node in found["nodes"]])
        for found in axe.run(page).response["violations"]
        if found["impact"] in SERIOUS
    ]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_a_desk_and_a_phone_and_has_no_serious_barrier(opened, name):
    page = opened("/" if name == "explore" else f"/{name}")
    settled(page)
    assert page.get_by_test_id("stException").count() == 0
    assert overflow_px(page) <= 0
    assert barriers(page) == []
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(500)
    assert overflow_px(page) <= 0


def test_every_chart_says_its_takeaway(opened):
    page = opened("/")
    charts = page.get_by_test_id("stPlotlyChart")
    charts.nth(2).wait_for()
    result = run(Choices())
    summary = result.summary()
    for drawn in (
        first_token_chart(summary.as_dict(), Choices().most_first_token_s),
        decode_chart(decode_terms(Choices()), summary.decode_steps),
        residency(result),
    ):
        assert drawn is not None
        page.get_by_label(drawn.alt).wait_for(state="attached")
