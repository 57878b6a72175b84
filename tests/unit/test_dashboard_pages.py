"""The pages, run headless: what is on screen, deep links, callbacks."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Event
from time import sleep
from urllib.parse import parse_qsl

import pytest

from dashboard import screens, state, sweeping, tradeoffs
from dashboard.cards import cards
from dashboard.choices import Choices
from dashboard.presets import PRESETS, preset
from dashboard.runs import judged, run
from dashboard.screens import DRAWING
from dashboard.sweep_page import STALE
from sim.judgements import Status
from sim.wording import PASSES
from tests.unit.headless import APP, button_that_comes, done, opened, shown

pytestmark = pytest.mark.usefixtures("packages_read_once")
PAGES = sorted(path.name for path in (APP.parent / "app_pages").glob("*.py"))


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Headless pages wait for no draws; a test that needs them asks for them."""
    monkeypatch.setattr(state, "PATIENCE_S", 0.0)


def expected(choices: Choices) -> dict[str, str]:
    return {card.label: card.value for card in cards(run(choices))}


def test_the_first_screen_shows_the_default_scenario():
    app = opened()
    assert not app.exception
    assert shown(app) == expected(Choices())
    drawn = [*app.success, *app.warning]
    assert drawn[0].value.startswith(("**PASS.**", "**MARGINAL.**"))


def test_a_fail_has_its_own_colour_and_a_verdict_without_draws_says_so(monkeypatch):
    with monkeypatch.context() as early:  # however fast the draws are made
        early.setattr(screens, "sampled", lambda _: None)
        app = opened(most_first_token_s="0.1", context_tokens="4097")
    said = app.error[0].value
    assert said.startswith("**FAIL.**")
    assert said.endswith(DRAWING)
    for _ in range(600):
        if not app.error[0].value.endswith(DRAWING):
            break
        sleep(0.1)
        app.run()
    assert app.error[0].value.startswith("**FAIL.**")
    assert DRAWING not in app.error[0].value
    app.switch_page("app_pages/sustained.py").run()
    assert app.error  # the colour of the verdict
    assert not app.success


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_sets_every_control_and_shows_its_numbers(name):
    app = opened(prompt_tokens="999")
    app.selectbox(key="preset").set_value(name).run()
    assert not app.exception
    assert shown(app) == expected(preset(name))


@pytest.mark.parametrize("page", PAGES)
def test_every_page_runs_without_an_exception(page):
    app = opened().switch_page(f"app_pages/{page}").run()
    assert not app.exception
    assert not app.error


@pytest.mark.parametrize("page", PAGES)
def test_every_page_survives_a_model_that_does_not_fit(page):
    app = opened(app_budget_gib="1").switch_page(f"app_pages/{page}").run()
    assert not app.exception


@pytest.mark.parametrize("page", [page for page in PAGES if page not in ("validate.py", "own.py")])
def test_every_page_says_what_cannot_be_simulated(page):
    app = opened(what_if="dram.speed=1").switch_page(f"app_pages/{page}").run()
    assert not app.exception
    assert app.error[0].value == "This cannot be simulated."
    assert any("dram.speed" in code.value for code in app.code)


def test_a_link_sets_the_controls_and_names_what_is_wrong():
    app = opened(body="w8", body_bits="99", colour="red")
    assert shown(app) == expected(Choices(body="w8"))
    assert app.warning[0].value.startswith("This link was not fully understood.")
    said = app.main.code[0].value
    assert "Body bits per weight (body_bits) must be less than or equal to 16" in said
    assert "'colour' is not a known choice" in said


def test_what_if_text_longer_than_a_link_holds_is_named():
    app = opened(what_if="x" * 5000)
    assert not app.exception
    assert "(what_if) must be text of at most 4000 characters." in app.main.code[0].value
    assert shown(app) == expected(Choices())


