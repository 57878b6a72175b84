"""What an engineer comes for, done with mouse and keyboard."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from dashboard.cards import cards
from dashboard.choices import Choices
from dashboard.runs import run
from tests.browser.conftest import rested

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=120_000)  # the machine may be busy; a person would wait, too

IMPORTS = Path(__file__).parents[1] / "fixtures" / "imports"
LANE_PX = 22
"""Height of the lowest row of the canvas. What a frame draws is bounded by its pixels, however many
slices there are; how long a frame takes is printed by ``python -m benchmarks.dashboard``."""


def number(page: Any, label: str, value: str) -> None:
    """Type a number into the sidebar, once the page has rested; until then it may be drawn over."""
    rested(page)
    field = page.get_by_label(label, exact=True)
    field.fill(value)
    field.press("Enter")


def card(page: Any, label: str) -> Any:
    """Return the value of a card, by its label."""
    metric = page.get_by_test_id("stMetric").filter(has_text=label)
    return metric.get_by_test_id("stMetricValue")


def values(choices: Choices) -> dict[str, str]:
    return {item.label: item.value for item in cards(run(choices))}


def test_does_4b_fit_in_4_gib_at_8k(opened):
    page = opened("/")
    expect(card(page, "Peak DRAM")).to_have_text(values(Choices())["Peak DRAM"])
    number(page, "Context [tokens], 0 = as needed", "8192")
    larger = values(Choices(context_tokens=8192))["Peak DRAM"]
    expect(card(page, "Peak DRAM")).to_have_text(larger)
    number(page, "App budget [GiB], 0 = device's", "4")
    choices = Choices(context_tokens=8192, app_budget_gib=4.0)
    expect(card(page, "Peak DRAM")).to_have_text(values(choices)["Peak DRAM"])
    fits = run(choices).fits
    verdict = page.get_by_test_id("stAlert").first
    expect(verdict).to_contain_text("of 4.00 GiB" if fits else "OUT OF MEMORY")


def test_a_configuration_under_one_second_to_the_first_token(opened):
    page = opened("/tradeoffs?most_first_token_s=1&model=andesvl-1b")
    answer = page.get_by_test_id("stAlert").filter(has_text="Least given up of")
    expect(answer.first).to_contain_text("that meet every target")  # a stale one fades beside it
    rested(page)
    expect(answer).to_have_count(1)
    page.get_by_role("button", name="into the sidebar").click()
    rested(page)
    page.get_by_role("link", name="Explore").click()
    expect(page.get_by_test_id("stAlert").first).to_contain_text("Every target is met")
    text = card(page, "Time to first token").inner_text()
    assert float(text.removesuffix(" s")) <= 1.0


def test_how_far_off_was_my_llama_bench_run(opened, tmp_path):
    rows = json.loads((IMPORTS / "llama_bench.json").read_text(encoding="utf-8"))
    nameless = tmp_path / "nameless.json"
    nameless.write_text(json.dumps([row | {"cpu_info": "", "gpu_info": ""} for row in rows]))
    page = opened("/validate")
    page.locator("input[type=file]").set_input_files(nameless)
    expect(page.get_by_text("Which phone was this?")).to_be_visible()
    expect(page.get_by_test_id("stAlert").first).to_contain_text("not judged yet")
    page = opened("/validate")
    page.locator("input[type=file]").set_input_files(IMPORTS / "llama_bench.json")
    expect(page.get_by_test_id("stMetric").filter(has_text="Decode rate")).to_contain_text("%")
    told = page.get_by_test_id("stAlert").first
    expect(told).to_contain_text("On Qualcomm Snapdragon 8 Elite")
    expect(page.get_by_role("button", name="Fit this stack")).to_be_visible()


def test_the_timeline_is_moved_by_wheel_and_keys_and_adds_up_a_range(opened):
    page = opened("/timeline?images=0&baseline=body%3Dw8")
    canvas = page.locator("canvas[data-view]")
    expect(canvas).to_have_attribute("data-view", re.compile(r"\d"))
    before = canvas.get_attribute("data-view")
    canvas.hover(position={"x": 700, "y": 60})
    for _ in range(4):
        page.mouse.wheel(0, -300)
    canvas.focus()
    page.keyboard.press("w")
    page.keyboard.press("d")
    expect(canvas).not_to_have_attribute("data-view", before)
    start, end = map(float, canvas.get_attribute("data-view").split(","))
    whole = list(map(float, before.split(",")))
    assert end - start < 0.5 * (whole[1] - whole[0])
    box = canvas.bounding_box()
    page.keyboard.down("Shift")
    page.mouse.move(box["x"] + 300, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 700, box["y"] + 60)
    page.mouse.up()
    page.keyboard.up("Shift")
    expect(page.get_by_text("selected")).to_be_visible()
    page.get_by_label("Search operators").fill("lm_head")
    expect(page.get_by_text(re.compile(r"\d slices$"))).to_be_visible()
    rows = box["height"] / LANE_PX
    assert 0 < int(canvas.get_attribute("data-marks")) < 2 * box["width"] * rows
    expect(page.get_by_text("Operator by operator, per output token")).to_be_visible()


SCROLLED = "() => document.querySelector('[data-testid=stMain]').scrollTop"


def test_a_timeline_shown_whole_lets_the_wheel_and_a_swipe_scroll_the_page(opened):
    page = opened("/timeline?images=0", touch=True)
    canvas = page.locator("canvas[data-view]")
    expect(canvas).to_have_attribute("data-view", re.compile(r"\d"))
    rested(page)
    whole = canvas.get_attribute("data-view")
    canvas.hover(position={"x": 700, "y": 60})
    page.mouse.wheel(0, -300)
    expect(canvas).not_to_have_attribute("data-view", whole)
    assert page.evaluate(SCROLLED) == 0
    page.mouse.wheel(0, 600)
    expect(canvas).to_have_attribute("data-view", whole)
    assert page.evaluate(SCROLLED) == 0
    page.mouse.wheel(0, 200)
    page.wait_for_function(f"({SCROLLED})() > 100")
    assert canvas.get_attribute("data-view") == whole
    assert canvas.evaluate("(one) => getComputedStyle(one).touchAction") == "pan-y"
    page.evaluate("() => { document.querySelector('[data-testid=stMain]').scrollTop = 0 }")
    box = canvas.bounding_box()
    fingers = page.context.new_cdp_session(page)
    for step, kind in enumerate(["touchStart", *["touchMove"] * 10]):
        point = {"x": box["x"] + 500, "y": box["y"] + 200 - 15 * step}
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
    fingers.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_function(f"({SCROLLED})() > 50")
    assert canvas.get_attribute("data-view") == whole


def test_a_reply_is_typed_at_the_pace_of_two_phones(opened):
    page = opened("/feel?images=0&output_tokens=24&baseline=model%3Dandesvl-0.6b")
    page.get_by_role("button", name="16×").click()
    expect(page.locator(".phone")).to_have_count(2)
    expect(page.locator(".stage").first).to_have_text("Done")
    expect(page.locator(".phone p").first).to_contain_text("The screen shows a train ticket")


def test_a_broken_file_is_explained(opened):
    page = opened("/validate")
    page.locator("input[type=file]").set_input_files(IMPORTS / "llama_bench_absurd.json")
    refused = "llama_bench_absurd.json cannot be read"
    expect(page.get_by_test_id("stAlert").first).to_contain_text(refused)
    expect(page.get_by_test_id("stException")).to_have_count(0)


def test_a_copied_link_reproduces_the_screen(opened):
    page = opened("/?model=andesvl-1b&kv_dtype=int8")
    page.get_by_role("button", name="Pin baseline").click()
    expect(page.get_by_role("button", name="Unpin baseline")).to_be_visible()
    number(page, "Prompt tokens", "512")
    choices = Choices(model="andesvl-1b", kv_dtype="int8", prompt_tokens=512)
    expect(card(page, "Time to first token")).to_have_text(values(choices)["Time to first token"])
    page.get_by_role("button", name="Copy link").click()
    link = page.get_by_test_id("stCode").first.inner_text()
    again = opened(link)
    for label, value in values(choices).items():
        expect(card(again, label)).to_have_text(value)
    expect(again.get_by_role("button", name="Unpin baseline")).to_be_visible()


def test_a_bad_link_names_what_is_wrong(opened):
    page = opened("/?body_bits=99&colour=red")
    expect(
        page.get_by_text("Body bits per weight (body_bits) must be less than or equal to 16")
    ).to_be_visible()
    expect(card(page, "Peak DRAM")).to_have_text(values(Choices())["Peak DRAM"])


def test_back_undoes_a_change_and_forward_does_it_again(opened):
    page = opened("/")
    first, peak = card(page, "Time to first token"), card(page, "Peak DRAM")
    longer, larger = Choices(prompt_tokens=512), Choices(prompt_tokens=512, context_tokens=8192)
    number(page, "Prompt tokens", "512")
    expect(first).to_have_text(values(longer)["Time to first token"])
    number(page, "Context [tokens], 0 = as needed", "8192")
    expect(peak).to_have_text(values(larger)["Peak DRAM"])
    rested(page)
    page.get_by_role("button", name="Pin baseline").click()
    expect(page.get_by_role("button", name="Unpin baseline")).to_be_visible()
    rested(page)
    page.go_back()
    expect(page.get_by_role("button", name="Pin baseline", exact=True)).to_be_visible()
    expect(peak).to_have_text(values(larger)["Peak DRAM"])
    rested(page)
    page.go_back()
    expect(peak).to_have_text(values(longer)["Peak DRAM"])
    expect(first).to_have_text(values(longer)["Time to first token"])
    rested(page)
    page.go_back()
    expect(first).to_have_text(values(Choices())["Time to first token"])
    expect(page.get_by_label("Prompt tokens", exact=True)).to_have_value("64")
    rested(page)
    page.go_forward()
    expect(first).to_have_text(values(longer)["Time to first token"])
    rested(page)
    page.get_by_role("button", name="Redo", exact=True).click()
    expect(peak).to_have_text(values(larger)["Peak DRAM"])


REST_MS = 1_600
"""A rest that parts two gestures."""


def drag(page: Any, moments_s: list[float]) -> None:
    """Press the right arrow at moments of the hand, whatever time a busy machine takes for them."""
    tools = page.context.new_cdp_session(page)
    began_s = time.time() - moments_s[-1]
    key = {"key": "ArrowRight", "code": "ArrowRight", "windowsVirtualKeyCode": 39}
    for moment_s in moments_s:
        for kind in ("rawKeyDown", "keyUp"):
            event = {"type": kind, "timestamp": began_s + moment_s, **key}
            tools.send("Input.dispatchKeyEvent", event)
        page.wait_for_timeout(100)
    tools.detach()


def test_a_dragged_slider_is_one_entry_of_the_history_until_the_hand_rests(opened):
    page = opened("/?body=by+bits")
    rested(page)
    rate = card(page, "Tokens/s, burst")
    said = {bits: values(Choices(body="by bits", body_bits=bits))["Tokens/s, burst"]
            for bits in (4.0, 4.6, 4.7)}  # fmt: skip
    entries = page.evaluate("history.length")
    page.get_by_role("slider", name="Body bits per weight").focus()
    drag(page, [0.1 * step for step in range(6)])
    expect(rate).to_have_text(said[4.6])
    rested(page)
    assert page.evaluate("history.length") == entries + 1
    page.wait_for_timeout(REST_MS)
    drag(page, [0.0])
    expect(rate).to_have_text(said[4.7])
    rested(page)
    assert page.evaluate("history.length") == entries + 2
    for bits in (4.6, 4.0):
        page.go_back()
        expect(rate).to_have_text(said[bits])
        rested(page)


def test_the_first_answer_stands_until_streamlit_shows_the_same(opened, address):
    page = opened("/own")
    held = []
    page.route("**/static/js/index*", lambda route: held.append(route))
    page.goto(address, wait_until="commit")
    early = page.locator("#first-answer .cards b")
    expect(early.first).to_have_text(values(Choices())["Time to first token"])
    expect(card(page, "Time to first token")).to_have_count(0)
    for route in held:
        route.continue_()
    expect(card(page, "Time to first token")).to_be_visible()
    expect(early).to_have_count(0)


def test_the_back_button_undoes_a_page(opened):
    page = opened("/")
    page.get_by_role("link", name="Timeline").click()
    expect(page.get_by_text("Busy and waiting in")).to_be_visible()
    page.go_back()
    expect(card(page, "Peak DRAM")).to_be_visible()
