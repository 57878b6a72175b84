"""Result: complete, immutable, and the metrics follow from the step times."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from hw_models.soc import load_soc
from sim import Result, Scenario, simulate
from sim.records import COLUMNS, TaskRecord

TWO_TURNS: dict[str, Any] = {
    "turns": [
        {"images_px": [[320, 240]], "prompt_tokens": 20, "output_tokens": 5},
        {"prompt_tokens": 12, "output_tokens": 3, "at_s": 60.0},
    ]
}


def run(session: dict[str, Any] = TWO_TURNS, **parts: Any) -> Result:
    given = {"device": "dimensity_9500", "model": "andesvl-0.6b", "session": session}
    return simulate(Scenario.from_mapping({**given, **parts}))


@pytest.fixture(scope="module")
def result() -> Result:
    return run()


def test_a_result_cannot_be_changed(result):
    for attribute in ("seed", "groups", "engine"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(result, attribute, None)
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.summary().prefill_s = 0.0


def test_a_result_holds_what_was_asked_and_on_what(result):
    assert result.scenario.session.turns[1].at_s == 60.0
    assert result.soc.id == "dimensity_9500"
    assert set(result.versions) >= {"andesim", "numpy", "python"}
    assert len(result.fingerprint) == 16


@pytest.mark.parametrize(
    "parts",
    [
        {"stack": "neuropilot_public"},
        {"deployment": {"weights": {"body": "w8"}}},
        {"deployment": {"free_vision_after_encode": False}},
        {"environment": {"ambient_c": 26.0}},
        {"environment": {"app_budget_bytes": "9 GB"}},
        {"session": {"turns": [{"prompt_tokens": 1}]}},
    ],
    ids=str,
)
def test_the_fingerprint_changes_with_the_scenario(result, parts):
    assert run().fingerprint == result.fingerprint
    assert run(**parts).fingerprint != result.fingerprint


def test_the_fingerprint_changes_with_the_device_and_the_seed(result):
    soc = load_soc("dimensity_9500")
    slower = soc.with_values({"dram.rate": soc.parameters()["dram.rate"].value / 2})
    others = [simulate(result.scenario, soc=slower), simulate(result.scenario, seed=1)]
    assert result.fingerprint not in [other.fingerprint for other in others]


def test_a_turn_waits_for_its_arrival_and_idle_time_is_in_no_metric(result):
    starts = {times.group.turn: times.start_s for times in reversed(result.groups)}
    assert starts == {0: 0.0, 1: 60.0}
    assert result.makespan_s > 60.0
    summary = result.summary()
    assert summary.time_to_first_token_s < 10.0
    assert summary.decode_s < 10.0


def test_a_turn_that_arrives_early_waits_for_the_one_before(result):
    busy = run({"turns": [{**turn, "at_s": 0.0} for turn in TWO_TURNS["turns"]]})
    ends = [times.end_s for times in busy.groups]
    starts = [times.start_s for times in busy.groups]
    assert starts[1:] == pytest.approx(ends[:-1])
    assert busy.makespan_s < result.makespan_s


def test_tokens_add_up_over_turns(result):
    summary = result.summary()
    assert summary.output_tokens == 8
    assert summary.decode_steps == 6
    assert summary.tokens_per_step == 1.0
    assert summary.tokens_per_s == pytest.approx(6 / summary.decode_s)
    visual = summary.visual_tokens + 2  # two tags around an image
    assert summary.kv_tokens_final == visual + 20 + 4 + 12 + 2


def test_times_to_first_token_are_means_over_turns(result):
    first, second = (
        next(t for t in result.groups if t.group.turn == turn and t.group.phase == "prefill")
        for turn in (0, 1)
    )
    expected_s = (first.end_s + second.end_s - 60.0) / 2
    assert result.summary().time_to_first_token_s == pytest.approx(expected_s)


def test_a_single_output_token_has_no_decode():
    summary = run({"turns": [{"prompt_tokens": 5, "output_tokens": 1}]}).summary()
    assert (summary.decode_steps, summary.decode_s) == (0, 0.0)
    assert summary.tokens_per_s is None
    assert summary.time_per_output_token_s is None
    assert summary.energy_per_token_j > 0.0


def test_a_frame_has_a_row_per_record_and_its_columns(result):
    frame = result.to_frame()
    assert tuple(frame.columns) == COLUMNS
    assert len(frame) == len(result.records)
    first = next(iter(result.records))
    assert isinstance(first, TaskRecord)
    assert frame.iloc[0].to_dict() == dataclasses.asdict(first)
    assert set(frame["phase"]) == {"vision", "prefill", "decode"}


def test_a_cold_start_reads_the_file_from_flash_and_costs_energy(result):
    cold = run(environment={"start": "cold"})
    assert result.summary().flash_read_bytes == 0.0
    assert cold.summary().flash_read_bytes == cold.program.file_bytes > 0.0
    assert cold.energy.flash_j > 0.0
    assert cold.summary().load_s == result.summary().load_s > 0.0
    assert cold.summary().time_to_first_token_s == result.summary().time_to_first_token_s


def test_the_vision_encoder_is_freed_after_the_last_image(result):
    kept = run(deployment={"free_vision_after_encode": False})
    assert result.ledger.timeline[-1].by_class["vision"] == 0.0
    assert kept.ledger.timeline[-1].by_class["vision"] > 0.0


@pytest.mark.parametrize("share", [0.2, 0.9, 0.999])
def test_out_of_memory_names_the_instant_and_the_breakdown(result, share):
    budget = int(share * result.summary().peak_dram_bytes)
    starved = run(environment={"app_budget_bytes": budget})
    overflow = starved.ledger.overflow
    assert overflow is not None
    assert overflow.total_bytes > budget
    assert not starved.summary().fits
    assert starved.summary().time_to_first_token_s is None
    assert all(times.end_s <= overflow.at_s for times in starved.groups)


def test_a_budget_of_exactly_the_peak_fits(result):
    assert run(environment={"app_budget_bytes": int(result.summary().peak_dram_bytes)}).fits


def test_a_warmer_room_ends_warmer_and_sustains_less(result):
    warm = run(environment={"ambient_c": 35.0}).summary()
    cool = result.summary()
    assert warm.max_skin_c > cool.max_skin_c >= 25.0
    assert warm.sustained_tokens_per_s <= cool.sustained_tokens_per_s <= cool.tokens_per_s
