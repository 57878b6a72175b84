"""What `andesim report` writes: one document, shown alike as HTML, PDF, Markdown and JSON."""

from __future__ import annotations

import html as escaping
import json
import re
import sys
import time
from html.parser import HTMLParser

import pytest
import yaml

from sim import load_scenario, simulate
from sim.charts.data import first_token_chart, memory_chart
from sim.charts.shapes import Layer, LayerChart
from sim.charts.svg import WIDTH, svg
from sim.explore.targets import Target
from sim.reports.files import json_text, write_report
from sim.reports.gaps import gaps
from sim.reports.making import make_report
from sim.reports.memory import memory
from sim.reports.page import Code, Page, Paragraph, Section, Table, html, markdown

SMALL = ("model=smollm2-135m", "session={turns: [{prompt_tokens: 8, output_tokens: 3}]}")
SET = [word for override in SMALL for word in ("--set", override)]
NUMERAL = re.compile(r"\d+(?:\.\d+)?")
ORDER = (
    "Targets",
    "Recommended configuration",
    "Bill of DRAM",
    "First token",
    "Sustained run",
    "What the answer hangs on",
    "Assumptions",
    "Validation",
    "How to reproduce",
)


class Reader(HTMLParser):
    """The `data` values of a page, its text, and every address it points to."""

    def __init__(self, text):
        super().__init__()
        self.values, self.texts, self.addresses, self.skipping = [], [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.skipping = tag in ("style", "script")
        self.addresses += [found[name] for name in ("src", "href", "data") if name in found]
        if tag == "data":
            self.values.append(float(found["value"]))

    def handle_endtag(self, tag):
        self.skipping = False

    def handle_data(self, data):
        if not self.skipping:
            self.texts.append(data)


def numbers_in(node):
    """Every number of a JSON document."""
    if isinstance(node, dict):
        return {number for child in node.values() for number in numbers_in(child)}
    if isinstance(node, list):
        return {number for child in node for number in numbers_in(child)}
    return {float(node)} if isinstance(node, int | float) else set()


@pytest.fixture(scope="module")
def made():
    targets = [Target.parse("tokens_per_s>20"), Target.parse("time_to_first_token_s<1 s")]
    return make_report(None, targets, draws=5, seed=2, overrides=SMALL)


@pytest.fixture(scope="module")
def page_html(made):
    return html(made[1])


def test_the_run_is_what_simulate_prints(made, andesim):
    printed = andesim("simulate", *SET, "--seed", 2, "--uncertainty", 5, "--json")
    assert made[0]["run"] == json.loads(printed.out)


def test_every_number_of_the_page_is_in_the_json(made, page_html):
    values = set(Reader(page_html).values)
    assert len(values) > 60
    assert values <= numbers_in(json.loads(json_text(made[0])))


def test_sections_stand_in_the_order_of_their_questions(made):
    titles = [section.title for section in made[1].sections]
    assert [title for title in titles if title in ORDER] == list(ORDER)


def test_the_page_needs_nothing_from_outside(page_html):
    assert Reader(page_html).addresses == []
    assert "@import" not in page_html
    assert "url(" not in page_html


def test_every_chart_has_a_title_and_a_description(page_html):
    charts = page_html.count("<svg ")
    assert charts >= 4
    assert (
        len(re.findall(r"<title id=[^>]+>[^<]+</title><desc id=[^>]+>[^<]+</desc>", page_html))
        == charts
    )


def test_same_question_same_bytes(made, page_html, tmp_path):
    document, page = made
    again = make_report(
        None,
        [Target.parse("tokens_per_s>20"), Target.parse("time_to_first_token_s<1 s")],
        draws=5,
        seed=2,
        overrides=SMALL,
    )
    assert again[0] == document
    assert html(again[1]) == page_html
    assert markdown(again[1]) == markdown(page)
    assert html(page, interactive=True) == html(again[1], interactive=True)


def test_the_printed_page_holds_the_numbers_of_the_json(made, page_html, tmp_path, monkeypatch):
    pytest.importorskip("weasyprint", exc_type=ImportError)
    pypdf = pytest.importorskip("pypdf")
    monkeypatch.setattr("weasyprint.pdf.fonts.harfbuzz_subset", None)  # so fontTools, which dates
    write_report(tmp_path / "first.pdf", made[1], made[0])
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 100_000.0)
    write_report(tmp_path / "second.pdf", made[1], made[0])
    assert (tmp_path / "first.pdf").read_bytes() == (tmp_path / "second.pdf").read_bytes()
    pages = pypdf.PdfReader(tmp_path / "first.pdf").pages
    printed = [" ".join(page.extract_text().split()) for page in pages]
    for text in (item[1] for item in shown_numbers(page_html)):
        assert any(text in page for page in printed), text
    on_page = set(NUMERAL.findall(" ".join(Reader(page_html).texts)))
    counts = {str(number) for number in range(len(pages) + 1)}
    assert set(NUMERAL.findall(printed[0])) <= on_page | counts


