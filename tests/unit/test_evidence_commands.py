"""`andesim evidence`: rows of one's own are checked and kept; what to measure next is reasoned."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from sim.cli.commands import app_for
from sim.evidence.exhibits import load_exhibits
from sim.explore.next_measurement import share, worth_measuring
from sim.simulation import simulate
from workloads.scenario import load_scenario

HEAD = "id,device,stack,model,weights,prompt_tokens,output_tokens,tokens_per_s\n"
GOOD = "a,snapdragon_8_gen_2,llamacpp_cpu,qwen2.5-1.5b,q4_0,256,256,28.8\n"
TOO_FAST = "b,snapdragon_8_gen_2,llamacpp_cpu,qwen2.5-1.5b,q4_0,256,256,2880\n"
OPEN = "c,snapdragon_8_gen_2,llamacpp_cpu,,q4_0,256,256,28.8\n"


def asked(*words: str):
    return CliRunner().invoke(app_for(), ["evidence", *words])


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(HEAD + GOOD + TOO_FAST + OPEN, encoding="utf-8")
    return path


def test_rows_that_can_be_true_are_kept_and_the_others_told(mine, tmp_path):
    result = asked("add", str(mine), "-o", str(tmp_path / "set"), "--title", "Mine")
    assert result.exit_code == 0, result.output
    assert "1 row in role validation" in result.output
    assert "(b): tokens_per_s of 2880" in result.output
    assert "--model" in result.output
    (exhibit,) = load_exhibits(tmp_path)
    assert [run.id for run in exhibit.runs] == ["a"]
    assert (exhibit.manifest.title, exhibit.manifest.role) == ("Mine", "validation")


def test_a_row_set_is_not_written_over(mine, tmp_path):
    folder = tmp_path / "set"
    asked("add", str(mine), "-o", str(folder))
    before = (folder / "runs.csv").read_bytes()
    again = asked("add", str(mine), "-o", str(folder))
    assert again.exit_code != 0
    assert "must hold no row set yet" in str(again.exception)
    assert (folder / "runs.csv").read_bytes() == before


def test_nothing_is_written_where_no_row_can_be_kept(tmp_path):
    path = tmp_path / "none.csv"
    path.write_text(HEAD + TOO_FAST + OPEN, encoding="utf-8")
    result = asked("add", str(path), "-o", str(tmp_path / "set"))
    assert "No row can be kept." in str(result.exception)
    assert not (tmp_path / "set").exists()


def test_measuring_the_asked_number_itself_removes_all_but_the_noise():
    logs = np.random.default_rng(0).normal(0.0, 0.3, 4000)
    noise = 0.3
    assert share(logs, logs, noise) == pytest.approx(logs.var() / (logs.var() + noise**2))


def test_a_number_that_never_moves_tells_nothing():
    logs = np.linspace(-1.0, 1.0, 9)
    assert share(logs, np.zeros(9), 0.1) == 0.0
    assert share(np.zeros(9), logs, 0.1) == 0.0


def test_the_most_telling_measurement_comes_first_and_is_of_the_same_stack():
    small = ["model=qwen3-0.6b", "session={turns: [{prompt_tokens: 64, output_tokens: 16}]}"]
    found = worth_measuring(simulate(load_scenario(None, small)), draws=16)
    assert [item.mean for item in found] == sorted((item.mean for item in found), reverse=True)
    decode = [item for item in found if item.metric == "tokens_per_s"]
    own = next(item for item in decode if item.what.startswith("qwen3-0.6b, prompt 128"))
    assert own.shares["tokens_per_s"] > 0.8
    assert all(0.0 <= part <= 1.0 for item in found for part in item.shares.values())


def test_coverage_is_one_document():
    words = ("--set", "model=qwen3-0.6b", "--set", "session.turns.0.images_px=[]", "--draws", "8")
    result = asked("coverage", *words, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["schema"] == "andesim.coverage/1"
    assert sum(cell["validation_rows"] for cell in found["cells"]) > 100
    assert found["sentence"].startswith("Measuring ")
