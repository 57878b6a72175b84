"""With the keyboard alone: what Tab reaches, in which order, and a setting that is changed."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from tests.browser.conftest import rested

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=120_000)

STOPS = 60
AT_FOCUS = """() => {
  const one = document.activeElement, box = one.getBoundingClientRect();
  const named = one.closest("[data-testid=stSelectbox], [data-testid=stNumberInput]");
  const label = one.getAttribute("aria-label") || one.labels?.[0]?.innerText || one.innerText
    || named?.innerText || one.placeholder || one.title || "";
  const side = one.closest("[data-testid=stSidebar]") ? "sidebar" : "page";
  return { side, label: label.trim().slice(0, 60), tag: one.tagName, y: box.top + window.scrollY
    + (one.closest("[data-testid=stSidebarContent]")?.scrollTop ?? 0) };
}"""


def walked(page: Any) -> list[dict[str, Any]]:
    """Return what Tab reaches, stop by stop."""
    found = []
    for _ in range(STOPS):
        page.keyboard.press("Tab")
        found.append(page.evaluate(AT_FOCUS))
    return found


def test_tab_reaches_named_controls_in_the_order_of_the_page(opened):
    page = opened("/?model=smollm2-135m&images=0")
    rested(page)
    stops = walked(page)
    nameless = [stop for stop in stops if not stop["label"] and stop["tag"] != "BODY"]
    assert nameless == []
    sidebar = [stop["y"] for stop in stops if stop["side"] == "sidebar"]
    assert len(sidebar) > 5
    back = [later - earlier for earlier, later in pairwise(sidebar)]
    assert min(back) > -60  # controls side by side differ by less than a row


@pytest.mark.long
def test_a_target_is_set_and_a_page_is_opened_with_keys_alone(opened):
    page = opened("/?model=smollm2-135m&images=0")
    rested(page)
    page.get_by_label("Tokens/s at least").focus()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("900")
    page.keyboard.press("Enter")
    expect(page.get_by_text("FAIL").first).to_be_visible()
    page.get_by_role("link", name="Timeline").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("canvas[data-view]")).to_be_visible()
    page.locator("canvas[data-view]").focus()
    before = page.locator("canvas[data-view]").get_attribute("data-view")
    page.keyboard.press("w")
    expect(page.locator("canvas[data-view]")).not_to_have_attribute("data-view", before)
