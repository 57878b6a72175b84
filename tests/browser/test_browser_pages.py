"""Every page in a real browser: it draws, fits its width, says nothing wrong, and reads aloud."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.choices import Choices
from dashboard.runs import decode_terms, run
from dashboard.screens import residency
from sim.charts.data import decode_chart, first_token_chart
from tests.browser.conftest import rested

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api").expect

WALKED = ("Feel it", "Timeline", "Bytes", "Sustained", "Validate", "Network", "Runs",
          "Bring your own", "Report", "Assumptions")  # fmt: skip
"""Pages that are opened one after the other; those that simulate many runs are not."""
READ_ALOUD = ("Feel it", "Timeline", "Validate")
"""Pages that axe looks at, beside Explore: one of each kind."""
SERIOUS = ("serious", "critical")
TITLE = "[data-testid=stMainBlockContainer] h1"


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


def test_every_page_fits_a_desk_and_a_phone_and_has_no_serious_barrier(opened):
    page = opened("/?model=smollm2-135m&images=0")
    rested(page)
    assert barriers(page) == []
    for name in WALKED:
        page.get_by_role("link", name=name).first.click()
        expect(page.locator(TITLE)).to_contain_text(name)
        rested(page)
        assert page.get_by_test_id("stException").count() == 0
        assert overflow_px(page) <= 0, name
        if name in READ_ALOUD:
            assert barriers(page) == [], name
        page.set_viewport_size({"width": 390, "height": 844})
        page.wait_for_timeout(150)
        assert overflow_px(page) <= 0, name
        page.set_viewport_size({"width": 1440, "height": 900})


def test_charts_say_their_takeaway_and_follow_the_dark_theme(opened):
    page = opened("/", scheme="dark")
    page.get_by_test_id("stPlotlyChart").nth(2).wait_for()
    result = run(Choices())
    summary = result.summary()
    for drawn in (
        first_token_chart(summary.as_dict(), Choices().most_first_token_s),
        decode_chart(decode_terms(Choices()), summary.output_tokens - 1),
        residency(result),
    ):
        assert drawn is not None
        page.get_by_label(drawn.alt).wait_for(state="attached")
    ink = page.locator(".ytick text").first.evaluate("(one) => getComputedStyle(one).fill")
    paper = page.get_by_test_id("stApp").evaluate("(one) => getComputedStyle(one).backgroundColor")
    light, dark = (sum(map(int, text[4:-1].split(",")[:3])) for text in (ink, paper))
    assert light > 500 > 200 > dark


def test_a_phone_shows_the_name_of_the_page_and_a_list_of_pages(opened):
    page = opened("/?model=smollm2-135m&images=0", width_px=390)
    expect(page.locator(TITLE)).to_contain_text("Explore")
    page.get_by_role("button", name="Pages").click()
    page.get_by_test_id("stPopoverBody").get_by_role("link", name="Sustained").click()
    expect(page.locator(TITLE)).to_contain_text("Sustained")
    expect(page.get_by_test_id("stPopoverBody")).to_have_count(0)


def test_a_phone_s_run_of_four_axes_begins_with_the_click_that_leaves_the_list(opened):
    page = opened("/tradeoffs?model=smollm2-135m&images=0", width_px=390)
    button = page.locator(".st-key-run_sweep button", has_text="scenarios").last
    expect(button).to_be_visible()
    rested(page)
    page.get_by_role("combobox", name="What to vary").click()
    for axis in ("prompt", "context"):
        page.get_by_role("option", name=axis, exact=True).click()
        rested(page)
    before = button.bounding_box()
    stale = page.get_by_text("Of the sweep before; press Run")
    expect(stale).to_be_visible()
    page.mouse.click(before["x"] + 30, before["y"] + before["height"] / 2)
    expect(stale).to_have_count(0)
    assert button.bounding_box()["y"] == pytest.approx(before["y"], abs=1.0)
