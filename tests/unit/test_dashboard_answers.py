"""Verdict, cards, remedies, timeline and assumptions: what the pages say is what the run holds."""

from __future__ import annotations

import json
import shlex
import tempfile
from dataclasses import replace
from threading import Event
from time import monotonic, sleep
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest
import yaml

from dashboard import assumptions, handover, runs, screens, sustained, timeline
from dashboard.cards import cards, with_ranges
from dashboard.charts import endurance, roofline
from dashboard.choices import Choices
from dashboard.links import BASELINE_FILE, read_query, scenario_yaml
from dashboard.remedies import MOST_SHOWN, remedies
from dashboard.runs import (
    decode_terms,
    judged,
    run,
    targets,
    word,
)
from dashboard.workers import Worker
from sim import simulate
from sim.charts import plotly
from sim.charts.data import decode_chart
from sim.errors import SimError
from sim.judgements import Status
from sim.reports.sections import sizing_page
from sim.wording import shown
from workloads.scenario import Scenario, load_scenario


@pytest.fixture(scope="module")
def result():
    return run(Choices())


def test_each_missed_target_is_named_with_its_cause(result):
    answer = judged(Choices(most_first_token_s=0.1, least_tokens_per_s=900.0), result)
    assert answer.status is Status.FAIL
    first = shown("time_to_first_token_s", result["time_to_first_token_s"]).text
    assert f"at most 0.100 s; the run misses it with {first} (prefill is" in answer.sentence
    assert "at least 900 tokens/s" in answer.sentence


def test_out_of_memory_is_a_word_of_its_own():
    choices = Choices(app_budget_gib=2.0)
    small = run(choices)
    answer = judged(choices, small)
    assert word(small, answer) == "OUT OF MEMORY"
    assert "of 2.00 GiB; the largest part is weights" in answer.sentence


def test_cards_compare_with_the_baseline(result):
    slower = run(Choices(what_if="dram.rate=5 GT/s"))
    rate = cards(slower, result)[1]
    difference = slower.summary().tokens_per_s - result.summary().tokens_per_s
    assert rate.delta == f"{difference:+.1f} tok/s"
    assert rate.delta.startswith("-")
    assert not rate.less_is_better


def test_cards_of_the_baseline_itself_show_no_change(result):
    assert [card.delta for card in cards(result, result)] == ["no change"] * 5
    assert [card.delta for card in cards(result)] == [None] * 5


def test_a_run_out_of_memory_claims_no_time_and_no_energy():
    values = {card.label: card.value for card in cards(run(Choices(app_budget_gib=1.0)))}
    assert values["Time to first token"] == values["Energy per reply"] == "–"
    assert values["Peak DRAM"].endswith("GiB")


def test_every_remedy_passes_and_changes_one_thing():
    choices = Choices(app_budget_gib=2.0)
    found = remedies(choices)
    assert 0 < len(found) <= MOST_SHOWN
    for remedy in found:
        changed = choices.changed(**remedy.changes)
        assert judged(changed, run(changed)).status is Status.PASS


def test_no_remedy_is_invented_where_none_exists():
    assert remedies(Choices(most_first_token_s=0.05, least_tokens_per_s=1000.0)) == []


def test_a_step_ends_with_its_last_operator(result):
    frame = timeline.step_frame(result, "decode", 5)
    decode = [times for times in result.groups if times.group.phase == "decode"]
    seconds = np.concatenate([times.ends_s - times.starts_s for times in decode])
    assert frame["end_s"].max() == pytest.approx(seconds[5], rel=1e-9)


def test_operators_share_out_the_whole_step(result):
    frame = timeline.step_frame(result, "prefill", 0)
    table = timeline.operators(frame)
    assert table["elapsed_s"].sum() == pytest.approx(frame["end_s"].max(), rel=1e-9)
    assert table["share"].sum() == pytest.approx(1.0)
    assert table["elapsed_s"].is_monotonic_decreasing


def test_operators_are_found_by_text_and_bound(result):
    table = timeline.operators(timeline.step_frame(result, "decode", 0))
    assert set(timeline.found(table, "LM_HEAD", [])["name"]) == {"lm_head"}
    assert set(timeline.found(table, "", ["dram"])["bound"]) == {"dram"}
    assert timeline.found(table, "(", []).empty


def test_busy_shares_are_shares(result):
    table = timeline.busy(timeline.step_frame(result, "decode", 0))
    assert table["busy share"].between(0.0, 1.0).all()


