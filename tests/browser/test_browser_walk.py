"""The seven tasks of a deployment engineer, walked to their answers by hand alone."""

from __future__ import annotations

import re

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.long]
MOST_TOUCHES = 20
ANSWERS = {
    "T1": r"32 configurations surely|of \d+ that meet every target",
    "T2": r"On Qualcomm Snapdragon 8 Elite .* numbers are simulated within 25%",
    "T3": r"report\.pdf, \d+ kB: FAIL",
    "T4": r"Decode: .* ms in A, .* ms in B\. A link of \d+ characters",
    "T5": r"Largest prompt: [\d,]+ tokens",
    "T6": r"It misses 15 tokens/s from .* on",
    "T7": r"PASS|MARGINAL|FAIL|THROTTLES",
}


@pytest.mark.parametrize(("width_px", "scheme"), [(1440, "light"), (390, "dark")])
def test_each_task_ends_in_its_answer(browser, address, width_px, scheme):
    walks = pytest.importorskip("benchmarks.tasks")
    for one in walks.walked(browser, address, width_px, scheme):
        assert re.search(ANSWERS[one.task[:2]], one.answer), one
        assert one.touches <= MOST_TOUCHES, one
