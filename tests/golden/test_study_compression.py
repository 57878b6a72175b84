"""The compression study is what its script makes of the shipped sweep today.

After a change that is meant: python docs/studies/compression_tradeoff.py
"""

from __future__ import annotations

import pytest

from sim.cli.studying import FOLDER, load_script


@pytest.fixture(scope="module")
def study():
    return load_script(FOLDER / "compression_tradeoff.py")


@pytest.fixture(scope="module")
def frame(study):
    return study.swept()


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_figures_are_those_of_todays_sweep(study, frame):
    for name, drawing in study.figures(frame).items():
        assert (FOLDER / name).read_text(encoding="utf-8") == drawing, name


def test_the_tables_are_those_of_todays_sweep(study, frame):
    page = (FOLDER / "compression_tradeoff.md").read_text(encoding="utf-8").splitlines()
    rows = {cells(line)[0]: cells(line)[1:] for line in page if line.startswith("|")}
    for row in study.cache_rows(frame):
        expected = [f"{rate:.1f}" for rate in row["rates"]]
        assert rows[str(row["prompt"])] == expected + [f"{peak:.2f}" for peak in row["peaks"]]
    short = frame[(frame[study.CACHE] == "int16") & (frame[study.PROMPT] == 64)]
    for row in short.to_dict("records"):
        shown = rows[row[study.BODY]]
        assert shown[2] == f"{row['tokens_per_s']:.1f}"
        assert shown[4] == f"{row['time_to_first_token_s']:.2f}"
        assert shown[5] == f"{row['peak_dram_bytes'] / 1e9:.2f}"
        assert shown[6] == f"{row['energy_per_token_j'] * 1e3:.0f}"


def test_the_body_the_page_chooses_is_the_one_sizing_chooses(study):
    page = (FOLDER / "compression_tradeoff.md").read_text(encoding="utf-8")
    example = study.load_scenario(study.EXAMPLES / "sizing.yaml")
    knobs = {study.BODY: study.default_knobs(example)[study.BODY]}
    mapping = example.model_dump(mode="json", exclude_defaults=True)
    answer = study.size(mapping, knobs, study.parse_targets(study.TARGETS))
    assert f"`{study.BODY}` = `{answer.meeting[0].settings[study.BODY]}`" in page
