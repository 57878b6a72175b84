"""A matrix of models and phones: each cell is the answer of its own run, and none costs another."""

import json

import pytest
from typer.testing import CliRunner

from sim import Scenario, simulate
from sim.cli.commands import app_for
from sim.errors import SimError
from sim.explore.targets import Target
from sim.reports import matrix
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
        "adapter ui of 2",
        "charging with 2 W of heat",
    ]


def until(pairs):
    """Return what stops a matrix once so many pairs are done."""

    def on_pair(done, of):
        assert of == 6
        if done == pairs:
            raise KeyboardInterrupt

    return on_pair


def test_a_stopped_matrix_goes_on_and_gives_the_same_page(made, file, tmp_path, monkeypatch):
    out = tmp_path / "page.html"
    with pytest.raises(KeyboardInterrupt):
        make_report(file, draws=8, on_pair=until(4), kept=out)
    asked, plain = [], matrix._cell
    monkeypatch.setattr(matrix, "_cell", lambda *given: asked.append(given) or plain(*given))
    told = []
    again = make_report(file, draws=8, on_pair=lambda *done: told.append(done), kept=out)
    assert len(asked) == 2
    assert told == [(done, 6) for done in range(7)]
    assert html(again[1]) == html(made[1])


def test_pairs_of_another_question_are_never_taken(file, tmp_path):
    out = tmp_path / "page.html"
    with pytest.raises(KeyboardInterrupt):
        make_report(file, draws=8, on_pair=until(1), kept=out)
    with pytest.raises(SimError, match="must hold parts of this very matrix"):
        make_report(file, draws=9, kept=out)


def test_ctrl_c_leaves_no_half_page_and_says_what_is_kept(andesim, file, tmp_path, monkeypatch):
    out, plain = tmp_path / "page.md", matrix._cell

    def stopped(*given):
        if given[1] == "smollm2-360m":
            raise KeyboardInterrupt
        return plain(*given)

    command = ("report", str(file), "--uncertainty", "4", "-o", str(out))
    with monkeypatch.context() as one:
        one.setattr(matrix, "_cell", stopped)
        done = andesim(*command)
    assert done.code == 130
    assert "3 pairs are kept; the same command continues." in done.err
    assert not out.exists()
    done = andesim(*command)
    assert (done.code, list(tmp_path.iterdir())) == (0, [out])
    assert "6/6" in done.err
