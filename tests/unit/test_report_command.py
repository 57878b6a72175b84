"""The `report` command: result folders, bad input, exit codes."""

from __future__ import annotations

import json
import shlex

import pytest

from sim.reports.basis import broken

SET = (
    "--set",
    "model=smollm2-135m",
    "--set",
    "session={turns: [{prompt_tokens: 8, output_tokens: 3}]}",
)


def test_a_result_folder_is_asked_again_with_its_seed(andesim, tmp_path):
    andesim("simulate", *SET, "--seed", 7, "--out", tmp_path / "run")
    written = tmp_path / "report.json"
    assert andesim("report", tmp_path / "run", "--uncertainty", 0, "-o", written).code == 0
    document = json.loads(written.read_text())
    assert document["run"]["seed"] == 7
    assert document["differences"] == []


def test_a_result_folder_of_another_version_is_told_apart(andesim, tmp_path):
    andesim("simulate", *SET, "--out", tmp_path)
    summary = json.loads((tmp_path / "summary.json").read_text())
    summary["metrics"]["prefill_s"] *= 2.0
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    outcome = andesim("report", tmp_path, "--uncertainty", 0)
    assert "Metrics that differ from those in the folder: prefill_s." in outcome.out


def test_a_folder_with_a_seed_that_is_no_number_is_refused(andesim, tmp_path):
    (tmp_path / "summary.json").write_text('{"metrics": {}, "seed": null}')
    outcome = andesim("report", tmp_path)
    assert outcome.code == 2
    assert "must be a whole number. Got None." in outcome.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-o", "report.doc"), "-o must end in .html, .pdf, .md, .json. Got 'report.doc'."),
        (("-o", "report.md", "--interactive"), "--interactive must go with -o FILE.html."),
        (("--target", "tokens>1"), "Did you mean 'tokens_per_s'?"),
        (("nowhere.yaml",), "nowhere.yaml must be a readable file."),
        ((".",), "must be a folder that `andesim simulate --out` wrote."),
    ],
)
def test_bad_input_is_one_message(andesim, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = andesim("report", *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_a_missed_target_ends_with_1(andesim):
    outcome = andesim("report", *SET, "--uncertainty", 0, "--target", "load_s<1 us", "--json")
    document = json.loads(outcome.out)
    assert (outcome.code, document["verdict"]["word"]) == (1, "FAIL")
    assert not document["recommendation"]["meets"]


def test_out_of_memory_gives_a_whole_report(andesim):
    tight = ("--set", "environment.app_budget_bytes=60 MB", "--target", "tokens_per_s>1")
    outcome = andesim("report", *SET, *tight, "--uncertainty", 3)
    assert outcome.code == 1
    assert "**FAIL.** Out of memory" in outcome.out
    assert "In the way: the app budget." in outcome.out


def test_a_long_command_line_is_broken_only_where_it_stays_the_same():
    long = (
        "andesim report scenario.yaml --target 'tokens_per_s>20' --uncertainty 40 --seed 0 --json"
    )
    assert broken(long).count("\n") == 4
    assert shlex.split(broken(long).replace("\\\n", "")) == shlex.split(long)
    quoted = "andesim report 'my --own scenario.yaml' --target 'tokens_per_s>20' --uncertainty 40"
    assert broken(quoted) == quoted
    assert broken("andesim report --seed 0") == "andesim report --seed 0"