def test_text_of_a_link_is_never_drawn_as_markup():
    image = "![x](http://example.invalid/x.png)"
    app = opened(what_if=image, model=image)
    drawn = [*app.markdown, *app.warning, *app.error, *app.caption, *app.success]
    assert not any(image in element.value for element in drawn)


def test_the_copied_link_reproduces_the_screen():
    app = opened(model="andesvl-1b", context_tokens="4096", eviction="h2o", keep="0.2")
    app.button(key="pin").click().run()
    app.number_input(key="prompt_tokens").set_value(512).run()
    link = next(code.value for code in app.code if "model=" in code.value and "?" in code.value)
    again = opened(**dict(parse_qsl(link.partition("?")[2], keep_blank_values=True)))
    assert shown(again) == shown(app)
    assert [m.delta for m in again.metric] == [m.delta for m in app.metric]
    assert any(metric.delta for metric in again.metric)


def test_reset_returns_to_the_default():
    app = opened(model="andesvl-1b", adapters="2", eviction="okv")
    reset = next(button for button in app.button if button.label == "Reset")
    reset.click().run()
    assert shown(app) == expected(Choices())


def test_a_remedy_is_applied_with_one_click():
    app = opened(app_budget_gib="2")
    assert app.error[0].value.startswith("**OUT OF MEMORY.**")
    button = button_that_comes(app, "remedy_0")
    assert any(f") {PASSES}: " in one.value for one in app.markdown)
    button.click().run()
    choices = Choices(**{name: app.session_state[name] for name in Choices.model_fields})
    assert choices != Choices(app_budget_gib=2.0)
    assert judged(choices, run(choices)).status is Status.PASS  # its draws may say MARGINAL


def test_another_device_offers_its_own_stacks():
    app = opened(stack="neuropilot_public")
    named = app.selectbox(key="named_device")
    assert "Qualcomm Snapdragon 8 Elite (snapdragon_8_elite, SM8750, Hexagon v79)" in named.options
    named.set_value("snapdragon_8_elite").run()
    assert app.selectbox(key="device").value == "snapdragon_8_elite"
    assert not app.exception
    assert "genie" in app.selectbox(key="stack").options
    assert shown(app) == expected(Choices(device="snapdragon_8_elite"))


def test_a_swept_point_is_loaded_into_the_sidebar():
    app = opened().switch_page("app_pages/tradeoffs.py").run()
    done(app, "sweep")
    done(app, "weigh")
    said = app.success[0].value
    assert said.startswith("**Least given up of")
    model, bits = said.partition(": ")[2].partition(".**")[0].split(", ")
    app.button(key="load_point").click().run()
    best = Choices(model=model, body="by bits", body_bits=float(bits.removesuffix(" bits")))
    app.switch_page("app_pages/explore.py").run()
    assert shown(app) == expected(best)
    assert app.success[0].value.startswith("**PASS.**")


def test_the_first_points_of_a_sweep_are_drawn_before_the_last_is_made(monkeypatch):
    held = Event()
    every = tradeoffs.rows

    def slow(choices, levels):
        for count, row in enumerate(every(choices, levels)):
            yield row
            if count == 1:
                held.wait(60.0)

    monkeypatch.setattr(tradeoffs, "rows", slow)
    monkeypatch.setattr(sweeping, "FIRST_S", 5.0)
    app = opened().switch_page("app_pages/tradeoffs.py").run()
    try:
        assert any("of 2 so far meet every target" in one.value for one in app.caption)
        assert app.button(key="stop_sweep")
        assert not app.success
    finally:
        held.set()
    done(app, "sweep")
    assert "so far" not in " ".join(one.value for one in app.caption)


