"""Charts of a report write every name whole, or its end, within their picture."""

from __future__ import annotations

import re
from html import unescape

import pytest

from sim.charts.shapes import Bar, BarChart, Swing, SwingChart
from sim.charts.svg import BARS, CHARACTER, WIDTH, svg
from sim.reports.page import _breakable

TEXT = re.compile(r'<text x="([\d.-]+)" [^>]*text-anchor="(\w+)"[^>]*>([^<]*)</text>')
BOX = re.compile(r'<rect x="([\d.-]+)" y="[\d.-]+" width="([\d.-]+)"')
SHORT, USUAL = "prefill", "stacks.neuropilot.layer_s"
LONG = "stacks.precompiled_qnn_onnx_npu.kernels.prefill_scaled_dot_product_attention.half_k"


def texts(drawn: str) -> list[tuple[float, float, str]]:
    """Return where each text begins and ends, and what it says."""
    found = []
    for x, anchor, said in TEXT.findall(drawn):
        wide = CHARACTER * len(unescape(said))
        begin = float(x) - {"start": 0.0, "middle": wide / 2, "end": wide}[anchor]
        found.append((begin, begin + wide, unescape(said)))
    return found


def swings(name: str, nominal: float) -> SwingChart:
    one = Swing(name, 1000.0, 4000.0, "1", "4", "12345 to 67890 tokens/s")
    return SwingChart("a", "A", "A.", (one,), nominal, f"nominal {nominal} tokens/s", "tokens/s")


@pytest.mark.parametrize("name", [SHORT, USUAL, LONG])
@pytest.mark.parametrize("nominal", [1000.0, 2000.0, 4000.0])
def test_names_texts_and_marks_of_a_tornado_lie_within_the_picture(name, nominal):
    drawn = svg(swings(name, nominal))
    for begin, end, said in texts(drawn):
        assert begin >= -1.0, said
        assert end <= WIDTH + 1.0, said
    [(left, wide)] = [(float(x), float(width)) for x, width in BOX.findall(drawn)]
    assert wide >= BARS - 0.1
    assert all(end <= left or begin >= left + wide for begin, end, _ in texts(drawn)[:2])


def test_a_name_too_long_keeps_its_end():
    said = [text for *_, text in texts(svg(swings(LONG, 2000.0)))]
    assert any(text.startswith("…") and LONG.endswith(text[1:]) for text in said)
    assert USUAL in [text for *_, text in texts(svg(swings(USUAL, 2000.0)))]


def test_bars_of_times_begin_at_zero_and_swings_at_the_least():
    bars = BarChart("a", "A", "A.", (Bar("one", 0.0, 2.0, "#000", "2"),), 1.0, "half")
    [(left, wide)] = BOX.findall(svg(bars))
    line = float(re.search(r'<line x1="([\d.]+)"', svg(bars))[1])
    assert line == pytest.approx(float(left) + float(wide) / 2, abs=0.2)


def test_a_long_word_of_a_table_may_break_behind_its_signs_and_says_the_same():
    said = str(_breakable(f"x < {LONG}"))
    assert "x &lt; " in said
    assert unescape(said.replace("<wbr>", "")) == f"x < {LONG}"
    assert "stacks.<wbr>precompiled_<wbr>" in said
    assert str(_breakable(USUAL)) == USUAL
