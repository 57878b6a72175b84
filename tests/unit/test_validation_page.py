"""The documentation page is what the shipped data give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.calibration.shipping import read_residuals
from sim.cli.studying import load_script
from sim.evidence.exhibits import load_exhibits, runs_in_role
from sim.evidence.measured import MeasuredRun
from sim.validation.exhibits import missed_tolerances
from sim.validation.judging import validate
from sim.validation.tables import row_table

PAGE = Path(__file__).parents[2] / "docs" / "validation.md"
WRITER = load_script(PAGE.with_suffix(".py"))


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
    assert WRITER.folds(read_residuals()) in page


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
    assert "roofline" in WRITER.impossible(validate([far]).rows)
    assert WRITER.impossible([]).startswith("None")


def row(**fields: Any) -> MeasuredRun:
    defaults = {"id": "r1", "model": "llama-3.2-1b", "device": "snapdragon_8_elite"}
    return MeasuredRun(**{**defaults, "stack": "genie", "weights": "w4", **fields})


@given(st.lists(st.floats(1.0, 100.0), min_size=1, max_size=6), st.floats(1.0, 100.0))
def test_no_value_beats_the_floor_of_repeats(measured: list[float], value: float) -> None:
    errors = [abs(value / one - 1.0) for one in measured]
    assert WRITER.least_error(measured) <= sum(errors) / len(errors) + 1e-12


def test_rows_that_ask_apart_have_no_floor() -> None:
    runs = [row(id=f"r{n}", prompt_tokens=n, tokens_per_s=float(n)) for n in (100, 200)]
    found = validate(runs)
    assert WRITER.error_floor(found.rows) == 0.0
    again = validate([runs[0], row(id="again", prompt_tokens=100, tokens_per_s=200.0)])
    assert WRITER.error_floor(again.rows) == pytest.approx(0.25)


def test_rows_of_two_image_sizes_have_no_floor() -> None:
    small, large = (
        row(id=str(side), model="andesvl-1b", image_px=((side, side),), vision_encode_s=t)
        for side, t in ((224, 0.1), (448, 0.4))
    )
    assert WRITER.error_floor(validate([small, large]).rows) == 0.0
