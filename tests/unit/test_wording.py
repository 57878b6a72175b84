"""Numbers keep their size as text, and every metric has a name."""

from __future__ import annotations

import doctest
import importlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.explore.targets import bounded
from sim.wording import label, shown, span


@pytest.mark.parametrize("name", ["question", "sections"])
def test_docstring_examples(name):
    found = doctest.testmod(importlib.import_module(f"sim.reports.{name}"))
    assert found.attempted > 0
    assert found.failed == 0


SCALES = {
    "GiB": 2**30, "MiB": 2**20, "KiB": 2**10, "GB": 1e9, "MB": 1e6, "kB": 1e3,
    "ms": 1e-3, "µs": 1e-6, "TFLOP": 1e12, "%": 1e-2,
}  # fmt: skip


@given(st.sampled_from(list(bounded())), st.floats(1e-4, 1e11))
def test_a_shown_number_is_within_a_per_cent_of_its_value(metric, value):
    text = shown(metric, value).text
    number, _, unit = text.partition(" ")
    largest = 0.5 if unit == "%" else 1e-2
    assert float(number) * SCALES.get(unit, 1.0) == pytest.approx(value, rel=largest, abs=6e-4)


@given(st.sampled_from(list(bounded())), st.floats(1e-4, 1e11), st.floats(1.0, 1e3))
def test_a_range_names_its_unit_at_the_end(metric, low, ratio):
    ends = re.split(" to ", span(metric, low, low * ratio))
    assert len(ends) == 2
    assert ends[1] == shown(metric, low * ratio).text


def test_every_metric_has_a_name_without_its_unit():
    names = [label(metric) for metric in bounded()]
    assert len(set(names)) == len(names)
    assert not any("_" in name or name.endswith((" s", " bytes", " j")) for name in names)