def test_a_sweep_of_other_axes_or_choices_is_told_as_of_before_and_without_colour():
    app = opened().switch_page("app_pages/tradeoffs.py").run()
    done(app, "sweep")
    done(app, "weigh")
    app.button(key="load_point").click().run()
    assert app.success[0].value.startswith("**Least given up of")  # Run would sweep the same
    app.multiselect(key="sweep_axes").set_value(["bits"]).run()
    assert not [*app.success, *app.warning]
    assert any(one.value.startswith(f"**{STALE}** Least given up") for one in app.caption)
    app.button(key="run_sweep").click().run()
    done(app, "sweep")
    done(app, "weigh")
    assert not any(STALE in one.value for one in app.caption)
    app.number_input(key="prompt_tokens").set_value(77).run()
    assert any(STALE in one.value for one in app.caption)


def test_the_evidence_page_names_near_rows_and_what_to_measure_next():
    app = opened(model="qwen3-0.6b", images="0").switch_page("app_pages/evidence.py").run()
    assert "qwen3-0.6b" in app.dataframe[-1].value["model"].tolist()
    app.button(key="worth").click().run()
    assert not app.exception
    assert app.info[0].value.startswith("**Measuring ")


def test_an_upload_is_judged_and_a_broken_one_is_explained():
    imports = Path(__file__).parents[1] / "fixtures" / "imports"
    app = opened(device="snapdragon_8_elite").switch_page("app_pages/validate.py").run()
    rows = json.loads((imports / "llama_bench.json").read_text())
    told = [row | {"cpu_info": "Qualcomm Oryon", "gpu_info": ""} for row in rows]
    app.file_uploader[0].upload("../../x.json", json.dumps(told).encode()).run()
    assert "not judged yet" in app.warning[0].value
    assert not app.metric
    app.selectbox(key="ran_on").set_value("snapdragon_8_elite").run()
    assert not app.exception
    assert app.info[0].value.startswith("**On Qualcomm Snapdragon 8 Elite")
    assert {metric.label for metric in app.metric} >= {"Decode rate"}
    assert "Keep the stack (YAML)" not in [one.label for one in app.download_button]
    app.button(key="fit_stack").click().run()
    table = next(one.value for one in app.dataframe if "error before [%]" in one.value)
    before, after = table["error before [%]"], table["error after [%]"]
    assert (after <= before).all()
    assert (after < before).any()
    assert "Keep the stack (YAML)" in [one.label for one in app.download_button]
    app.button(key="use_fit").click().run()
    device = app.selectbox(key="device").value
    assert device.startswith("fitted@")
    told = f"{device}: Qualcomm Snapdragon 8 Elite (SM8750, Hexagon v79)"
    assert told in app.selectbox(key="named_device").options
    assert app.selectbox(key="stack").value == "llamacpp_cpu"
    app = opened().switch_page("app_pages/validate.py").run()
    app.file_uploader[0].upload("x.json", b'{"model": ').run()
    assert app.error[0].value == "x.json cannot be read."


def test_the_report_is_written_when_asked_and_not_before():
    app = opened().switch_page("app_pages/report.py").run()
    assert not app.get("iframe")
    app.button(key="write_report").click().run()
    done(app, "report")
    assert not app.exception
    assert len(app.get("iframe")) == 1
    app.number_input(key="prompt_tokens").set_value(128).run()
    assert "not written yet" in app.info[0].value


def test_operator_search_narrows_the_table():
    app = opened().switch_page("app_pages/timeline.py").run()
    app.text_input(key="operator_search").set_value("lm_head").run()
    assert app.dataframe[-1].value["operator"].tolist() == ["lm_head"]


def test_an_assumption_becomes_a_what_if():
    app = opened().switch_page("app_pages/assumptions.py").run()
    app.selectbox(key="parameter").set_value("dram.channels").run()
    app.number_input(key="value_dram.channels").set_value(2.0).run()
    next(button for button in app.button if button.label == "What if").click().run()
    assert app.text_input(key="what_if").value == "dram.channels=2.0"
    app.switch_page("app_pages/explore.py").run()
    assert shown(app) == expected(Choices(what_if="dram.channels=2.0"))