def shown_numbers(text):
    found = re.findall(r'<data value="([^"]+)">([^<]+)</data>', text)
    return [(float(value), escaping.unescape(shown)) for value, shown in found]


def test_markdown_shows_the_same_numbers(made, page_html):
    text = markdown(made[1])
    assert [shown for _, shown in shown_numbers(page_html) if shown not in text] == []


def test_text_is_escaped():
    table = Table(("<b>",), (("a|b & <script>",),))
    page = Page("<i>", "", "PASS", "x < y", "", (Section("s", (table, Paragraph(("<p>",)))),))
    written = html(page)
    assert "<script>" not in written
    assert "a|b &amp; &lt;script&gt;" in written
    assert "x &lt; y" in written
    assert "a\\|b & &lt;script>" in markdown(page)
    assert "x < y" in markdown(page)


def test_markdown_code_cannot_be_left_from_within():
    page = Page("t", "", "", "", "", (Section("s", (Code("a\n```\n<script>"),)),))
    assert "````\na\n```\n<script>\n````" in markdown(page)


def test_the_interactive_page_embeds_the_library_once(made):
    written = html(made[1], interactive=True)
    assert written.count("Plotly.newPlot(") >= 4
    assert 3_000_000 < len(written) < 8_000_000
    assert 'src="http' not in written


def test_formula_of_the_kv_cache_gives_its_bytes(made):
    (entry,) = (item for item in made[0]["memory"]["classes"] if item["name"] == "kv_cache")
    product = 1.0
    for number in NUMERAL.findall(entry["formula"].partition("(")[0].replace("/ 8 ", "")):
        product *= float(number)
    assert product / 8 == entry["bytes"]


def test_the_waterfall_ends_at_the_first_token(made):
    *parts, whole = first_token_chart(made[0]["run"]["metrics"]).bars
    assert [bar.name for bar in parts] == ["prefill"]
    assert parts[-1].end == pytest.approx(whole.end)


def test_waiting_for_other_turns_is_a_bar_of_its_own(made):
    first_s = made[0]["run"]["metrics"]["time_to_first_token_s"]
    metrics = made[0]["run"]["metrics"] | {"time_to_first_token_s": first_s + 0.5}
    *parts, whole = first_token_chart(metrics).bars
    assert [bar.name for bar in parts] == ["waiting", "prefill"]
    assert parts[-1].end == pytest.approx(whole.end)


def test_the_bill_adds_up(made):
    memory = made[0]["memory"]
    assert sum(item["bytes"] for item in memory["classes"]) == memory["peak_bytes"]
    assert memory["peak_bytes"] + memory["left_bytes"] == pytest.approx(memory["budget_bytes"])


def test_the_scenario_in_the_report_asks_the_same(made, tmp_path):
    path = tmp_path / "again.yaml"
    path.write_text(made[0]["reproduce"]["scenario"])
    assert yaml.safe_load(path.read_text())["model"] == "smollm2-135m"
    again, _ = make_report(path, seed=2)
    assert again["reproduce"]["fingerprint"] == made[0]["reproduce"]["fingerprint"]
    assert again["run"]["metrics"] == made[0]["run"]["metrics"]


def test_what_is_not_modelled_comes_from_the_docstrings():
    found = {gap.module: gap.text for gap in gaps()}
    assert found["sim.engine.residency"].startswith("Page granularity")
    assert {module.partition(".")[0] for module in found} == {"hw_models", "sim", "workloads"}
    assert all(text.endswith(".") and "``" not in text for text in found.values())


def test_without_weasyprint_the_way_to_a_pdf_is_said(made, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(ValueError, match=r"pip install '\.\[pdf\]'"):
        write_report(tmp_path / "report.pdf", made[1], made[0])
    assert list(tmp_path.iterdir()) == []


def test_a_class_that_comes_after_the_peak_is_drawn():
    result = simulate(load_scenario(None, ["stack=llamacpp_cpu"]))
    bill = memory(result)
    assert "kv_cache" not in {item["name"] for item in bill["classes"]}
    instants = [(item["at_s"], item["bytes"]) for item in bill["timeline"]]
    chart = memory_chart(instants, bill["budget_bytes"], bill["end_s"])
    assert chart.totals == pytest.approx([item.total_bytes for item in result.ledger.timeline])


def test_every_name_of_a_legend_lies_on_the_picture():
    layers = tuple(Layer(f"class {index}", "#000", (1.0,)) for index in range(8))
    drawn = svg(LayerChart("id", "title", "alt", (0.0, 1.0), layers, "8 B"))
    height = int(re.search(rf'viewBox="0 0 {WIDTH} (\d+)"', drawn)[1])
    places = re.findall(r'<text x="([\d.]+)" y="([\d.]+)"[^>]+>class \d', drawn)
    assert len(places) == 8
    assert all(float(x) < WIDTH - 60 and float(y) < height for x, y in places)
