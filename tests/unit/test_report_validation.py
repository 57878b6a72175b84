"""Validation in reports: the status of a device and stack, and the page of a validation."""

from __future__ import annotations

import json

import pytest

from sim.reports.evidence import HERE, evidence
from sim.reports.making import make_report
from sim.reports.page import html, markdown
from sim.validation.tables import SCHEMA


def test_a_device_and_stack_with_both_speeds_measured_is_validated():
    found = evidence("snapdragon_8_elite", "genie")
    here = {item["metric"] for item in found["scores"] if item["where"] == HERE}
    assert found["status"] == "validated"
    assert {"time_to_first_token_s", "tokens_per_s"} <= here


def test_neighbours_alone_make_it_partly():
    found = evidence("my_phone", "genie")
    assert found["status"] == "partly"
    assert {item["where"] for item in found["scores"]} == {"this stack, other devices"}


def test_without_a_measured_neighbour_it_is_unvalidated():
    found = evidence("my_phone", "my_stack")
    assert (found["status"], found["scores"], found["rows"]) == ("unvalidated", [], [])


def test_scores_are_the_means_of_the_rows():
    found = evidence("snapdragon_8_elite", "genie")
    for score in found["scores"]:
        errors = [
            row["error"]
            for row in found["rows"]
            if (row["where"], row["metric"]) == (score["where"], score["metric"])
        ]
        assert score["n"] == len(errors)
        assert score["mape"] == pytest.approx(sum(map(abs, errors)) / len(errors))


DOCUMENT = {
    "schema": SCHEMA,
    "metrics": {
        "tokens_per_s": {
            "n": 2,
            "mape": 0.15,
            "bias": -0.05,
            "p95_abs_error": 0.195,
            "inside_interval": 0.5,
        }
    },
    "rows": [
        {"id": "a", "metric": "tokens_per_s", "measured": 10.0, "simulated": 8.0, "error": -0.2},
        {"id": "b", "metric": "tokens_per_s", "measured": 20.0, "simulated": 22.0, "error": 0.1},
    ],
    "skipped": [{"id": "c", "reason": "no device <here>"}],
}


def test_a_validation_folder_becomes_a_page_of_its_figures(tmp_path):
    (tmp_path / "validation.json").write_text(json.dumps(DOCUMENT))
    document, page = make_report(tmp_path)
    written = html(page)
    assert document == DOCUMENT
    assert page.verdict == ""
    assert "decode rate: mean error 15 % of 2 rows." in written
    assert written.count("<circle") == 2
    assert "no device &lt;here&gt;" in written


def test_a_row_shows_where_it_was_measured_and_how_sure_the_simulation_was(tmp_path):
    place = {"device": "d", "stack": "s", "model": "m", "interval": [7.0, 9.5]}
    rows = [DOCUMENT["rows"][0] | place, DOCUMENT["rows"][1]]
    (tmp_path / "validation.json").write_text(json.dumps(DOCUMENT | {"rows": rows}))
    written = markdown(make_report(tmp_path)[1])
    line = next(line for line in written.splitlines() if line.startswith("| a |"))
    assert "d / s | m | decode rate | 10.0 tokens/s | 8.00 tokens/s | 7.00 to 9.50" in line


def test_one_judged_row_has_no_chart_and_no_empty_table(tmp_path):
    scores = DOCUMENT["metrics"]["tokens_per_s"] | {"n": 1}
    one = {"metrics": {"tokens_per_s": scores}, "rows": DOCUMENT["rows"][:1], "skipped": []}
    (tmp_path / "validation.json").write_text(json.dumps(DOCUMENT | one))
    written = html(make_report(tmp_path)[1])
    assert "of 1 row." in written
    assert "<circle" not in written
    assert "Rows not judged" not in written


def test_a_folder_with_another_schema_is_refused(tmp_path):
    (tmp_path / "validation.json").write_text('{"schema": "other/1"}')
    with pytest.raises(ValueError, match=r"must have the schema andesim.validation/1"):
        make_report(tmp_path)


def test_a_validation_takes_no_overrides(tmp_path):
    (tmp_path / "validation.json").write_text(json.dumps(DOCUMENT))
    with pytest.raises(ValueError, match=r"--target and --set must go with a scenario"):
        make_report(tmp_path, overrides=("model=qwen3-4b",))


def test_a_validation_without_its_rows_is_refused(andesim, tmp_path):
    (tmp_path / "validation.json").write_text(json.dumps({"schema": SCHEMA, "metrics": {}}))
    outcome = andesim("report", tmp_path)
    assert outcome.code == 2
    assert "must hold rows, skipped. Got schema, metrics." in outcome.err
