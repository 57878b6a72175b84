"""What the pages draw by themselves: replies, the front, the timeline, files brought and kept."""

from __future__ import annotations

import re
from pathlib import Path
from statistics import median

import pytest

from tests.browser.conftest import rested

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=120_000)  # the machine may be busy; a person would wait, too

IMPORTS = Path(__file__).parents[1] / "fixtures" / "imports"
SMALL = "model=smollm2-135m&images=0&output_tokens=9"
DEVICE = "extends: dimensity_9500\nname: Pasted phone\n"
MOMENTS = """(one) => {
  window.moments = [];
  new MutationObserver(() => window.moments.push(one.dataset.now)).observe(one, {attributes: true});
}"""


def test_a_reply_rests_where_less_motion_is_asked_for_and_then_moves_by_whole_seconds(opened):
    page = opened("/feel?images=0&output_tokens=48", reduced_motion="reduce")
    phones = page.locator(".phones")
    expect(phones).to_have_attribute("data-now", "0.00")
    rested(page)
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    expect(phones).to_have_attribute("data-now", "0.00")
    phones.evaluate(MOMENTS)
    page.get_by_role("button", name="Play").click()
    expect(page.locator(".stage").first).to_have_text("Done")
    *moving, _ = page.evaluate("window.moments")
    assert {float(moment) % 1.0 for moment in moving} == {0.0}
    assert len(set(moving)) > 1


def test_whiskers_hold_the_draws_and_a_box_on_the_front_lists_what_lies_in_it(opened):
    page = opened(f"/tradeoffs?{SMALL}&sweep_axes=bits")
    chart = page.get_by_test_id("stPlotlyChart").first
    expect(chart.locator("path.yerror").first).to_be_attached()
    table = page.get_by_test_id("stDataFrame").first.locator("[role=grid]")
    rested(page)
    page.get_by_test_id("stDataFrame").first.scroll_into_view_if_needed()
    expect(table).to_have_attribute("aria-rowcount", "5")  # a head and four settings
    chart.scroll_into_view_if_needed()
    marks = chart.locator(".trace:has(.errorbar) path.point").all()
    places = sorted((box["x"], box["y"]) for box in (one.bounding_box() for one in marks))
    (first, _), (second, _), (third, _), _ = places
    heights = [y for _, y in places]
    page.mouse.move(first - 20, min(heights) - 30)
    page.mouse.down()
    page.mouse.move((second + third) / 2, max(heights) + 30, steps=6)
    page.mouse.up()
    expect(table).to_have_attribute("aria-rowcount", "3")


def test_a_pasted_device_is_used_and_a_bundle_carries_it_to_another_viewer(opened, tmp_path):
    page = opened(f"/own?{SMALL}")
    rested(page)
    page.get_by_label("Or paste text").fill(DEVICE)
    page.get_by_role("button", name="Take it").click()
    page.get_by_role("button", name="Use it", exact=True).click()
    rested(page)
    with page.expect_download() as told:
        page.get_by_role("button", name="Save a bundle").click()
    told.value.save_as(tmp_path / "question.andesim.zip")
    other = opened(f"/own?{SMALL}")
    rested(other)
    other.locator("input[type=file]").set_input_files(tmp_path / "question.andesim.zip")
    expect(other.get_by_text("The device Pasted phone")).to_be_visible()
    expect(other.get_by_text("A scenario; the sidebar holds it now.")).to_be_visible()
    other.get_by_role("button", name="Use it", exact=True).last.click()
    rested(other)
    assert "device=pasted%40" in other.url


@pytest.mark.long
@pytest.mark.torch
def test_a_gguf_file_that_is_dropped_becomes_the_model(opened, tmp_path):
    written = pytest.importorskip("tests.unit.test_gguf_file")
    file = written.write_gguf(tmp_path / "mine.gguf", written.MIXED)
    page = opened(f"/own?{SMALL}")
    rested(page)
    page.locator("input[type=file]").set_input_files(file)
    expect(page.get_by_text(re.compile("A model whose decode step reads .* GB"))).to_be_visible()
    page.get_by_role("button", name="Use it", exact=True).click()
    rested(page)
    assert "model=mine%40" in page.url


@pytest.mark.long
def test_a_fitted_stack_is_kept_and_comes_back_as_a_device(opened, tmp_path):
    page = opened(f"/validate?{SMALL}")
    page.locator("input[type=file]").set_input_files(IMPORTS / "llama_bench.json")
    page.get_by_role("button", name="Fit this stack").click()
    with page.expect_download() as told:
        page.get_by_role("button", name="Keep the stack (YAML)").click()
    expect(page.get_by_text("before the fit").first).to_be_attached()
    told.value.save_as(tmp_path / "fitted.yaml")
    page = opened(f"/own?{SMALL}")
    rested(page)
    page.locator("input[type=file]").set_input_files(tmp_path / "fitted.yaml")
    expect(page.get_by_text("The device Qualcomm Snapdragon 8 Elite")).to_be_visible()


@pytest.mark.long
def test_a_frame_of_300000_slices_that_pans_takes_little_script_time(browser, address):
    measured = pytest.importorskip("benchmarks.dashboard")
    taken = measured.frames(browser, address)
    assert taken.slices >= 300_000
    assert median(taken.script_s) < 0.05
