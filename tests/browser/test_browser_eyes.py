"""Every page for all eyes: axe in both themes, and colours that are named."""

from __future__ import annotations

import pytest

from dashboard.pages import PAGES
from tests.browser.conftest import rested
from tests.browser.test_browser_pages import barriers, overflow_px

pytestmark = [pytest.mark.browser, pytest.mark.long]
SMALL = "model=smollm2-135m&images=0&output_tokens=9"


def address(name: str) -> str:
    return f"/{'' if name == 'explore' else name}?{SMALL}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_serious_on_any_page_in_either_theme(opened, name, scheme):
    page = opened(address(name), scheme=scheme)
    if name == "phones":
        page.get_by_test_id("stImage").first.wait_for()
    rested(page)
    assert barriers(page) == []
    assert overflow_px(page) <= 0


def test_the_timeline_names_the_colours_of_its_lanes(opened):
    page = opened(f"/timeline?{SMALL}")
    rested(page)
    key = page.locator(".key")
    for name in ("prefill", "decode", "bound by dram", "bound by compute", "bound by launch"):
        assert key.get_by_text(name, exact=True).count() == 1
    page.locator(".paint").select_option("name")
    assert key.get_by_text("bound by dram", exact=True).count() == 0
