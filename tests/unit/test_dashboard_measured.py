"""Uploads are hostile; measured beside simulated; sweeps over choices."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from dashboard import comparing, tradeoffs, uploads
from dashboard.choices import Choices
from dashboard.runs import run
from sim.errors import SimError
from sim.evidence.measured import MeasuredRun

IMPORTS = Path(__file__).parents[1] / "fixtures" / "imports"


GENIE = {"stack": "genie", "weights": "w4"}


def test_a_file_larger_than_the_limit_is_refused_unread(monkeypatch):
    monkeypatch.setattr(uploads, "LIMIT_BYTES", 10)
    with pytest.raises(SimError, match="at most"):
        uploads.read_upload(b"x" * 11)


@pytest.mark.parametrize("path", sorted(IMPORTS.glob("*_truncated*")), ids=lambda path: path.name)
def test_truncated_files_are_refused_or_warned_about(path):
    try:
        runs = uploads.read_upload(path.read_bytes())
    except SimError:
        return
    found = comparing.compare(runs, Choices())
    assert found.skipped or any(run.warnings for run in runs) or comparing.doubts(runs, found)


@pytest.mark.parametrize("path", sorted(IMPORTS.glob("*_absurd*")), ids=lambda path: path.name)
def test_absurd_files_are_refused(path):
    with pytest.raises(SimError):
        uploads.read_upload(path.read_bytes())


def test_no_message_names_a_file_of_this_machine():
    with pytest.raises(SimError) as refused:
        uploads.read_upload(b"not a measurement")
    assert "/" not in str(refused.value).partition("Known:")[0]


@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe", b"\x80\x04\x95cos\nsystem\n(S'ls'\ntR."])
def test_bytes_that_are_no_measurement_are_refused(content):
    with pytest.raises(SimError):
        uploads.read_upload(content)


@pytest.mark.parametrize(
    ("column", "text"),
    [("model", "/etc/model.json"), ("device", "../secret.yaml"), ("weights", "C:\\w.yml")],
)
def test_a_row_that_names_a_path_is_refused(column, text):
    content = f"id,{column},tokens_per_s\nr1,{text},5\n".encode()
    with pytest.raises(SimError, match=f"{column} must be an id of the catalogue"):
        uploads.read_upload(content)


def test_columns_of_another_tool_are_mapped():
    content = (IMPORTS / "vendor.csv").read_bytes()
    runs = uploads.read_upload(content, "run name=id; TG (tok/s)=tokens_per_s")
    assert all(run.tokens_per_s for run in runs)
    with pytest.raises(SimError, match="theirs=ours"):
        uploads.read_upload(content, "nonsense")


def test_a_row_without_a_device_runs_on_the_sidebar_s():
    measured = [MeasuredRun(id="a", model="qwen3-0.6b", **GENIE, tokens_per_s=50.0)]
    rows = comparing.table(comparing.compare(measured, Choices(device="snapdragon_8_elite")))
    assert rows["device"].tolist() == ["snapdragon_8_elite"]
    expected = rows["simulated"] / rows["measured"] - 1.0
    assert rows["error"].tolist() == pytest.approx(expected.tolist())


def test_a_rate_that_memory_cannot_deliver_is_doubted():
    measured = [
        MeasuredRun(
            id="fast", model="qwen3-8b", stack="neuropilot", weights="w8", tokens_per_s=900.0
        )
    ]
    found = comparing.compare(measured, Choices())
    assert any("roofline" in doubt for doubt in comparing.doubts(measured, found))


def test_errors_are_grouped_by_phase_and_by_regime():
    runs = comparing.exhibit_runs("dimensity/validation")
    found = comparing.compare(runs, Choices())
    rows = comparing.table(found)
    for kind, name in comparing.KINDS.items():
        scores = comparing.scores(found, kind)
        assert scores["n"].sum() == len(rows)
        assert set(scores[name]) == set(rows[kind])
    assert set(rows["phase"]) == {"prefill", "decode", "whole run"}
    decode = rows[rows["phase"] == "decode"]
    mape = comparing.scores(found, "phase").set_index("phase").loc["decode", "mape"]
    assert mape == pytest.approx(decode["error"].abs().mean())


def test_the_sentence_counts_what_is_near():
    found = comparing.compare(comparing.exhibit_runs("dimensity/validation"), Choices())
    near = (comparing.table(found)["error"].abs() <= comparing.NEAR).sum()
    assert comparing.sentence(found).startswith(f"{near} of {len(found.rows)} numbers")


def test_shipped_samples_judge_and_did_not_calibrate():
    names = comparing.exhibit_names()
    roles = {item.role for name in names for item in comparing.exhibit_runs(name)}
    assert roles == {"validation"}


@pytest.fixture(scope="module")
def swept() -> pd.DataFrame:
    levels = {"model": ["andesvl-0.6b", "andesvl-4b"], "body": ["1.8 bits", "8 bits"]}
    choices = Choices(app_budget_gib=3.0, most_first_token_s=1.0)
    return pd.DataFrame(tradeoffs.rows(choices, levels))


def test_a_sweep_has_a_row_per_combination_with_the_numbers_of_a_run(swept):
    assert len(swept) == tradeoffs.points({"model": ["a", "b"], "body": ["c", "d"]})
    row = swept.iloc[0]
    choices = Choices(app_budget_gib=3.0, most_first_token_s=1.0, **row["changes"])
    assert row["tokens/s"] == run(choices).summary().tokens_per_s


def test_points_that_fail_say_why(swept):
    failing = swept[swept["status"] != "PASS"]
    assert {"FAIL", "OUT OF MEMORY"} == set(failing["status"])
    assert failing["reason"].str.contains("the run misses it|Out of memory").all()


def test_no_passing_point_beats_one_of_the_front(swept):
    passing, front = swept[swept["status"] == "PASS"], tradeoffs.front(swept)
    for _, best in front.iterrows():
        beats = (passing["peak [GiB]"] <= best["peak [GiB]"]) & (
            passing["tokens/s"] > best["tokens/s"]
        )
        assert not beats.any()
    fastest = tradeoffs.fastest(swept)
    assert passing["tokens/s"].max() == swept.loc[fastest, "tokens/s"]


@pytest.mark.parametrize("plane", [("energy [J]", "weights [GiB]"), ("tokens/s", "peak [GiB]")])
def test_the_front_holds_what_nothing_beats_in_any_plane(swept, plane):
    passing, front = swept[swept["status"] == "PASS"], tradeoffs.front(swept, *plane)
    good = passing[list(plane)] * [tradeoffs.METRICS[name] for name in plane]
    beaten = {
        index
        for index, row in good.iterrows()
        if ((good >= row).all(axis=1) & (good > row).any(axis=1)).any()
    }
    assert set(front.index) == set(good.index) - beaten


def test_no_point_is_called_fastest_where_none_passes(swept):
    assert tradeoffs.fastest(swept[swept["status"] != "PASS"]) is None


def test_a_point_that_is_no_scenario_is_kept_with_its_reason():
    rows = list(tradeoffs.rows(Choices(what_if="dram.speed=1"), {"prompt": ["64 tokens"]}))
    assert rows[0]["status"] == "INVALID"
    assert "dram.speed" in rows[0]["reason"]


def test_the_worst_metric_is_named_as_people_write_it():
    measured = [MeasuredRun(id="a", model="qwen3-0.6b", **GENIE, peak_dram_bytes=1e12)]
    found = comparing.compare(measured, Choices(device="snapdragon_8_elite"))
    assert "; peak DRAM is furthest off" in comparing.sentence(found)
