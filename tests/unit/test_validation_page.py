"""The documentation page is what the shipped data give."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.calibration.shipping import read_residuals
from sim.evidence.exhibits import load_exhibits, runs_in_role
from sim.validation.exhibits import missed_tolerances
from sim.validation.judging import validate
from sim.validation.page import folds, impossible
from sim.validation.tables import row_table

PAGE = Path(__file__).parents[2] / "docs" / "validation.md"


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def test_every_validation_row_is_judged_or_skipped_on_the_page(page: str) -> None:
    for run in runs_in_role(load_exhibits(), "validation"):
        assert f"| {run.id} |" in page


def test_some_rows_are_judged_again_to_the_same_figures(page: str) -> None:
    """A sample of the rows, for speed: the first of each exhibit that can be simulated."""
    runs = [exhibit.runs[0] for exhibit in load_exhibits() if exhibit.manifest.role == "validation"]
    found = validate(runs, None, read_residuals())
    assert len(found.rows) >= 5
    for line in row_table(found.rows).splitlines()[2:]:
        assert line in page
    for skipped in found.skipped:
        assert f"| {skipped.id} | {skipped.reason} |" in page


def test_what_was_left_out_is_on_the_page(page: str) -> None:
    assert folds(read_residuals()) in page


def test_context_rows_never_judge() -> None:
    runs = [run for run in runs_in_role(load_exhibits(), "context") if run.tokens_per_s][:3]
    found = validate(runs)
    assert not found.rows
    assert all("does not judge" in item.reason for item in found.skipped)


def test_a_missed_tolerance_names_exhibit_and_metric() -> None:
    run = next(run for run in runs_in_role(load_exhibits(), "validation") if run.id == "R342")
    far = run.model_copy(update={"tokens_per_s": 3.0})
    (missed,) = [
        item for item in missed_tolerances(validate([far])) if item.metric == "tokens_per_s"
    ]
    assert missed.exhibit == "ai_hub/validation"
    assert missed.mape > missed.tolerance
    assert "tolerance 20%" in str(missed)
    near = run.model_copy(update={"tokens_per_s": 26.6})
    assert "tokens_per_s" not in {item.metric for item in missed_tolerances(validate([near]))}


def test_no_row_beats_the_roofline_without_being_told() -> None:
    run = next(run for run in runs_in_role(load_exhibits(), "validation") if run.id == "R342")
    far = run.model_copy(update={"tokens_per_s": 3000.0, "time_to_first_token_s": None})
    assert "roofline" in impossible(validate([far]).rows)
    assert impossible([]).startswith("None")
