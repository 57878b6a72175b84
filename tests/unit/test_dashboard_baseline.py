"""The pinned baseline shows in every chart; a cold start is told as a step."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import dashboard
from dashboard import comparing, screens, sustained, timeline, tradeoffs, transfers
from dashboard.cards import cards
from dashboard.charts import endurance, roofline, tradeoff
from dashboard.choices import Choices
from dashboard.runs import decode_terms, nominal, parameter_swings, run
from dashboard.sidebar import baseline_sentence
from sim.charts import plotly
from sim.charts.data import decode_chart, first_token_chart, swing_chart
from sim.charts.frame import BASELINE
from sim.evidence.measured import MeasuredRun
from sim.reports.document import swing_entry

pytestmark = pytest.mark.usefixtures("packages_read_once")
NOW, BEFORE = Choices(model="andesvl-2b"), Choices()
LEVELS = {"model": ["andesvl-0.6b", "andesvl-2b"]}


def table(choices):
    return timeline.operators(timeline.step_frame(run(choices), "decode", 0))


def sweep():
    import pandas as pd

    return pd.DataFrame(tradeoffs.rows(NOW, LEVELS)), tradeoffs.row_of(BEFORE, run(BEFORE))


def drawings():
    now, before = run(NOW), run(BEFORE)
    swept, row = sweep()
    swings = [swing_entry(swing) for swing in parameter_swings(NOW)]
    rows = comparing.compare(
        [
            MeasuredRun(
                id="a", device="dimensity_9500", stack="neuropilot", model="qwen3-0.6b",
                weights="w4", tokens_per_s=9.0,
            )
        ]
    )  # fmt: skip
    sessions = sustained.session(NOW), sustained.session(BEFORE)
    value = nominal(BEFORE, "reply_s")
    return {
        "waterfall": plotly.drawn(
            first_token_chart(now.summary().as_dict(), 2.0, before.summary().as_dict())
        ),
        "decode": plotly.drawn(decode_chart(decode_terms(NOW), 127, (decode_terms(BEFORE), 127))),
        "memory": plotly.drawn(screens.residency(now, before)),
        "roofline": roofline.roofline(now, table(NOW), table(BEFORE)),
        "pareto": tradeoff.pareto(swept, list(LEVELS), row, row),
        "tornado": plotly.drawn(
            swing_chart("reply_s", nominal(NOW, "reply_s"), swings, before=value)
        ),
        "ten minutes": endurance.endurance(*sessions),
        "parity": plotly.drawn(comparing.parity(rows, rows)),
    }


@pytest.fixture(scope="module")
def drawn():
    return drawings()


CHARTS = ["waterfall", "decode", "memory", "roofline", "pareto", "tornado"]


@pytest.mark.parametrize("name", [*CHARTS, "ten minutes"])
def test_the_baseline_is_named_in_every_chart(drawn, name):
    from plotly.graph_objects import Figure

    figure = Figure(drawn[name])
    names = [trace.name or "" for trace in figure.data]
    names += [note.text or "" for note in figure.layout.annotations]
    assert any(BASELINE in text for text in names)


def test_rows_before_a_fit_are_not_called_the_baseline(drawn):
    names = [trace["name"] for trace in drawn["parity"]["data"]]
    assert names[-1] == "before the fit"
    assert BASELINE not in names


def test_points_that_coincide_are_counted_once_and_groups_do_not_overprint(drawn):
    counted = [trace for trace in drawn["pareto"]["data"] if trace["mode"] == "markers+text"]
    for trace in counted:
        places = list(zip(trace["x"], trace["y"], strict=True))
        told = [place for place, text in zip(places, trace["text"], strict=True) if text]
        assert len(told) == len(set(told))
    assert len({trace["textposition"] for trace in counted}) == len(counted)


def test_the_waterfall_of_the_baseline_ends_at_its_first_token(drawn):
    then = next(trace for trace in drawn["waterfall"]["data"] if trace["name"] == BASELINE)
    ends = dict(zip(then["y"], zip(then["base"], then["x"], strict=True), strict=True))
    assert sum(ends["prefill"]) == pytest.approx(run(BEFORE).summary().time_to_first_token_s)
    assert ends["first token"][1] == run(BEFORE).summary().time_to_first_token_s


def test_arrows_of_the_roofline_lead_from_the_baseline_to_now(drawn):
    notes = drawn["roofline"]["layout"]["annotations"]
    arrows = [note for note in notes if "axref" in note]
    assert 0 < len(arrows) <= roofline.MOST_ARROWS
    now = table(NOW).set_index("name")
    for arrow in arrows:
        row = now.loc[arrow["hovertext"].partition(":")[0]]
        assert 10 ** arrow["x"] == pytest.approx(row["flops"] / row["dram_bytes"])


def test_a_baseline_has_a_level_of_its_own_among_all_configurations():
    swept, row = sweep()
    trace = tradeoff.parallel(swept, list(LEVELS), row)["data"][0]
    model, *metrics = trace["dimensions"]
    assert model["ticktext"] == [*LEVELS["model"], tradeoff.OTHER]
    assert [axis["values"][-1] for axis in metrics] == [row[name] for name in tradeoffs.METRICS]


def test_the_baseline_is_told_by_what_differs():
    assert baseline_sentence(NOW, BEFORE) == "A, pinned, has Model andesvl-4b."
    assert "change something" in baseline_sentence(NOW, NOW)


def test_a_baseline_that_cannot_be_simulated_stops_no_page():
    app = AppTest.from_file(str(Path(dashboard.__file__).with_name("app.py")), default_timeout=60)
    app.query_params["baseline"] = "what_if=dram.speed=1"
    app.run()
    for page in ("explore", "timeline", "tradeoffs", "sustained"):
        app.switch_page(f"app_pages/{page}.py").run()
        assert not app.exception


def test_the_load_phase_is_the_cold_start():
    result = run(NOW)
    start, frame = result.cold_start(), timeline.step_frame(run(NOW), transfers.LOAD, 0)
    assert frame["end_s"].max() == start.total_s
    busy = timeline.busy(frame).set_index("lane")["busy [ms]"]
    assert busy[transfers.FLASH] == pytest.approx(start.read_s * 1e3)
    assert busy[timeline.HOST] == pytest.approx(start.graph_init_s * 1e3)


def test_a_switched_adapter_is_read_from_flash():
    result = run(Choices(adapters=2))
    frame = timeline.step_frame(result, "prefill", 0)
    assert frame["flash_bytes"].sum() == result.flash_read_bytes
    switch_s = (frame["end_s"] - frame["ready_s"])[frame["kind"] == transfers.SWITCH].sum()
    assert 0.0 < frame["flash_s"].sum() < switch_s
    assert timeline.step_frame(result, "prefill", 1)["flash_bytes"].sum() == 0.0


def test_deltas_of_cards_name_the_baseline_s_distance():
    now, before = run(NOW), run(BEFORE)
    peak = next(card for card in cards(now, before) if card.metric == "peak_dram_bytes")
    assert peak.delta is not None
    assert peak.delta.startswith("-")
