"""Warnings of a run: what was asked in vain, with both numbers and the remedy."""

from __future__ import annotations

import pytest

from sim import load_scenario, simulate


def warnings(*overrides: str) -> str:
    return "\n".join(simulate(load_scenario(None, overrides)).warnings)


def text(prompt: int, output: int, more: str = "") -> str:
    return f"session={{turns: [{{prompt_tokens: {prompt}, output_tokens: {output}}}{more}]}}"


def test_a_conversation_beyond_the_positions_of_the_model_is_told_both_numbers():
    told = warnings("model=tinyllama-1.1b", text(1990, 100))
    assert "2089 positions" in told
    assert "2048" in told
    assert "Remedy" in told
    assert warnings("model=tinyllama-1.1b", text(1990, 59)) == ""


def test_positions_add_up_over_turns_until_one_is_fresh():
    second = ", {prompt_tokens: 500, output_tokens: 10%s}"
    assert "2508 positions" in warnings("model=tinyllama-1.1b", text(1990, 10, second % ""))
    assert warnings("model=tinyllama-1.1b", text(1990, 10, second % ", fresh: true")) == ""


def test_evicted_tokens_keep_their_positions_unless_the_window_numbers_them_anew():
    evict = "deployment.kv_cache.eviction={policy: %s}"
    base = ("model=tinyllama-1.1b", text(3000, 10))
    assert "3009" in warnings(*base, evict % "snapkv")
    assert warnings(*base, evict % "sliding_window") == ""


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        ((), "one unit both encodes and prefills"),
        (("deployment.placement.vision=gpu",), "before the last image"),
        (("model=qwen3-0.6b", text(20, 2)), "no turn has an image"),
    ],
)
def test_overlap_asked_for_in_vain_says_why(overrides, reason):
    told = warnings("model=andesvl-0.6b", "deployment.vision_overlap=true", *overrides)
    assert "vision_overlap has no effect" in told
    assert reason in told


def test_overlap_that_happens_is_not_warned_of():
    images = "session.turns.0.images_px=[[480, 480], [480, 480]]"
    chosen = ("deployment.vision_overlap=true", "deployment.placement.vision=gpu", images)
    assert warnings("model=andesvl-0.6b", *chosen) == ""


def test_the_answer_and_the_report_say_what_the_encoding_hides(andesim, tmp_path):
    images = "session.turns.0.images_px=[[480, 480], [480, 480]]"
    chosen = ("deployment.vision_overlap=true", "deployment.placement.vision=gpu", images)
    asked = [part for item in ("model=andesvl-0.6b", *chosen) for part in ("--set", item)]
    assert "beside the encoding of later images" in andesim("simulate", *asked).out
    page = tmp_path / "page.md"
    assert andesim("report", *asked, "-o", page).code == 0
    assert "beside the encoding of later images" in page.read_text()


def test_decoding_an_image_of_over_100_megapixels_is_told_as_not_modelled():
    sized = "session.turns.0.images_px=[[%d, 10000]]"
    assert "101 megapixels (10100 x 10000)" in warnings(sized % 10100)
    assert "megapixels" not in warnings(sized % 10000)


def test_a_rate_that_heat_lowers_is_told_with_what_is_left_of_the_clock():
    hot = str(simulate(load_scenario(None, ["environment.ambient_c=40"])))
    assert "in the tenth minute: heat lowers the clock to" in hot