def test_the_perfetto_file_is_chrome_trace_json(result):
    document = json.loads(timeline.perfetto(result))
    assert {event["ph"] for event in document["traceEvents"]} >= {"M", "X", "C"}


def test_every_parameter_of_the_device_is_listed_with_its_source(result):
    table = assumptions.table(Choices())
    assert set(table["parameter"]) == set(result.soc.parameters())
    assert table["source"].str.len().min() > 0
    moved = table["reply_moves_s"].dropna()
    assert moved.is_monotonic_decreasing
    assert moved.iloc[0] > 0.0
    assert table["rank"].dropna().tolist() == list(range(1, len(moved) + 1))


def test_a_what_if_value_is_set_and_taken_back():
    path = "stacks.neuropilot.bandwidth_fraction"
    text = assumptions.with_what_if(Choices(), path, 0.5)
    assert assumptions.with_what_if(Choices(what_if=text), path, 0.4) == f"{path}=0.4"
    own = run(Choices()).soc.parameters()[path].value
    assert assumptions.with_what_if(Choices(what_if=text), path, own) == ""


def test_the_report_holds_the_numbers_and_targets_of_the_sidebar(result):
    choices = Choices(most_first_token_s=1.0)
    found = handover.document(choices)
    assert found["run"]["metrics"] == result.summary().as_dict()
    assert found["verdict"]["word"] in ("FAIL", "MARGINAL")
    assert [str(target) for target in targets(choices)] == [
        "time_to_first_token_s<=1",
        "tokens_per_s>=15",
    ]


def test_the_report_uses_the_what_if_values():
    choices = Choices(what_if="dram.rate=5 GT/s")
    metrics = handover.document(choices)["run"]["metrics"]
    assert metrics == run(choices).summary().as_dict()


def test_the_report_gives_the_link_that_opens_its_choices():
    choices = Choices(model="smollm2-135m", images=0, output_tokens=9, what_if="dram.rate=5 GT/s")
    link = handover.document(choices)["reproduce"]["link"]
    reading = read_query(dict(parse_qsl(urlsplit(link).query, keep_blank_values=True)))
    assert reading == (choices, None, (), ())
    found = handover.document(choices)
    assert link in handover.file(found, sizing_page(found), ".md").decode()


def test_the_report_compares_with_the_pinned_baseline(tmp_path, monkeypatch):
    choices = Choices(model="smollm2-135m", images=0, output_tokens=9)
    pinned = choices.changed(body="w8", what_if="dram.rate=5 GT/s")
    found = handover.document(choices, pinned)
    assert found["baseline"]["metrics"]["tokens_per_s"] == run(pinned)["tokens_per_s"]
    assert {change["path"] for change in found["baseline"]["changes"]} == {
        "assume.dram.rate",
        "deployment.weights.body",
    }
    assert str(tempfile.gettempdir()) not in json.dumps(found)
    assert "--baseline baseline.yaml" in found["reproduce"]["command"]
    reading = read_query(dict(parse_qsl(urlsplit(found["reproduce"]["link"]).query)))
    assert (reading.choices.model, reading.baseline.body) == (choices.model, "w8")
    (tmp_path / BASELINE_FILE).write_text(scenario_yaml(pinned))
    monkeypatch.chdir(tmp_path)
    again = load_scenario(BASELINE_FILE)
    assert simulate(again)["tokens_per_s"] == pytest.approx(run(pinned)["tokens_per_s"])


def test_sections_of_the_report_can_be_left_out():
    found = handover.document(Choices())
    whole = sizing_page(found)
    first = whole.sections[0].title
    shown = handover.shortened(whole, [first])
    assert [section.title for section in shown.sections] == [first]
    text = handover.file(found, shown, ".md").decode()
    assert first in text
    assert whole.sections[-1].title not in text


def test_ranges_are_the_intervals_of_the_metrics(result):
    intervals = {"load_s": {"p10": 0.5, "p50": 0.6, "p90": 0.75}}
    shown = with_ranges(cards(result), intervals)
    assert [card.range for card in shown if card.metric == "load_s"] == ["80 % range 0.50 to 0.75"]
    assert {card.range for card in with_ranges(cards(result), None)} == {"80 % range: computing"}


def test_a_question_asked_again_and_again_still_settles():
    """Equal questions are one, though each look makes its own."""
    background = Worker(lambda question: question.prompt_tokens, settle_s=0.02)
    for _ in range(400):
        answer = background.ask(Choices(prompt_tokens=48))
        if answer is not None:
            break
        sleep(0.005)
    assert answer == 48


