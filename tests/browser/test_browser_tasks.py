"""What an engineer comes for, done with mouse and keyboard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dashboard.cards import cards
from dashboard.choices import Choices
from dashboard.runs import run

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=90_000)  # the machine may be busy; a person would wait, too

RESTED_MS = 6_000
IMPORTS = Path(__file__).parents[1] / "fixtures" / "imports"


def number(page: Any, label: str, value: str) -> None:
    """Type a number into the sidebar, once the page has rested; until then it may be drawn over.

    Streamlit runs a page again about a second after it was opened, from the address it had then.
    """
    page.wait_for_timeout(RESTED_MS)
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
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


def test_fastest_configuration_under_one_second_to_the_first_token(opened):
    page = opened("/tradeoffs")
    number(page, "First token within [s]", "1")
    page.get_by_role("button", name="Run 16 scenarios").click()
    answer = page.get_by_test_id("stAlert").filter(has_text="Fastest of")
    expect(answer).to_contain_text("meet every target")
    page.get_by_role("button", name="into the sidebar").click()
    model = page.get_by_test_id("stSidebar").get_by_test_id("stSelectbox").filter(has_text="Model")
    expect(model.locator("input")).not_to_have_value("andesvl-4b")  # seen to change, then on
    page.get_by_role("link", name="Explore").click()
    expect(page.get_by_test_id("stAlert").first).to_contain_text("Every target is met")
    text = card(page, "Time to first token").inner_text()
    assert float(text.removesuffix(" s")) <= 1.0


def test_how_far_off_was_my_llama_bench_run(opened):
    page = opened("/validate?device=snapdragon_8_elite")
    page.locator("input[type=file]").set_input_files(IMPORTS / "llama_bench.json")
    expect(card(page, "Decode rate").first).to_contain_text("%")
    expect(page.get_by_test_id("stPlotlyChart")).to_have_count(2)


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
    expect(page.get_by_text("body_bits must be less than or equal to 16")).to_be_visible()
    expect(card(page, "Peak DRAM")).to_have_text(values(Choices())["Peak DRAM"])


def test_the_back_button_undoes_a_page(opened):
    page = opened("/")
    page.get_by_role("link", name="Timeline").click()
    expect(page.get_by_text("Busy and waiting")).to_be_visible()
    page.go_back()
    expect(card(page, "Peak DRAM")).to_be_visible()
