"""Uploads are hostile; measured beside simulated; sweeps over choices."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from dashboard import comparing, own, tradeoffs, uploads
from dashboard.choices import Choices
from dashboard.runs import judged, run
from hw_models.soc import load_soc
from sim.errors import SimError
from sim.evidence.given import Given
from sim.evidence.measured import MeasuredRun
from sim.explore.uncertainty import sampled_metrics

IMPORTS = Path(__file__).parents[1] / "fixtures" / "imports"


GENIE = {"stack": "genie", "weights": "w4"}
PHONE = GENIE | {"device": "snapdragon_8_elite"}


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
    found = comparing.compare(runs)
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


def test_a_row_without_a_device_is_judged_on_the_one_that_is_named_and_on_no_other():
    measured = [MeasuredRun(id="a", model="qwen3-0.6b", **GENIE, tokens_per_s=50.0)]
    assert comparing.compare(measured).skipped
    placed = comparing.placed(measured, Given(device="snapdragon_8_elite"))
    found = comparing.compare(placed)
    rows = comparing.table(found)
    assert rows["device"].tolist() == ["snapdragon_8_elite"]
    expected = rows["simulated"] / rows["measured"] - 1.0
    assert rows["error"].tolist() == pytest.approx(expected.tolist())
    assert comparing.sentence(found).startswith("On Qualcomm Snapdragon 8 Elite")


def test_the_chip_a_file_names_narrows_the_phones_it_may_be():
    runs = [MeasuredRun(id="a", processor="Qualcomm Oryon")]
    assert "snapdragon_8_elite" in comparing.candidates(runs)
    assert "dimensity_9500" not in comparing.candidates(runs)
    assert "dimensity_9500" in comparing.candidates([MeasuredRun(id="b")])


def test_a_fit_comes_nearer_to_the_rows_it_saw_and_its_file_is_a_device():
    runs = [
        MeasuredRun(id=name, device="dimensity_9400", stack="neuropilot", model="qwen2.5-0.5b",
                    weights="w4", prompt_tokens=128, output_tokens=128, tokens_per_s=rate,
                    context_tokens=context)
        for name, rate, context in (("a", 38.0, 512), ("b", 30.0, 4096))
    ]  # fmt: skip
    found = comparing.fit(runs)
    before, after = (one.by_metric()["tokens_per_s"].mape for one in (found.before, found.after))
    assert after < before
    fitted = own.read_soc(found.yaml)
    assert fitted.stacks["neuropilot"]
    assert found.stack == "neuropilot"
    assert fitted.name == load_soc("dimensity_9400").name


def test_a_rate_that_memory_cannot_deliver_is_doubted():
    measured = [
        MeasuredRun(
            id="fast",
            device="dimensity_9500",
            model="qwen3-8b",
            stack="neuropilot",
            weights="w8",
            tokens_per_s=900.0,
        )
    ]
    found = comparing.compare(measured)
    assert any("roofline" in doubt for doubt in comparing.doubts(measured, found))


def test_errors_are_grouped_by_phase_and_by_regime():
    runs = comparing.exhibit_runs("dimensity/validation")
    found = comparing.compare(runs)
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
    found = comparing.compare(comparing.exhibit_runs("dimensity/validation"))
    near = (comparing.table(found)["error"].abs() <= comparing.NEAR).sum()
    assert f", {near} of {len(found.rows)} numbers" in comparing.sentence(found)


def test_shipped_samples_judge_and_did_not_calibrate():
    names = comparing.exhibit_names()
    roles = {item.role for name in names for item in comparing.exhibit_runs(name)}
    assert roles == {"validation"}


@pytest.fixture(scope="module")
def swept() -> pd.DataFrame:
    levels = {"model": ["andesvl-0.6b", "andesvl-4b"], "bits": ["1.8 bits", "8 bits"]}
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
    fastest = tradeoffs.best(swept, Choices(), "fastest")
    assert passing["tokens/s"].max() == pytest.approx(swept.loc[fastest, "tokens/s"], rel=0.01)


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
    assert tradeoffs.best(swept[swept["status"] != "PASS"], Choices(), "fastest") is None


def test_where_none_passes_the_nearest_miss_and_the_wall_are_named():
    choices = Choices(most_first_token_s=0.2)
    table = pd.DataFrame(tradeoffs.rows(choices, {"bits": ["2 bits", "4 bits"]}))
    near = tradeoffs.nearest(table, choices)
    assert table.loc[near, "shortfall"] == table["shortfall"].min()
    assert "time to first token" in tradeoffs.wall(table)


def test_no_best_point_drops_the_image_that_was_asked_for():
    choices = Choices(model="andesvl-0.6b", most_first_token_s=30.0, least_tokens_per_s=1.0)
    table = pd.DataFrame(tradeoffs.rows(choices, {"image": ["as asked", "none"]}))
    for rule in tradeoffs.RULES:
        assert table.loc[tradeoffs.best(table, choices, rule), "image"] == "as asked"


def test_of_points_as_good_the_one_that_changes_least_is_taken():
    choices = Choices(images=0, most_first_token_s=30.0, least_tokens_per_s=1.0)
    table = pd.DataFrame(tradeoffs.rows(choices, {"keep": ["keep 75%", "keep all"]}))
    assert table.loc[tradeoffs.best(table, choices, "fastest"), "keep"] == "keep all"


def test_a_weighed_point_has_the_verdict_of_explore():
    row = next(tradeoffs.rows(Choices(), {"bits": ["4 bits"]}))
    choices = Choices(**row["changes"])
    found = tradeoffs.weighed(Choices(), row["changes"])
    drawn = sampled_metrics(run(choices), tradeoffs.DRAWS)
    assert found["status"] == judged(choices, run(choices), drawn).status.value


def test_a_point_that_is_no_scenario_is_kept_with_its_reason():
    rows = list(tradeoffs.rows(Choices(what_if="dram.speed=1"), {"prompt": ["64 tokens"]}))
    assert rows[0]["status"] == "INVALID"
    assert "dram.speed" in rows[0]["reason"]


def test_the_worst_metric_is_named_as_people_write_it():
    measured = [MeasuredRun(id="a", model="qwen3-0.6b", **PHONE, peak_dram_bytes=1e12)]
    found = comparing.compare(measured)
    assert "; peak DRAM is furthest off" in comparing.sentence(found)
