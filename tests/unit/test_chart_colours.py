"""Colours that touch in a chart differ for every eye.

Sight without one kind of cone: Machado, Oliveira and Fernandes 2009 (doi 10.1109/TVCG.2009.113),
severity 1, on linear light; difference: CIE 1976 in L*a*b* under D65.
"""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest

from dashboard.charts import roofline
from dashboard.charts.flow import PALETTE, SYMBOLS
from dashboard.charts.tradeoff import GROUPS
from sim.charts.data import CLASSES
from sim.charts.frame import DARK_THEME
from sim.charts.plotly import METRICS
from sim.charts.shapes import COLOURS, colour
from sim.records import BOUNDS

EYES = {
    "all cones": np.eye(3),
    "no red cones": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no green cones": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "no blue cones": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
TO_XYZ = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
WHITE = np.array([0.9505, 1.0, 1.089])
LEAST = 15.0
"""Two surfaces that touch are told apart without effort; 2.3 is just noticeable."""
TIMELINE = Path(__file__).parents[2] / "dashboard" / "components" / "timeline.js"


def lab(code: str, eye: str) -> np.ndarray:
    share = np.array([int(code[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.asarray(EYES[eye]) @ linear, 0.0, 1.0)
    t = np.asarray(TO_XYZ) @ seen / WHITE
    f = np.where(t > 0.008856, np.cbrt(t), 7.787 * t + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def apart(one: str, other: str, eye: str) -> float:
    return float(np.linalg.norm(lab(one, eye) - lab(other, eye)))


def test_black_and_white_are_a_hundred_apart():
    assert apart("#000000", "#FFFFFF", "all cones") == pytest.approx(100.0, abs=0.1)


def test_red_and_green_of_one_lightness_meet_without_red_cones():
    assert apart("#C00000", "#007000", "all cones") > 100.0
    assert apart("#C00000", "#007000", "no red cones") < 50.0


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize("theme", [{}, DARK_THEME], ids=["light", "dark"])
def test_layers_of_memory_that_can_touch_differ(eye, theme):
    """Any of them may be absent, so any two may touch."""
    for one, other in itertools.combinations(CLASSES, 2):
        pair = (theme.get(colour(name), colour(name)) for name in (one, other))
        assert apart(*pair, eye) >= LEAST, (one, other)


@pytest.mark.parametrize("eye", EYES)
def test_flows_and_lanes_differ_from_their_neighbours(eye):
    lanes = re.findall("#[0-9A-F]{6}", re.search("PALETTE = .*", TIMELINE.read_text())[0])
    assert len(lanes) >= len(PALETTE)
    for colours in (PALETTE, lanes):
        for one, other in itertools.pairwise(colours):
            assert apart(one, other, eye) >= LEAST, (one, other)


def test_each_phase_of_a_first_token_has_a_colour_of_its_own():
    assert len({COLOURS[name] for name in ("vision encode", "prefill", "decode")}) == 3


def test_marks_of_one_chart_differ_without_any_colour():
    groups = [marker["symbol"] for marker in GROUPS.values()]
    metrics = [symbol for _, symbol in METRICS.values()]
    bounds = [roofline.SYMBOLS[bound] for bound in BOUNDS]
    for symbols in (groups, metrics, bounds, list(SYMBOLS)):
        assert len(set(symbols)) == len(symbols)
