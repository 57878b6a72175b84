"""Nearest evidence: which judged rows stand beside an answer, and what status they give it."""

from __future__ import annotations

import pytest

from sim.evidence.nearest import (
    ELSEWHERE,
    HERE,
    OTHER_DEVICES,
    OTHER_STACKS,
    JudgedRow,
    Size,
    judged_rows,
    nearest,
    place_of,
    status_of,
    write_judged,
)
from sim.simulation import simulate
from sim.trust import aspects, trust_document
from workloads.scenario import load_scenario

ROW = JudgedRow(
    *("a1", "validation", "phone", "genie", "npu", "tokens_per_s", "qwen3-8b", "w4"),
    "https://example.org/a",
    *(4e9, 512.0, 0.0, 10.0, 12.0, 9.0, 15.0),
)


def test_the_file_is_read_as_it_was_written(tmp_path):
    rows = [ROW, ROW._replace(id="a2", simulated=1.0 / 3.0)]
    write_judged(rows, tmp_path / "rows.csv")
    back = judged_rows(tmp_path / "rows.csv")
    assert [row.id for row in back] == ["a1", "a2"]
    assert back[1].simulated == pytest.approx(1.0 / 3.0, rel=1e-4)
    assert (back[0].error, back[0].is_inside) == (pytest.approx(0.2), True)


def test_places_go_from_this_device_and_stack_to_neither():
    asked = [("phone", "genie"), ("phone", "other"), ("else", "genie"), ("else", "other")]
    assert [place_of(ROW, *item) for item in asked] == [
        HERE,
        OTHER_STACKS,
        OTHER_DEVICES,
        ELSEWHERE,
    ]


def test_what_ships_was_measured_and_judged():
    rows = judged_rows()
    assert len(rows) > 1000
    assert {row.role for row in rows} == {"validation", "calibration"}
    for row in rows:
        assert row.measured > 0 < row.simulated, row
        assert row.low <= row.simulated <= row.high, row
        assert row.step_bytes > 0, row


def test_the_nearest_row_of_a_place_is_the_nearest_in_size():
    near = nearest("tokens_per_s", "snapdragon_8_elite", "genie", "npu", Size(1e9, 500.0, 0.0), 5)
    places = [item.place for item in near]
    assert places == sorted(places, key=[HERE, OTHER_STACKS, OTHER_DEVICES, ELSEWHERE].index)
    here = [item.apart for item in near if item.place == HERE]
    assert here
    assert here == sorted(here)


def test_an_unknown_phone_and_stack_are_unvalidated_but_still_have_a_nearest_row():
    assert status_of(["tokens_per_s"], "my_phone", "my_stack") == "unvalidated"
    near = nearest("tokens_per_s", "my_phone", "my_stack", "npu", Size(1e9, 500.0, 0.0), 1)
    assert [item.place for item in near] == [ELSEWHERE]
    assert near[0].row.unit == "npu"


def test_an_answer_names_a_status_and_rows_for_each_of_its_aspects():
    result = simulate(load_scenario())
    found = {aspect.name: aspect for aspect in aspects(result)}
    assert set(found) == {"first token", "decode", "vision encode", "energy", "memory", "sustained"}
    assert {item.row.metric for item in found["vision encode"].near} <= {"vision_encode_s"}
    assert {item.row.metric for item in found["sustained"].near} == {"sustained_share"}
    assert {item.row.metric for item in found["energy"].near} == {"energy_j_per_token"}
    assert trust_document(result)["decode"]["nearest"][0]["model"] in found["decode"].text()


def test_a_first_token_is_known_no_better_than_the_encoding_before_it():
    asked = ["device=snapdragon_8_elite_gen_5", "stack=genie", "model=andesvl-1b"]
    seen = {aspect.name: aspect.status for aspect in aspects(simulate(load_scenario(None, asked)))}
    bare = simulate(load_scenario(None, [*asked, "session.turns.0.images_px=[]"]))
    assert seen["vision encode"] == "unvalidated"
    assert seen["first token"] == "partly"
    assert {aspect.name: aspect.status for aspect in aspects(bare)}["first token"] == "validated"


def test_a_question_without_an_image_has_no_vision_aspect():
    result = simulate(load_scenario(None, ["session.turns.0.images_px=[]"]))
    assert "vision encode" not in {aspect.name for aspect in aspects(result)}
