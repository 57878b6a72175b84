"""Two viewers of one dashboard: each has a question of their own, and nothing grows with moves."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import rested

pytestmark = [pytest.mark.browser, pytest.mark.long]
expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=120_000)
SMALL = "/?model=smollm2-135m&images=0"


def prompt(page: Any) -> Any:
    return page.get_by_label("Prompt tokens", exact=True)


def test_two_viewers_at_once_keep_their_own_question_and_baseline(opened):
    first, second = opened(SMALL), opened(SMALL)
    rested(first)
    rested(second)
    first.get_by_role("button", name="Pin baseline").click()
    for page, value in ((first, "512"), (second, "777")):
        prompt(page).fill(value)
        prompt(page).press("Enter")
    rested(first)
    rested(second)
    expect(prompt(first)).to_have_value("512")
    expect(prompt(second)).to_have_value("777")
    expect(first.get_by_role("button", name="Unpin baseline")).to_be_visible()
    expect(second.get_by_role("button", name="Pin baseline", exact=True)).to_be_visible()
    assert "prompt_tokens=512" in first.url
    assert "prompt_tokens=777" in second.url
    shown = [page.get_by_test_id("stMetricValue").first.inner_text() for page in (first, second)]
    assert shown[0] != shown[1]


def test_a_hundred_moves_of_two_viewers_leave_nothing_behind(browser):
    measured = pytest.importorskip("benchmarks.dashboard")
    with measured.served() as here:
        before, after = measured.growth(browser, here)
    assert after.server_mb < 1.15 * before.server_mb
    assert after.page_mb < 1.5 * before.page_mb
