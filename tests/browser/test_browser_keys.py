"""With the keyboard alone: what Tab reaches, in which order, and a setting that is changed."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from tests.browser.conftest import rested

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=120_000)

STOPS, MOST_TABS = 60, 90
AT_FOCUS = """() => {
  let one = document.activeElement;
  while (one.shadowRoot?.activeElement) one = one.shadowRoot.activeElement;
  const box = one.getBoundingClientRect();
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


def tab_to(page: Any, label: str, key: str = "Tab") -> None:
    """Press Tab until what has a label has the focus."""
    for _ in range(MOST_TABS):
        page.keyboard.press(key)
        if page.evaluate(AT_FOCUS)["label"].startswith(label):
            return
    raise AssertionError(f"{key} does not reach {label!r}")


def test_a_target_is_set_and_a_timeline_is_read_with_keys_alone(opened):
    page = opened("/?model=smollm2-135m&images=0&output_tokens=9")
    rested(page)
    tab_to(page, "Tokens/s at least")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("900")
    page.keyboard.press("Enter")
    expect(page.get_by_text("FAIL").first).to_be_visible()
    rested(page)
    tab_to(page, "Timeline")
    page.keyboard.press("Enter")
    canvas = page.locator("canvas[data-view]")
    expect(canvas).to_be_visible()
    rested(page)
    before = canvas.get_attribute("data-view")
    tab_to(page, "Timeline. W and S zoom")
    page.keyboard.press("w")
    page.keyboard.press("ArrowRight")
    expect(canvas).not_to_have_attribute("data-view", before)
    page.keyboard.press("r")
    expect(page.get_by_text("selected", exact=True)).to_be_visible()
    tab_to(page, "Search operators", "Shift+Tab")
    page.keyboard.type("lm_head")
    page.keyboard.press("Enter")
    expect(page.get_by_text("lasts", exact=True)).to_be_visible()
