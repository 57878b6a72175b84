"""What `simulate --out` writes: whole files that agree with each other, or nothing."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from sim import load_scenario, simulate

FILES = {"summary.json", "scenario.yaml", "tasks.parquet", "trace.json"}
SMALL = (
    "--set",
    "model=smollm2-135m",
    "--set",
    "session={turns: [{prompt_tokens: 8, output_tokens: 3}]}",
)
LATE = """\
model: andesvl-0.6b
device: dimensity_9500
session:
  until_s: 6
  clients:
    first:
      turns:
        - {images_px: [[448, 448]], prompt_tokens: 8, output_tokens: 30}
        - {prompt_tokens: 8, output_tokens: 30}
      arrivals: {process: recorded, times_s: [0.0, 5.9]}
    second:
      turns: [{prompt_tokens: 2000, output_tokens: 1000}]
      arrivals: {process: recorded, times_s: [0.05]}
"""
"""The second turn of the first client comes while the other's reply keeps the phone busy."""


def test_out_writes_four_files_and_makes_the_folder(andesim, tmp_path):
    folder = tmp_path / "new" / "run"
    assert andesim("simulate", *SMALL, "--json", "--out", folder).code == 0
    assert {path.name for path in folder.iterdir()} == FILES


def test_files_tell_the_same_run(andesim, tmp_path):
    printed = andesim("simulate", *SMALL, "--json", "--out", tmp_path).out
    document = json.loads((tmp_path / "summary.json").read_text())
    assert document == json.loads(printed)
    frame = pd.read_parquet(tmp_path / "tasks.parquet")
    assert frame["dram_read_bytes"].sum() == document["metrics"]["dram_read_bytes"]
    assert frame["flops"].sum() == document["metrics"]["flops"]


def test_the_written_scenario_runs_to_the_same_answer(andesim, tmp_path):
    andesim("simulate", *SMALL, "--json", "--out", tmp_path)
    again = simulate(load_scenario(tmp_path / "scenario.yaml"))
    document = json.loads((tmp_path / "summary.json").read_text())
    assert again.summary().as_dict() == document["metrics"]
    assert again.fingerprint == document["fingerprint"]


def test_a_second_run_writes_the_same_bytes(andesim, tmp_path):
    for name in ("first", "second"):
        andesim("simulate", *SMALL, "--json", "--seed", 3, "--out", tmp_path / name)
    for name in FILES:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_a_run_out_of_memory_writes_its_files_too(andesim, tmp_path):
    budget = ("--set", "environment.app_budget_bytes=1 MB")
    assert andesim("simulate", *SMALL, *budget, "--json", "--out", tmp_path).code == 0
    assert {path.name for path in tmp_path.iterdir()} == FILES
    assert len(pd.read_parquet(tmp_path / "tasks.parquet")) == 0
    json.loads((tmp_path / "trace.json").read_text())


def test_a_folder_below_a_file_is_refused(andesim, tmp_path):
    taken = tmp_path / "taken"
    taken.write_text("mine")
    for folder in (taken, taken / "deeper"):
        outcome = andesim("simulate", *SMALL, "--out", folder)
        assert outcome.code == 2
        assert "must be a writable folder" in outcome.err
    assert taken.read_text() == "mine"


def refuse(*_: object, **__: object) -> Path:
    raise OSError(28, "No space left on device")


REFUSING = ["pathlib.Path.mkdir", "pathlib.Path.write_text", "pathlib.Path.replace"]


@pytest.mark.parametrize("target", REFUSING)
def test_a_folder_that_takes_no_file_is_left_as_it_was(andesim, tmp_path, monkeypatch, target):
    monkeypatch.setattr(target, refuse)
    outcome = andesim("simulate", *SMALL, "--out", tmp_path)
    assert outcome.code == 2
    assert "writable" in outcome.err
    assert "Got: No space left on device." in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_the_screen_and_the_report_count_the_same_numbers(andesim):
    said = andesim("simulate", *SMALL).out.partition("Numbers behind it: ")[2].partition(";")[0]
    document = json.loads(andesim("report", *SMALL, "--uncertainty", 0, "--json").out)
    kinds = Counter(item["kind"] for item in document["assumptions"])
    assert said == ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())


def test_brackets_of_a_device_s_texts_are_printed(andesim, tmp_path):
    path = tmp_path / "own.yaml"
    text = "extends: dimensity_9500\nname: Phone [draft] of [/today]\n"
    path.write_text(text, encoding="utf-8")
    assert "Phone [draft] of [/today]" in andesim("simulate", *SMALL, "--set", f"device={path}").out


def test_visual_tokens_are_those_of_the_images_that_were_served(andesim, tmp_path):
    path = tmp_path / "late.yaml"
    path.write_text(LATE, encoding="utf-8")
    assert "1 image (225 visual tokens), 2008 prompt tokens" in andesim("simulate", path).out
