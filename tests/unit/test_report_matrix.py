"""A matrix of models and phones: each cell is the answer of its own run, and none costs another."""

import json

import pytest
from typer.testing import CliRunner

from sim import Scenario, simulate
from sim.cli.commands import app_for
from sim.errors import SimError
from sim.explore.targets import Target
from sim.reports.conditions import conditions
from sim.reports.making import make_report
from sim.reports.page import html, markdown
from sim.verdicts import verdict

SESSION = {"turns": [{"prompt_tokens": 32, "output_tokens": 4}]}
BASE = {"device": "dimensity_9500", "model": "smollm2-135m", "session": SESSION}
MATRIX = {
    "base": BASE | {"environment": {"ambient_c": 30}},
    "phones": ["dimensity_9500", {"device": "snapdragon_8_elite", "stack": "llamacpp_cpu"}, "no"],
    "models": ["smollm2-135m", "smollm2-360m"],
    "targets": ["tokens_per_s>300"],
}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("matrix") / "matrix.yaml"
    path.write_text(json.dumps(MATRIX))
    return path


@pytest.fixture(scope="module")
def made(file):
    return make_report(file, draws=8)


def test_every_cell_is_the_verdict_of_its_own_run(made):
    document, _ = made
    assert [(cell["model"], cell["phone"]) for cell in document["cells"]] == [
        (model, phone) for model in document["models"] for phone in document["phones"]
    ]
    cell = document["cells"][4]
    asked = {"device": "snapdragon_8_elite", "stack": "llamacpp_cpu", "model": "smollm2-360m"}
    result = simulate(Scenario.from_mapping(MATRIX["base"] | asked))
    assert cell["metrics"] == pytest.approx(result.metrics(), nan_ok=True)
    found = verdict(result, [Target.parse("tokens_per_s>300")], 8)
    assert (cell["status"], cell["probability"]) == (found.status.value, found.probability)


def test_a_pair_that_cannot_be_asked_says_why_and_costs_no_other(made):
    document, page = made
    failed = [cell for cell in document["cells"] if cell["error"]]
    assert {cell["phone"] for cell in failed} == {"no"}
    text = markdown(page)
    assert text.count("device must be a known id") == 1
    assert "smollm2-135m on no; smollm2-360m on no: device must be" in text


def test_the_page_names_conditions_targets_and_every_metric(made):
    text = markdown(made[1])
    assert "# 2 models on 3 phones" in text
    assert "30 °C around the phone, warm start" in text
    for words in ("## decode rate", "## time to first token", "## peak DRAM", "andesim report "):
        assert words in text
    assert "<table" in html(made[1])


def test_the_command_writes_a_matrix_and_refuses_what_has_no_place_in_it(file, tmp_path):
    out = tmp_path / "m.json"
    told = CliRunner().invoke(
        app_for(), ["report", str(file), "--uncertainty", "0", "-o", str(out)]
    )
    assert told.exit_code == 0
    assert json.loads(out.read_text())["schema"] == "andesim.matrix/1"
    with pytest.raises(SimError, match="--set must go with a scenario"):
        make_report(file, overrides=["model=qwen3-0.6b"])
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("phones: []\nmodel: [a]\n")
    with pytest.raises(SimError, match="models"):
        make_report(wrong)


def test_conditions_are_told_in_words():
    around = {"ambient_c": 35, "background": "game", "start": "cold", "charging_heat_w": 2}
    lora = {"adapters": ["ui", "qa"]}
    turn = {"prompt_tokens": 8, "output_tokens": 2, "adapter": "ui"}
    asked = BASE | {"environment": around, "deployment": {"lora": lora}}
    asked["session"] = {"turns": [turn]}
    assert conditions(Scenario.from_mapping(asked)) == [
        "35 °C around the phone",
        "cold start",
        "beside game",
        "adapters ui",
        "charging with 2 W of heat",
    ]
