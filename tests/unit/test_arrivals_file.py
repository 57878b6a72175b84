"""Turns from a CSV file: what is read, what is refused, where the path counts from."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sim import load_scenario, simulate
from sim.explore.designs import load_sweep
from sim.explore.sweep_rows import evaluate
from workloads.arrivals_file import recorded_clients
from workloads.errors import WorkloadError
from workloads.session import Session, Turn

VISITS = """at_s,client,prompt_tokens,output_tokens,images,fresh,priority
0.0,assistant,64,4,,true,1
0.2,keyboard,10,2,,,0
3,assistant,20,3,,,
4.25,photos,5,2,640x480 1280x960,1,5
"""
SCENARIO = {"device": "dimensity_9500", "model": "andesvl-0.6b", "session": {"recorded": "v.csv"}}


def written(folder: Path, text: str = VISITS) -> Path:
    (folder / "v.csv").write_text(text, encoding="utf-8")
    file = folder / "scenario.yaml"
    file.write_text(json.dumps(SCENARIO), encoding="utf-8")
    return file


def test_a_recording_becomes_clients_with_turns(tmp_path):
    session = load_scenario(written(tmp_path)).session
    assert {name: session.priority(name) for name in session.clients} == {
        "assistant": 1,
        "keyboard": 0,
        "photos": 5,
    }
    assert session.clients["photos"].turns == (
        Turn(
            at_s=4.25,
            prompt_tokens=5,
            output_tokens=2,
            images_px=((640, 480), (1280, 960)),
            fresh=True,
        ),
    )
    assert [turn.at_s for turn in session.clients["assistant"].turns] == [0.0, 3.0]
    assert session.clients["keyboard"].turns[0].output_tokens == 2


def test_a_recording_is_replayed_at_its_instants(tmp_path):
    result = simulate(load_scenario(written(tmp_path)))
    arrived = sorted((turn.arrived_s, turn.client) for turn in result.turns)
    assert arrived == [(0.0, "assistant"), (0.2, "keyboard"), (3.0, "assistant"), (4.25, "photos")]
    assert {turn.outcome for turn in result.turns} == {"done"}


def test_a_sweep_and_a_set_count_the_path_from_the_file_that_names_it(tmp_path, monkeypatch):
    written(tmp_path)
    monkeypatch.chdir(tmp_path.parent)
    axes = {"session.until_s": [1, 5]}
    (tmp_path / "by_name.yaml").write_text(json.dumps({"base": "scenario.yaml", "axes": axes}))
    (tmp_path / "inline.yaml").write_text(json.dumps({"base": SCENARIO, "axes": axes}))
    for name in ("by_name.yaml", "inline.yaml"):
        rows = evaluate(load_sweep(tmp_path / name), 0, 2)
        assert [row["error"] for row in rows] == [None, None]


def test_set_takes_a_recording_beside_synthetic_clients(tmp_path, andesim, monkeypatch):
    written(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "v.csv").write_text("at_s,client\n1,visitor\n", encoding="utf-8")
    asked = ("--set", "session.until_s=2", "--set", "session.recorded=v.csv", "--json")
    found = json.loads(andesim("simulate", "gui_agent_ten_minutes", *asked).out)
    assert "visitor" in {client["client"] for client in found["session"]["clients"]}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "at_s,output_tokns\n0,4\n",
            "column 'output_tokns' is not known. Did you mean 'output_tok",
        ),
        ("client\nassistant\n", "the header must name at_s"),
        ("at_s,at_s\n0,1\n", "column 'at_s' must be given once"),
        ("at_s\n", "at least one row"),
        ("", "the header must name at_s"),
        ("at_s,client\n0\n", "line 2 must have as many cells as the header"),
        ("at_s,client\n,a\n", "line 2: at_s must be given"),
        ("at_s\nsoon\n", "line 2: at_s must be seconds from 0 to 10000000. Got 'soon'"),
        ("at_s\nnan\n", "at_s must be seconds"),
        ("at_s,prompt_tokens\n0,6.4\n", "prompt_tokens must be a whole number from 0"),
        ("at_s,output_tokens\n0,0\n", "output_tokens must be a whole number from 1"),
        ("at_s,images\n0,1080*2400\n", "images must be sizes such as 1080x2400"),
        ("at_s,fresh\n0,maybe\n", "fresh must be true or false"),
        ("at_s,priority\n0,1\n1,2\n", "the priority of 'assistant' must be the same"),
        ('at_s\n"0\n', "must be CSV"),
    ],
)
def test_faults_of_a_recording_are_told(tmp_path, text, words):
    with pytest.raises(WorkloadError, match="must be a recording of turns") as told:
        load_scenario(written(tmp_path, text))
    assert words in str(told.value)


def test_all_faults_are_told_at_once(tmp_path):
    with pytest.raises(WorkloadError) as told:
        load_scenario(written(tmp_path, "at_s,fresh\nx,1\n1,y\n-1,0\n"))
    assert [f"line {line}" in str(told.value) for line in (2, 3, 4)] == [True] * 3


@pytest.mark.parametrize(
    ("session", "words"),
    [
        ({"recorded": 3}, "session.recorded must be the path of a CSV file. Got 3"),
        ({"recorded": "v.csv", "turns": [{}]}, "either turns or recorded"),
        ({"recorded": "no.csv"}, "no.csv must be a readable file"),
        ({"recorded": "v.csv", "clients": {"photos": {"turns": [{}]}}}, "Got 'photos'"),
    ],
)
def test_what_surrounds_a_recording_is_checked(tmp_path, session, words):
    file = written(tmp_path)
    file.write_text(json.dumps(SCENARIO | {"session": session}), encoding="utf-8")
    with pytest.raises(WorkloadError, match=words):
        load_scenario(file)


turns = st.fixed_dictionaries(
    {
        "at_s": st.floats(0, 1e6),
        "client": st.sampled_from(["assistant", "a, quoted", "three"]),
        "prompt_tokens": st.integers(1, 999),
        "output_tokens": st.integers(1, 999),
        "images_px": st.lists(st.tuples(st.integers(1, 9999), st.integers(1, 9999)), max_size=2),
        "fresh": st.booleans(),
    }
)


@given(st.lists(turns, min_size=1, max_size=8))
def test_what_is_written_is_read_back(tmp_path_factory, asked):
    file = tmp_path_factory.mktemp("recording") / "turns.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["images" if name == "images_px" else name for name in asked[0]])
        writer.writerows([_cell(turn[name]) for name in asked[0]] for turn in asked)
    session = Session.model_validate({"clients": recorded_clients(file)})
    for name, client in session.clients.items():
        expected = [turn for turn in asked if turn["client"] == name]
        own = [Turn.model_validate(turn | {"client": "assistant"}) for turn in expected]
        assert list(client.turns) == own


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(f"{width}x{height}" for width, height in value)
    return repr(value) if isinstance(value, float) else str(value)


@example("\r0\n0")
@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_with_a_sentence(tmp_path_factory, text):
    file = tmp_path_factory.mktemp("recording") / "turns.csv"
    file.write_text(text, encoding="utf-8", errors="replace")
    with pytest.raises(WorkloadError, match="must be"):
        recorded_clients(file)
