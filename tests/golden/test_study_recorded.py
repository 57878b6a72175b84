"""The page of AndesVL's recorded runs is what its script makes of the recordings today.

After a change that is meant: andesim study andesvl_recorded -o docs/studies/andesvl_recorded.md
"""

from __future__ import annotations

import re

import pytest

from sim.cli.studying import FOLDER, load_script


@pytest.fixture(scope="module")
def study():
    return load_script(FOLDER / "andesvl_recorded.py")


NUMBER = re.compile(r"\d+(?:\.\d+)?")


def test_the_page_is_current(study):
    """Words are equal; a figure may differ by one in its last digit, where it was rounded."""
    [(name, today)] = study.written().items()
    shipped = (FOLDER / name).read_text(encoding="utf-8")
    assert NUMBER.sub("0", shipped) == NUMBER.sub("0", today)
    for one, other in zip(NUMBER.findall(shipped), NUMBER.findall(today), strict=True):
        digits = max(len(text.partition(".")[2]) for text in (one, other))
        assert float(one) == pytest.approx(float(other), abs=1.01 * 10.0**-digits)


def test_the_largest_model_judges_and_was_not_fitted(study):
    exhibit = study.load_host_exhibit(study.EXHIBIT)
    fitted = {file.measurement.config_digest for file in exhibit.calibration}
    judging = {file.measurement.model: file.measurement for file in exhibit.validation}
    assert judging["andesvl-4b"].parameters > 4e9
    assert not fitted & {run.config_digest for run in judging.values()}
