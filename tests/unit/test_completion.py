"""The Tab key: commands, options, ids and files, as a shell asks for them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sim.cli import completing, studying


def offered(line: str, folder: str | None = None) -> list[str]:
    """Return what bash is offered at the end of a line."""
    asked = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
    environment = {**os.environ, **asked, "_ANDESIM_COMPLETE": "complete_bash"}
    code = "import sys; sys.argv = ['andesim']; from sim.cli import process; process()"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, cwd=folder
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "some"),
    [
        ("andesim si", ["simulate", "size"]),
        ("andesim simulate --eng", ["--engine"]),
        ("andesim simulate gui", ["gui_agent_ten_minutes"]),
        ("andesim devices dimensity_95", ["dimensity_9500"]),
        ("andesim models andesvl-0", ["andesvl-0.6b"]),
        ("andesim size --target tokens_per_s", ["tokens_per_s", "tokens_per_step"]),
    ],
)
def test_a_shell_is_offered_what_begins_so(line, some):
    assert set(some) == set(offered(line))


def test_files_are_offered_beside_ids(tmp_path, monkeypatch):
    (tmp_path / "gui.yaml").touch()
    (tmp_path / "gui.txt").touch()
    (tmp_path / "guides").mkdir()
    monkeypatch.chdir(tmp_path)
    assert completing.scenario_ids("gui") == ["gui_agent_ten_minutes", "gui.yaml", "guides/"]
    assert completing.model_ids(str(tmp_path)) == [f"{tmp_path}/"]


@pytest.mark.parametrize(
    ("offers", "begun", "one"),
    [
        (completing.format_ids, "q4", "q4_k_m"),
        (studying.study_ids, "andes", "andesvl"),
        (completing.settings, "", "prompt"),
        (completing.metrics, "peak", "peak_dram_bytes"),
    ],
)
def test_each_list_offers_its_own_names(offers, begun, one):
    assert one in offers(begun)
    assert all(name.startswith(begun) for name in offers(begun))
