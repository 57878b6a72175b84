"""What each law costs in the default answer, as the page tells it, by the answer without it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from sim import simulate

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/concepts/power_and_memory.md").read_text(encoding="utf-8")
SECONDS, RATE, JOULES = r"([\d.]+) s", r"([\d.]+) tokens/s", r"([\d.]+) J"
WITHOUT = re.findall(
    rf"^\| ([^|]+) \| (`[^`|]+`)? ?\| {SECONDS} \| {RATE} \| {JOULES} \|$", PAGE, re.MULTILINE
)
MOVED = re.findall(
    rf"^\| [\d-]+ \| {SECONDS} \| {SECONDS} \| {SECONDS} \| {RATE} \| {JOULES} \|",
    PAGE,
    re.MULTILINE,
)


@pytest.mark.parametrize("row", WITHOUT, ids=[row[0] for row in WITHOUT])
def test_the_answer_without_a_law_is_the_table_s(row):
    _, changed, *printed = row
    path, _, value = changed.strip("`").partition("=")
    what = {f"assume.stacks.neuropilot.{path}": float(value)} if changed else {}
    result = simulate(set=what)
    for name, text in zip(("prefill_s", "tokens_per_s", "energy_j"), printed, strict=True):
        places = len(text.partition(".")[2])
        assert f"{result[name]:.{places}f}" == text, name


def test_the_tables_are_there():
    assert len(WITHOUT) == 5
    assert len(MOVED) == 6


def test_the_last_move_is_the_answer_that_ships():
    golden = json.loads((ROOT / "tests/golden/default_scenario.json").read_text(encoding="utf-8"))
    names = ("load_s", "prefill_s", "time_to_first_token_s", "tokens_per_s", "energy_j")
    for name, text in zip(names, MOVED[-1], strict=True):
        places = len(text.partition(".")[2])
        assert f"{golden['default']['metrics'][name]:.{places}f}" == text, name
