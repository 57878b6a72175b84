"""The shipped AndesVL study is what the code gives today."""

from __future__ import annotations

import numpy as np
import pytest

from sim.cli.studying import FOLDER, load_script
from sim.cli.studying import study as command
from sim.errors import SimError

DOCUMENT = FOLDER / "andesvl.md"


@pytest.fixture(scope="module")
def script():
    """Return the study with one reading of the device, so that it takes seconds."""
    script = load_script(FOLDER / "andesvl.py")
    script.SPLITS = {"overhead": script.SPLITS["overhead"]}
    script.DECODERS = {"hardware": script.DECODERS["hardware"]}
    script.DRAFTS = {name: script.DRAFTS[name] for name in ("EAGLE-3 head", "retrieval")}
    return script


@pytest.fixture(scope="module")
def study(script):
    return script.run(draws=10, seed=3)


def test_speed_up_and_tokens_needed_say_the_same(script, study):
    for cell in study.cells:
        low, high = script.DRAFTS[cell.draft].tau
        tau = cell.speedup * cell.needed / script.CLAIMED_SPEEDUP
        assert ((low <= tau + 1e-9) & (tau - 1e-9 <= high)).all()
        reached = cell.needed <= tau
        assert cell.share == pytest.approx(float(reached.mean()))


def test_a_base_that_reads_twice_the_cache_is_easier_to_beat_in_every_draw(study):
    by = {(cell.draft, cell.base_cache): cell.speedup for cell in study.cells}
    for draft in ("EAGLE-3 head", "retrieval"):
        gain = by[draft, "int16"] / by[draft, "int8"]
        assert gain.min() >= 1.0 - 1e-9  # equal where the base is not bound by its bytes
        assert np.median(gain) > 1.05


def test_more_tokens_at_the_same_cost_reach_the_claim_at_least_as_often(study):
    effect = study.effect("base_cache")
    assert effect["int16"] >= effect["int8"]
    counted = len(study.likely) + len(study.seldom)
    assert counted <= len(study.cells)


def test_sections_without_draws_are_todays(script, study):
    today, shipped = script.page(study, 10, 3), DOCUMENT.read_text(encoding="utf-8")
    start, end = "% less memory: consistent", "Regenerate with"
    sections = [text[text.index(start) : text.index(end)] for text in (shipped, today)]
    assert sections[0] == sections[1]


def test_draws_are_those_of_the_seed(script):
    soc = script.device("overhead", "hardware")
    plain = (script.FOUR, script.cache("int8"))
    one, same, other = (script.step_s(plain, soc, 5, seed) for seed in (1, 1, 2))
    np.testing.assert_allclose(one, same, rtol=1e-12)
    assert not np.allclose(one, other)


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
