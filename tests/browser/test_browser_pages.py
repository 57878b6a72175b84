"""Every page in a real browser: it draws, fits its width, says nothing wrong, and reads aloud."""

from __future__ import annotations

import re
from itertools import combinations
from typing import Any

import pytest

from dashboard.choices import Choices
from dashboard.runs import decode_terms, run
from dashboard.screens import residency
from sim.charts.data import decode_chart, first_token_chart
from tests.browser.conftest import rested
from workloads.shipped_ids import NETWORK_TRACES

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=120_000)  # the machine may be busy; a person would wait, too

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


def test_labels_of_the_way_of_bytes_do_not_meet_on_a_phone(opened):
    page = opened("/bytes?model=smollm2-135m&images=0", width_px=390)
    labels = page.locator("g.sankey-node text.node-label, g.sankey-node text")
    expect(labels.first).to_be_visible()
    rested(page)
    boxes = [box for box in (one.bounding_box() for one in labels.all()) if box and box["width"]]
    assert len(boxes) >= 4
    assert max(box["x"] + box["width"] for box in boxes) <= 390
    for one, other in combinations(boxes, 2):
        assert min(shared(one, other, "x", "width"), shared(one, other, "y", "height")) <= 1.0


def shared(one: dict[str, float], other: dict[str, float], start: str, size: str) -> float:
    """Return how far two boxes overlap along a side [px]."""
    ends = (one[start] + one[size], other[start] + other[size])
    return min(ends) - max(one[start], other[start])


def test_the_first_points_of_a_sweep_come_before_the_last(opened):
    axes = "sweep_axes=model&sweep_axes=bits&sweep_axes=prompt"
    page = opened(f"/tradeoffs?{axes}")
    page.get_by_text("so far meet every target").wait_for()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    expect(page.get_by_text("All configurations")).to_be_visible()


def test_a_device_file_to_start_from_comes_back_as_a_device(opened, tmp_path):
    page = opened("/own?model=smollm2-135m&images=0")
    rested(page)
    with page.expect_download() as told:
        page.get_by_role("button", name="A device file to start from").click()
    file = tmp_path / told.value.suggested_filename
    told.value.save_as(file)
    page.locator("input[type=file]").set_input_files(file)
    expect(page.get_by_text("The device My MediaTek Dimensity 9500")).to_be_visible()


def test_a_trace_of_one_s_own_is_asked_on_the_network_page(opened):
    page = opened("/own?model=smollm2-135m&images=0")
    rested(page)
    page.locator("input[type=file]").set_input_files(NETWORK_TRACES / "mobilenet-v3-l.json")
    page.get_by_role("link", name="Ask it").click()
    expect(page.locator(TITLE)).to_contain_text("Network")
    expect(page.get_by_role("combobox", name="Network")).to_have_value(
        re.compile("mobilenet-v3-l@")
    )


def test_a_network_has_targets_and_a_baseline_of_its_own(opened):
    page = opened("/network?network_ms=1&baseline=ambient_c%3D30.0&network_a=resnet18")
    alert = page.get_by_test_id("stMain").get_by_test_id("stAlert").first
    expect(alert).to_contain_text("Asked: inference at most 1.00 ms; the run misses it")
    expect(page.get_by_text("Operator by operator, all calls")).to_be_visible()
    rested(page)
    card = page.get_by_test_id("stMetric").filter(has_text="One call")
    expect(card.get_by_test_id("stMetricDelta")).to_contain_text("ms")
    expect(page.get_by_text("--target 'inference_s<=0.001'")).to_be_visible()


def test_what_a_dropped_scenario_assumes_of_its_device_stands_in_the_sidebar(opened):
    page = opened("/own?model=smollm2-135m&images=0")
    rested(page)
    text = (
        b"model: smollm2-135m\ndevice: dimensity_9500\nassume: {dram: {rate: 5 GT/s}}\n"
        b"session: {turns: [{prompt_tokens: 9, output_tokens: 4}]}\n"
    )
    file = {"name": "slow.yaml", "mimeType": "text/plain", "buffer": text}
    page.locator("input[type=file]").set_input_files([file])
    page.get_by_role("button", name="Use it", exact=True).click()
    rested(page)
    page.get_by_text("Environment and device").click()
    expect(page.get_by_role("textbox", name="What-if device values")).to_have_value(
        "dram.rate=5 GT/s"
    )
