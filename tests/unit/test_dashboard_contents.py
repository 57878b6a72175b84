"""What pages show beside the answer, run headless: fans, phones, bytes, runs, a fit, a stop."""

from __future__ import annotations

from itertools import pairwise
from threading import Event
from time import sleep

import pytest

from dashboard import handover, limits, notebook, phones, state
from dashboard.choices import GIB, Choices
from dashboard.runs import run, targets
from dashboard.screens import DRAWING
from tests.unit.headless import done, figures, opened, page

pytestmark = pytest.mark.usefixtures("packages_read_once")
SMALL = {"model": "smollm2-135m", "images": "0", "output_tokens": "8"}
ASKED = Choices(model="smollm2-135m", images=0, output_tokens=8)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Headless pages wait for no draws; a test that needs them asks for them."""
    monkeypatch.setattr(state, "PATIENCE_S", 0.0)


def test_a_phone_that_passes_at_first_and_not_when_warm_throttles():
    app = opened(images="0", ambient_c="40", least_tokens_per_s="10", output_tokens="32")
    for _ in range(600):
        if not app.main.markdown or DRAWING not in _verdict(app):
            break
        sleep(0.1)
        app.run()
    assert _verdict(app).startswith("**THROTTLES.**")
    assert not [*app.success, *app.error]


def _verdict(app):
    return next(one.value for one in (*app.warning, *app.success, *app.error))


def test_each_run_tells_the_browser_which_device_the_named_list_shows():
    app = opened(device="snapdragon_8_elite", **SMALL)
    for _ in range(2):  # of a first run that was cut short the browser was not told
        told = app.selectbox(key="named_device").proto
        assert told.set_value
        assert "snapdragon_8_elite" in told.raw_value
        app.run()


def test_a_measurement_of_a_link_that_does_not_ship_is_named():
    app = opened(exhibit="nonsense", **SMALL).switch_page("app_pages/validate.py").run()
    assert "exhibit must be what this page offers. Got 'nonsense'." in app.main.code[0].value


def test_a_fan_has_a_panel_per_target_over_the_reach_of_its_setting():
    app = opened(fan_axis="prompt", **SMALL)
    done(app, "fan")
    (fan,) = [one for one in figures(app) if "yaxis3" in one["layout"]]
    reach = list(limits.SETTINGS["prompt"].reach)
    likely = [one for one in fan["data"] if one.get("yaxis") == "y3"]
    assert [one["x"] for one in likely] == [reach, reach]
    assert all(0.0 <= share <= 1.0 for one in likely for share in one["y"])
    assert fan["layout"]["shapes"][-1]["x0"] == ASKED.prompt_tokens  # moves with the slider
    said = [one["y0"] for one in fan["layout"]["shapes"][:-1]]
    assert said == [target.limit for target in targets(ASKED)]


def test_the_wall_shows_each_phone_and_puts_one_into_the_sidebar(monkeypatch):
    chosen = ("dimensity_9400", "snapdragon_8_elite")
    monkeypatch.setattr(phones, "PHONES", chosen)
    app = page("phones", **SMALL)
    done(app, "wall")
    (table,) = (one.value for one in app.dataframe)
    said = next(one.value for one in app.markdown if "phones and stacks pass" in one.value)
    passing = (table["verdict"] == "PASS").sum()
    assert said.startswith(f"**{passing} of {len(table)} phones and stacks pass.**")
    told = [one.alt for image in app.get("image") for one in image.proto.imgs]
    assert len(told) == len(chosen)
    assert all(", decode: " in text and "tokens/s, " in text for text in told)
    app.button(key="take_snapdragon_8_elite").click().run()
    app.run()
    assert app.selectbox(key="device").value == "snapdragon_8_elite"


def test_memory_lies_in_the_frame_of_the_budget_and_operators_walk_under_their_roofs():
    app = page("bytes", **SMALL)
    way, memory, walk = figures(app)
    assert way["data"][0]["type"] == "sankey"
    (held,) = memory["data"]
    budget = run(ASKED).ledger.budget_bytes
    assert held["labels"][0] == f"app budget {budget / GIB:.2f} GiB"
    assert held["values"][0] == pytest.approx(budget)
    sizes = dict(zip(held["ids"], held["values"], strict=True))
    inside = [name for name, of in zip(held["ids"], held["parents"], strict=True)
              if of == held["labels"][0]]  # fmt: skip
    assert sum(sizes[name] for name in inside) == pytest.approx(budget)
    ways = [one for one in walk["data"] if one["mode"] == "lines+markers"]
    for one in ways:
        contexts = [size for _, size in one["customdata"]]
        grown = one["marker"]["size"]
        assert all(low < high for row in (contexts, grown) for low, high in pairwise(row))
    risen = {one["name"]: max(one["y"]) / min(one["y"]) for one in ways}
    assert risen.pop("self_attn") > 1.1
    assert all(ratio == pytest.approx(1.0) for ratio in risen.values())


def test_saved_runs_stand_side_by_side_are_loaded_pinned_forgotten_and_exported():
    app = page("runs", **SMALL)
    assert app.info[0].value.startswith("**Nothing is saved yet.**")
    for name, tokens in (("short", 64), ("long", 640), ("longer", 900)):
        app.number_input(key="prompt_tokens").set_value(tokens).run()
        saved = len(app.session_state["saved_runs"])
        app.text_input(key=f"run_name_{saved}").set_value(name).run()
        app.button(key="save_run").click().run()
    table = app.dataframe[0].value
    assert table["run"].tolist() == ["short", "long", "longer"]
    assert table["differs in"].tolist() == ["", "prompt_tokens 640", "prompt_tokens 900"]
    assert table["first token [s]"].is_monotonic_increasing
    assert len(figures(app)) == len(notebook.METRICS)
    assert {one.label for one in app.download_button} >= {"All as one report", "All as JSON"}
    app.selectbox(key="picked_run").set_value("long").run()
    click(app, "Load into the sidebar")
    assert app.number_input(key="prompt_tokens").value == 640
    app.selectbox(key="picked_run").set_value("short").run()
    click(app, "Pin as the baseline A")
    assert app.session_state["pinned_baseline"].prompt_tokens == 64
    click(app, "Forget it")
    assert app.dataframe[0].value["run"].tolist() == ["long", "longer"]


def click(app, label):
    next(button for button in app.button if button.label == label).click().run()


def test_a_report_that_is_stopped_says_so_and_can_be_written_anew(monkeypatch):
    held, steps = Event(), handover.report_steps

    def slow(question):
        for count, step in enumerate(steps(question)):
            if count == 1:
                held.wait(60.0)
            yield step

    monkeypatch.setattr(handover, "report_steps", slow)
    app = page("report", **SMALL)
    app.button(key="write_report").click().run()
    try:
        app.button(key="stop_report").click().run()
    finally:
        held.set()
    done(app, "report")
    assert not app.get("iframe")
    assert app.info[0].value.startswith("Stopped. Write the report again")
    app.button(key="write_report").click().run()
    done(app, "report")
    assert len(app.get("iframe")) == 1
