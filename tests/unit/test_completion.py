"""The Tab key: commands, options, ids and files, as a shell asks for them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sim.cli import completing, offering, studying
from sim.cli.completing_settings import Settings
from workloads.scenario import load_scenario

PROCESS = "import sys; sys.argv = ['andesim']; from sim.cli import process; process()"


def offered(line: str, folder: str | None = None) -> list[str]:
    """Return what bash is offered at the end of a line, where each ``=`` is a word of its own."""
    words = line.split(" ")
    asked = {"COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)}
    environment = {**os.environ, **asked, "_ANDESIM_COMPLETE": "complete_bash"}
    done = subprocess.run(
        [sys.executable, "-c", PROCESS], env=environment, capture_output=True, text=True, cwd=folder
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
    assert offering.scenario_ids("gui") == ["gui_agent_ten_minutes", "gui.yaml", "guides/"]
    assert offering.model_ids(str(tmp_path)) == [f"{tmp_path}/"]


@pytest.mark.parametrize(
    ("offers", "begun", "one"),
    [
        (offering.format_ids, "q4", "q4_k_m"),
        (studying.study_ids, "andes", "andesvl"),
        (completing.settings, "", "prompt"),
        (offering.metrics, "peak", "peak_dram_bytes"),
    ],
)
def test_each_list_offers_its_own_names(offers, begun, one):
    assert one in offers(begun)
    assert all(name.startswith(begun) for name in offers(begun))


@pytest.mark.parametrize(
    ("line", "some"),
    [
        ("andesim simulate --set deployment.weights =", ["w4", "q4_k_m"]),
        ("andesim simulate --set deployment.kv_cache.dtype = q", ["q8_0", "q4_0"]),
        ("andesim simulate --set device = apple_a17_pro --set stack = mnn_a", ["mnn_aecs_cpu"]),
        ("andesim simulate --set=environment.start = c", ["cold"]),
        ("andesim simulate --set device = dimensity_95", ["dimensity_9500"]),
        ("andesim validate --device = dimensity_95", ["dimensity_9500"]),
        ("andesim validate --device dimensity_9500 --stack neuro", ["neuropilot"]),
        ("andesim import --format llama-b", ["llama-bench"]),
        ("andesim size --free deployment.weights.body = [w8,w4_g", ["[w8,w4_g128"]),
    ],
)
def test_bash_is_offered_what_stands_behind_the_sign(line, some):
    """Bash takes `a=b` for three words, and completes only the last."""
    found = offered(line)
    assert set(some) <= set(found)
    assert not any("=" in one for one in found)


def test_other_shells_are_offered_the_whole_word():
    line = "andesim simulate --set environment.start="
    environment = {
        **os.environ,
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "_ANDESIM_COMPLETE": "complete_fish",
    }
    done = subprocess.run([sys.executable, "-c", PROCESS], env=environment, capture_output=True)
    found = done.stdout.decode().split()
    assert found == ["environment.start=cold", "environment.start=warm"]


def test_a_line_in_one_piece_is_left_as_it_is():
    line = {"COMP_WORDS": "andesim si", "COMP_CWORD": "1"}
    assert completing.joined_words(line) == ["andesim", "si"]
    assert line == {"COMP_WORDS": "andesim si", "COMP_CWORD": "1"}


def settings(device: str = "dimensity_9500") -> Settings:
    return Settings.on({"device": device})


@pytest.mark.parametrize(
    ("begun", "some"),
    [
        ("", ["device=", "deployment.", "session.", "assume."]),
        ("deployment.we", ["deployment.weights.", "deployment.weights="]),
        ("deployment.weights.", ["deployment.weights.body=", "deployment.weights.lm_head="]),
        ("environment.st", ["environment.start=warm", "environment.start=cold"]),
        ("session.turns", ["session.turns.0.prompt_tokens=", "session.turns.0.fresh="]),
        ("session.clients.me.turns.0.out", ["session.clients.me.turns.0.output_tokens="]),
        ("deployment.speculation.draft_", ["deployment.speculation.draft_model="]),
        ("assume.dram.ra", ["assume.dram.rate="]),
        ("assume.thermal.governor.trip_c.", ["assume.thermal.governor.trip_c.0="]),
        ("environment.background=g", ["environment.background=game"]),
        ("deployment.speculation.method=me", ["deployment.speculation.method=medusa"]),
        ("session.turns.0.fresh=t", ["session.turns.0.fresh=true"]),
        ("device=dimensity_95", ["device=dimensity_9500"]),
        ("model=andesvl-0", ["model=andesvl-0.6b"]),
    ],
)
def test_paths_and_their_names_are_offered(begun, some):
    found = settings().assignments(begun)
    assert set(some) <= set(found)
    assert all(one.startswith(begun) for one in found)


@pytest.mark.parametrize("begun", ["nothing.", "deployment.weights.body.", "environment.start=hot"])
def test_nothing_is_offered_where_no_setting_is(begun):
    assert settings().assignments(begun) == []


def test_every_name_that_is_offered_is_taken():
    """Each value behind the sign makes a scenario, or breaks only a rule about the others."""
    taken = settings()
    for path in ("environment.start", "deployment.activations", "deployment.kv_cache.dtype"):
        for one in taken.assignments(f"{path}="):
            load_scenario(None, [one])


def test_the_stack_is_of_the_device_that_is_named_last():
    line = {"overrides": ["device=apple_a17_pro", "device=dimensity_9500"], "scenario": None}
    assert "stack=neuropilot" in Settings.on(line).assignments("stack=")
    scenario = {"overrides": [], "scenario": "gui_agent_ten_minutes"}
    assert "stack=neuropilot" in Settings.on(scenario).assignments("stack=ne")


def test_an_ordinary_command_does_not_load_what_completes():
    code = "import sys, sim.cli.simulating; sys.exit('sim.cli.completing_settings' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
