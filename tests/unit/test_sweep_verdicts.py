"""A row's verdict is the one of `simulate` on that row's scenario."""

from __future__ import annotations

import pandas as pd
import pytest

import sim
from sim.explore.targets import Target
from sim.verdicts import judge, verdict

ASKED = {
    "device": "dimensity_9500",
    "model": "andesvl-0.6b",
    "session": {"turns": [{"prompt_tokens": 64, "output_tokens": 16}]},
}
TARGETS = ("tokens_per_s>40", "peak_dram_bytes<2 GB")
AMBIENT = [25.0, 45.0]
SPEC = """\
base: {device: dimensity_9500, model: andesvl-0.6b, session: {turns: [{prompt_tokens: 64}]}}
axes: {environment.ambient_c: [25, 30]}
"""


@pytest.mark.parametrize("draws", [0, 5])
def test_each_row_has_the_verdict_of_its_scenario(draws):
    table = sim.sweep(
        ASKED, {"environment.ambient_c": AMBIENT}, targets=TARGETS, uncertainty=draws, minutes=7
    )
    targets = list(map(Target.parse, TARGETS))
    for row, ambient in zip(table.to_dict("records"), AMBIENT, strict=True):
        result = sim.simulate(ASKED, set={"environment.ambient_c": ambient})
        asked = (result, targets)
        found = verdict(*asked, draws, 7) if draws else judge(*asked, minutes=7)
        assert row["status"] == found.status.value
        assert row["probability"] == pytest.approx(found.probability)
        assert row["probability_sustained"] == pytest.approx(found.probability_sustained)
        assert (row["slack"] >= 0.0) or row["in_the_way"] in TARGETS


def test_the_command_counts_verdicts_and_names_the_nearest_miss(andesim, tmp_path):
    spec, out = tmp_path / "s.yaml", tmp_path / "rows.parquet"
    spec.write_text(SPEC)
    missed = andesim("sweep", spec, "-o", out, "--target", "tokens_per_s>9000")
    assert missed.code == 1
    assert "2 FAIL" in missed.err
    assert "in the way: tokens_per_s>9000" in missed.err
    assert list(pd.read_parquet(out)["status"]) == ["FAIL", "FAIL"]
    refused = andesim("sweep", spec, "-o", tmp_path / "b.parquet", "--target", "tokens>1")
    assert refused.code == 2
    assert "Did you mean" in refused.err
