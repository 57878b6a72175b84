"""What a person brings is told by what it holds, checked, and used; what it hides does no harm."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from dashboard import bringing, networks, notebook, own
from dashboard.choices import Choices
from dashboard.links import command_line, query, read_query, scenario_yaml
from dashboard.runs import USER_ERRORS, run
from dashboard.templates import device_template
from sim.errors import SimError
from tests.unit.headless import opened
from workloads.shipped_ids import NETWORK_TRACES

IMPORTS = Path(__file__).parents[1] / "fixtures" / "imports"
DEVICE = b"""extends: dimensity_9500
name: My phone
sources: {bench: {title: my own measurement}}
dram: {channels: {value: 2, kind: assumed, source: bench, low: 2, high: 2}}
"""
pytestmark = pytest.mark.usefixtures("packages_read_once")
SMALL = Choices(model="smollm2-135m", images=0, output_tokens=8)


def test_a_device_of_ones_own_is_simulated_and_named_without_its_folder():
    (taken,) = bringing.take(DEVICE, "../my phone!.yaml", SMALL)
    choices = taken.choices
    assert choices.device.startswith("my_phone@")
    assert run(choices).summary().tokens_per_s < run(SMALL).summary().tokens_per_s
    assert "/" not in command_line(choices)
    assert "device: my_phone.yaml" in scenario_yaml(choices)


def test_a_link_names_it_by_digest_and_an_unknown_digest_is_named():
    (taken,) = bringing.take(DEVICE, "my.yaml", SMALL)
    pairs = dict(pair.split("=", 1) for pair in query(taken.choices).split("&"))
    device = pairs["device"].replace("%40", "@")
    assert read_query({"device": device}).faults == ()
    (fault,) = read_query({"device": "my@00000000"}).faults
    assert "device must be a known option" in fault


def test_a_scenario_fills_the_sidebar_and_names_what_it_cannot_hold():
    text = scenario_yaml(SMALL.changed(body="by bits", body_bits=2.5, ambient_c=31.0))
    text += "  - {prompt_tokens: 9, output_tokens: 4}\n"
    (taken,) = bringing.take(text.encode(), "scenario.yaml", Choices())
    assert taken.choices.body_bits == 2.5
    assert taken.choices.ambient_c == 31.0
    assert taken.choices.model == "smollm2-135m"
    assert any("turns" in path for path in taken.left_out)


def test_every_choice_of_the_sidebar_comes_back_from_its_scenario():
    choices = SMALL.changed(
        prompt_tokens=99, kv_dtype="int8", eviction="okv", keep=0.4, context_tokens=2048,
        speculation="ngram", depth=3, acceptance=0.5, adapters=2, rank=8, start="cold",
        app_budget_gib=6.0,
    )  # fmt: skip
    (taken,) = bringing.take(scenario_yaml(choices).encode(), "s.yaml", Choices())
    assert taken.choices.mapping() == choices.mapping()
    assert taken.left_out == ()


def test_what_a_scenario_assumes_of_its_device_becomes_what_if_values():
    text = (
        "model: smollm2-135m\ndevice: dimensity_9500\nassume:\n  dram: {rate: 5 GT/s}\n"
        "  stacks.neuropilot.whole_windows: true\n  thermal: {budget: null}\n"
        "session: {turns: [{prompt_tokens: 9, output_tokens: 4}]}\n"
    )
    (taken,) = bringing.take(text.encode(), "scenario.yaml", Choices())
    assert taken.choices.what_if == "dram.rate=5 GT/s; stacks.neuropilot.whole_windows=true"
    assert taken.left_out == ("assume.thermal.budget",)
    slower, plain = run(taken.choices), run(taken.choices.changed(what_if=""))
    assert slower.summary().tokens_per_s < plain.summary().tokens_per_s
    (again,) = bringing.take(scenario_yaml(taken.choices).encode(), "s.yaml", Choices())
    assert (again.choices, again.left_out) == (taken.choices, ())


def test_a_bundle_carries_a_device_and_the_scenario_that_uses_it():
    (taken,) = bringing.take(DEVICE, "mine.yaml", SMALL)
    whole = own.bundle([taken.choices.device], scenario_yaml(taken.choices), "http://x/?a=b")
    names = zipfile.ZipFile(io.BytesIO(whole)).namelist()
    assert set(names) == {"scenario.yaml", "link.txt", "mine.yaml"}
    *_, last = bringing.take(whole, "question.zip", Choices())
    assert last.choices.device == taken.choices.device
    assert last.choices.model == SMALL.model


@pytest.mark.parametrize(
    "content",
    [b"", b"extends: nowhere\n", b"extends: dimensity_9500\ndram: {channels: -1}\n",
     b"PK\x03\x04broken", b"session: 3\n", b"session: {turns: []}\ndevice: /etc/passwd\n",
     b"model: resnet50\nnetwork: {}\n"],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_in_words(content):
    with pytest.raises(USER_ERRORS):
        bringing.take(content, "x", SMALL)


def test_a_file_that_is_nothing_we_know_is_taken_for_measurements():
    assert own.bring(b"hello world", "x").kind == "measured"
    assert own.bring(json.dumps({"model_type": "llama"}).encode(), "config.json").kind == "model"
    assert own.bring(b"GGUF\x03\x00\x00\x00", "m.gguf").kind == "model"


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("extends: dimensity_9500\ndram: {channels: 2\nname: x\n", "d.yaml", "in line 3"),
        ("extends: dimensity_9500\ndram: {channels: 2\nname: x\n", "pasted", "in line 3"),
        ("a: b\nc: [1\n", "d.yml", "d.yml, line"),
        ("session: {turns: [\nmodel: x\n", "s.yaml", "line 3"),
        ("extends: dimensity_9500\ndrem: {}\n", "d.yaml", "Did you mean 'dram'?"),
        ("extend: dimensity_9500\n", "d.yaml", "Did you mean 'extends'?"),
        ("sesion: {turns: []}\nmodel: smollm2-135m\n", "s.yaml", "Did you mean 'session'"),
        ("- 1\n", "d.yaml", "d.yaml must be a device or a scenario. Got no keys."),
    ],
)
def test_a_yaml_that_is_broken_is_told_as_yaml_and_not_taken_for_measurements(text, name, said):
    with pytest.raises(USER_ERRORS) as refused:
        bringing.take(text.encode(), name, SMALL)
    assert said in str(refused.value)


@pytest.mark.parametrize("path", sorted(IMPORTS.iterdir()), ids=lambda path: path.name)
def test_no_output_of_a_tool_is_taken_for_a_yaml_of_ours(path):
    assert own.bring(path.read_bytes(), path.name).kind == "measured"


def test_a_file_larger_than_the_limit_is_refused(monkeypatch):
    monkeypatch.setattr(own, "LIMIT_BYTES", 5)
    with pytest.raises(SimError, match="at most"):
        own.bring(b"123456", "x")


def test_pasted_text_becomes_the_sidebar_s_device():
    app = opened(model="smollm2-135m", images="0").switch_page("app_pages/own.py").run()
    app.text_area(key="own_text").set_value(DEVICE.decode())
    next(button for button in app.button if button.label == "Take it").click().run()
    app.button(key="use_0_0").click().run()
    assert not app.exception
    assert app.selectbox(key="device").value.startswith("pasted@")


def test_runs_are_saved_compared_and_written_as_one_report():
    app = opened(model="smollm2-135m", images="0").switch_page("app_pages/runs.py").run()
    app.button(key="save_run").click().run()
    app.number_input(key="prompt_tokens").set_value(640).run()
    app.button(key="save_run").click().run()
    saved = app.session_state["saved_runs"]
    assert len(saved) == 2
    assert not app.exception
    html = notebook.report(saved)
    assert "prompt_tokens 640" in html
    assert "andesim simulate" in html
    assert set(json.loads(notebook.document(saved))["runs"]) == set(saved)


def test_an_impossible_number_marks_the_page_and_keeps_the_last_question():
    app = opened(model="smollm2-135m", images="0")
    before = {metric.label: metric.value for metric in app.metric}
    app.number_input(key="prompt_tokens").set_value(999_999_999).run()
    assert app.error[0].value.startswith("**The numbers below are of the last question")
    assert "Prompt tokens (prompt_tokens) must be less than or equal to" in app.main.code[0].value
    assert {metric.label: metric.value for metric in app.metric} == before
    app.button(key="back_to_valid").click().run()
    assert not app.error
    assert app.number_input(key="prompt_tokens").value == Choices().prompt_tokens


def test_undo_and_redo_walk_through_the_choices():
    app = opened(model="smollm2-135m", images="0")
    for number in (100, 200):
        app.number_input(key="prompt_tokens").set_value(number).run()
    app.button(key="undo").click().run()
    assert app.number_input(key="prompt_tokens").value == 100
    app.button(key="redo").click().run()
    assert app.number_input(key="prompt_tokens").value == 200
    app.button(key="undo").click().run()
    app.button(key="undo").click().run()
    assert app.number_input(key="prompt_tokens").value == Choices().prompt_tokens


def test_the_baseline_stands_in_the_address():
    app = opened(model="smollm2-135m", images="0")
    app.button(key="pin").click().run()
    app.number_input(key="prompt_tokens").set_value(300).run()
    held = app.query_params["baseline"]
    assert held in ("prompt_tokens=64", ["prompt_tokens=64"])


def test_the_measured_file_whose_link_is_pressed_is_judged_and_named():
    app = opened(model="qwen3-0.6b", images="0").switch_page("app_pages/own.py").run()
    for name in ("llama_bench.json", "vendor.csv"):
        app.file_uploader[0].upload(name, (IMPORTS / name).read_bytes())
    app.run()
    links = [link.proto.query_string for link in app.get("page_link") if "Judge" in str(link.proto)]
    first, second = (parse_qs(text)["judged"][0] for text in links)
    assert first.startswith("llama_bench@")
    assert second.startswith("vendor@")
    app = app.switch_page("app_pages/validate.py")
    app.query_params["judged"] = first
    app.run()
    assert f"Judged here: **{first}**" in [text.value for text in app.markdown]


def test_a_measured_file_of_a_link_that_is_not_held_is_asked_for_again():
    app = opened(model="smollm2-135m", images="0").switch_page("app_pages/validate.py")
    app.query_params["judged"] = "x@00000000"
    app.run()
    assert app.warning[0].value.startswith("**The measured file of this link is not held")


def test_memory_alone_stands_in_the_address():
    app = opened(model="smollm2-135m", images="0", solve_for="prompt", solve_by_memory="true")
    assert app.toggle(key="solve_by_memory").value
    assert not app.session_state["link_faults"]
    assert not app.exception


def test_a_device_file_to_start_from_is_read_as_the_device_it_is_from():
    text = device_template("snapdragon_8_elite")
    taken = bringing.take(text.encode(), "my_device.yaml", Choices())[0]
    assert taken.said.startswith("The device **My ")
    ours, theirs = run(taken.choices), run(Choices(device="snapdragon_8_elite"))
    assert ours["tokens_per_s"] == pytest.approx(theirs["tokens_per_s"], rel=1e-9)
    assert device_template(taken.choices.device) == text


def test_a_network_of_ones_own_is_asked_on_its_page():
    content = (NETWORK_TRACES / "resnet50.json").read_bytes()
    taken = bringing.take(content, "mine.json", Choices())[0]
    assert taken.network is not None
    asked = networks.Asked(Choices(), taken.network.id)
    assert taken.network.id in networks.networks()
    assert (
        networks.run(asked)["inference_s"] == networks.run(networks.Asked(Choices()))["inference_s"]
    )
    assert "--set model=mine.json" in networks.command_line(asked)
    encoder = b'{"model_type": "vit", "hidden_size": 384}'
    assert own.bring(encoder, "config.json").kind == "network"