def test_work_in_the_background_is_done_once_and_the_stale_left_out():
    begun, gate, done = [], Event(), Event()

    def compute(question: str) -> str:
        begun.append(question)
        gate.wait(5.0)
        if question == "newest":
            done.set()
        return question.upper()

    background = Worker(compute)
    assert background.ask("first") is None
    while not begun:
        sleep(0.001)
    assert background.ask("stale") is None
    assert background.ask("newest") is None
    gate.set()
    assert done.wait(5.0)
    while (answer := background.ask("newest")) is None:
        sleep(0.001)
    assert answer == "NEWEST"
    assert begun == ["first", "newest"]
    assert background.ask("first") == "FIRST"


def test_every_chart_is_a_valid_figure(result):
    from plotly.graph_objects import Figure

    frame = timeline.step_frame(result, "prefill", 0)
    for figure in (
        plotly.drawn(screens.residency(result)),
        plotly.drawn(decode_chart(decode_terms(Choices()), 127)),
        roofline.roofline(result, timeline.operators(frame)),
    ):
        assert Figure(figure).data


def test_a_component_keeps_its_colour_in_every_chart(result):
    area = {layer.name: layer.colour for layer in screens.residency(result).layers}
    bars = decode_chart(decode_terms(Choices()), 127).bars
    found = {bar.name: bar.colour for bar in bars}
    assert found["DRAM: weights"] == area["weights"]
    assert found["DRAM: KV cache"] == area["KV cache"]


def test_the_ten_minutes_begin_at_ambient_and_as_fast_as_one_reply():
    session = sustained.session(Choices())
    found = sustained.endurance(session)
    once = run(Choices()).summary().tokens_per_s
    assert found.first_tokens_per_s == pytest.approx(once, rel=1e-6)
    assert session.heat.readings[0].body_c == pytest.approx(25.0, abs=1.0)
    assert session.makespan_s >= sustained.SESSION_S - 60.0
    assert sustained.rates(session)["at_s"].max() < sustained.SESSION_S


def test_a_hot_phone_throttles_and_says_when():
    found = sustained.endurance(sustained.session(Choices(ambient_c=45.0)))
    assert found.throttled_at_s is not None
    assert found.tenth_tokens_per_s < found.first_tokens_per_s or found.throttled_at_s < 60.0
    assert f"after {found.throttled_at_s:.0f} s" in found.sentence()


@pytest.mark.parametrize("what_if", ["", pytest.param("dram.rate=8 GT/s", marks=pytest.mark.long)])
def test_the_command_of_a_report_writes_the_same_report(what_if, andesim, tmp_path, monkeypatch):
    choices = Choices(model="smollm2-135m", images=0, output_tokens=9, what_if=what_if)
    found = handover.document(choices)
    monkeypatch.chdir(tmp_path)
    again = andesim(*shlex.split(found["reproduce"]["command"])[1:], "--json")
    expected = json.loads(json.dumps(found))
    assert json.loads(again.out) == expected | {"reproduce": expected["reproduce"] | {"link": None}}
    shown, saved = map(yaml.safe_load, (found["reproduce"]["scenario"], scenario_yaml(choices)))
    assert Scenario.from_mapping(shown) == Scenario.from_mapping(saved)
    assert shown.get("assume") == saved.get("assume")


def test_a_reply_of_one_token_is_not_asked_for_a_rate():
    asked = targets(Choices(output_tokens=1))
    assert [target.metric for target in asked] == ["time_to_first_token_s"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_question_that_cannot_be_answered_does_not_hold_up_the_next():
    def compute(question):
        if question == "bad":
            raise RuntimeError
        return question

    work = Worker(compute)
    assert work.ask("bad") is None
    deadline = monotonic() + 5.0
    while work.ask("good") is None:
        assert monotonic() < deadline
        sleep(0.01)


def test_a_run_that_no_draw_allows_has_no_draws(monkeypatch):
    def refuse(result):
        raise SimError("a draw cannot be simulated")

    monkeypatch.setattr(runs.precomputed, "draws", refuse)
    assert runs._draws(Choices()) == {}


def test_a_governor_without_trips_draws_no_line():
    session = sustained.session(Choices(model="smollm2-135m", images=0))
    governor = session.soc.thermal.governor.model_copy(update={"trip_c": (), "clock_fraction": ()})
    thermal = session.soc.thermal.model_copy(update={"governor": governor})
    soc = session.soc.model_copy(update={"thermal": thermal})
    drawn = endurance.endurance(replace(session, soc=soc))
    assert not drawn["layout"]["annotations"]
