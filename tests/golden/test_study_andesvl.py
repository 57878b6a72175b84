"""The shipped AndesVL study is what the code gives today."""

from __future__ import annotations

import re

import numpy as np
import pytest

from sim.cli.studying import FOLDER, load_script
from sim.cli.studying import study as command
from sim.errors import SimError

DOCUMENT = FOLDER / "andesvl.md"


@pytest.fixture(scope="module")
def script():
    return load_script(FOLDER / "andesvl.py")


@pytest.fixture(scope="module")
def study(script):
    return script.run(draws=40, seed=3)


def test_each_mechanism_adds_speed_and_the_same_draws_serve_all(study):
    medians = [float(sorted(study.speedup(variant))[20]) for variant in study.variants]
    assert medians[0] == 1.0
    assert medians == sorted(medians)
    assert {variant.step_s.shape for variant in study.variants} == {(40,)}


def test_the_claim_needs_the_tokens_per_pass_that_give_it(script, study):
    needed = study.tau_needed()
    ratio = sorted(study.variants[0].step_s / study.final.step_s)
    assert needed.p50 * ratio[20] == pytest.approx(script.CLAIMED_SPEEDUP, rel=0.05)


def test_regions_split_the_draws_and_more_accepted_tokens_reach_the_claim_more_often(study):
    for thirds in study.regions().values():
        assert [third.low <= third.high for third in thirds] == [True] * 3
        assert thirds[0].high <= thirds[1].low <= thirds[1].high <= thirds[2].low
        sizes = [len(part) for part in np.array_split(np.arange(40), 3)]
        reached = sum(third.share * size for third, size in zip(thirds, sizes, strict=True))
        assert reached / 40 == pytest.approx(study.share_reaching_claim())
    by_tau = study.regions()["tokens per target pass"]
    assert by_tau[0].share < by_tau[2].share


def test_central_figures_of_the_shipped_page_are_todays(script, study):
    """Intervals depend on the draws; what does not is compared cell by cell."""
    today, shipped = script.page(study, 40, 3), DOCUMENT.read_text(encoding="utf-8")
    for name in script.VARIANTS:
        row = re.compile(rf"^\| {re.escape(name)} \| ([\d.]+) \|", re.MULTILINE)
        assert row.search(today)[1] == row.search(shipped)[1]
    start, end = "% less memory:", "## What this cannot say"
    assert shipped[shipped.index(start) :] == today[today.index(start) :]
    assert end in shipped


def test_studies_are_listed_where_the_sources_are_and_refused_elsewhere(
    tmp_path, monkeypatch, capsys
):
    command(None)
    assert capsys.readouterr().out.split() == sorted(path.stem for path in FOLDER.glob("*.py"))
    with pytest.raises(SimError, match="Did you mean 'andesvl'"):
        command("andesv")
    monkeypatch.setattr("sim.cli.studying.FOLDER", tmp_path)
    with pytest.raises(SimError, match="checkout of the sources"):
        command("andesvl")
