"""Bad input: exit code 2, one message that names the place and the rule, nothing half-written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from workloads.trace_file import FOLDER as TRACES

GOOD = """\
device: dimensity_9500
model: smollm2-135m
session: {turns: [{prompt_tokens: 8, output_tokens: 2}]}
"""


@pytest.fixture
def refused(andesim, tmp_path):
    """Return a function that checks a refusal and returns its message."""

    def check(*arguments: object) -> str:
        folder = tmp_path / "out"
        outcome = andesim("simulate", *arguments, "--json", "--out", folder)
        assert outcome.code == 2, outcome.out + outcome.err
        assert outcome.out == ""
        assert outcome.err.startswith("andesim: ")
        assert "Traceback" not in outcome.err
        assert not folder.exists()
        return outcome.err

    return check


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("device=dimensity_9501", ("device", "'dimensity_9501'", "'dimensity_9500'")),
        ("device=missing.yaml", ("missing.yaml",)),
        ("device=", ("device", "text")),
        ("device=[a, b]", ("device", "text")),
        ("model=andesvl-5b", ("model", "'andesvl-5b'", "'andesvl-4b'")),
        ("model=missing.json", ("missing.json", "readable")),
        ("stack=neuropilt", ("stack", "'neuropilt'", "'neuropilot'")),
        ("sesion.turns=1", ("sesion", "'session'")),
        ("deployment.kv_cache.dtyp=int8", ("deployment.kv_cache.dtyp", "'dtype'")),
        ("deployment.kv_cache.dtype=int9", ("deployment.kv_cache.dtype", "int9")),
        ("deployment.weights={bdy: w4}", ("deployment.weights.bdy", "'body'")),
        ("deployment.weights.body=w5_g999", ("deployment.weights.body", "w5_g999")),
        ("deployment.weights=body", ("deployment.weights", "body")),
        ("deployment.activations=int17", ("deployment.activations", "int17")),
        ("deployment.prefill_chunk_tokens=0", ("prefill_chunk_tokens", "greater", "0")),
        ("deployment.kv_cache.capacity_tokens=100", ("capacity_tokens", "913", "100")),
        ("environment.app_budget_bytes=10 GBs", ("app_budget_bytes", "10 GBs")),
        ("environment.app_budget_bytes=-1", ("app_budget_bytes", "-1")),
        ("environment.ambient_c=.inf", ("ambient_c", "finite")),
        ("environment.ambient_c=500", ("ambient_c", "60")),
        ("environment.background=gaming", ("background", "gaming")),
        ("environment.start=tepid", ("environment.start", "tepid")),
        ("session.turns=[]", ("session", "at least")),
        ("session.turns.0.prompt_tokens=-4", ("session.turns[0].prompt_tokens", "-4")),
        ("session.turns.0.prompt_tokens=8.5", ("session.turns[0].prompt_tokens", "8.5")),
        ("session.turns.0.prompt_tokens=1e30", ("session.turns[0].prompt_tokens", "1e+30")),
        ("session.turns.0.output_tokens=0", ("session.turns[0].output_tokens", "1", "0")),
        ("session.turns.0.at_s=.nan", ("at_s", "finite")),
        ("session.turns.0.at_s=-1", ("session.turns[0].at_s", "-1")),
        ("session.turns.0.images_px=[[0, 10]]", ("images_px[0][0]", "0")),
        ("session.turns.0.images_px=[[10]]", ("images_px",)),
        ("session.turns.3.prompt_tokens=4", ("session.turns.3", "index", "'3'")),
        ("session.turns.-1.prompt_tokens=4", ("session.turns.-1", "index")),
        ("session.turns.x.prompt_tokens=4", ("session.turns.x", "index", "'x'")),
        ("device.x=4", ("device.x", "plain value")),
        ("=4", ("dotted.path=value",)),
        ("device", ("dotted.path=value",)),
        ("device={a: b", ("--set device",)),
        ("a..b=1", ("a is not a known key",)),
        ("deployment.adapters=[a]", ("Did you mean 'deployment.lora.adapters'?",)),
    ],
)
def test_an_override_is_refused(refused, override, words):
    message = refused("--set", override)
    for word in words:
        assert word in message


def test_an_image_asked_of_a_text_model_is_refused_with_the_way_out(refused):
    image = "session.turns.0.images_px=[[448, 448]]"
    said = refused("--set", "model=qwen3-4b", "--set", image)
    for word in ("images_px", "text model", "Remedy: leave images_px out"):
        assert word in said


def bomb() -> str:
    """Nine levels of nine aliases: 387 million nodes if it were expanded."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 9):
        names = ", ".join([f"*a{level - 1}"] * 9)
        lines.append(f"a{level}: &a{level} [{names}]")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ("mapping",)),
        ("just words", ("mapping", "str")),
        ("- 1\n- 2\n", ("mapping", "list")),
        ("device: [", ("line 2",)),
        ("device: 'x", ("line 1",)),
        (GOOD + "device: other\n", ("line 4", "'device'", "once")),
        (GOOD + "---\na: 1\n", ("line 4",)),
        (GOOD + "1: 2\n", ("1",)),
        (GOOD + "? [a]\n: 2\n", ("YAML",)),
        (bomb(), ("line 2", "alias")),
        ("[" * 100_000, ("nested",)),
        ("x: !!python/object/apply:os.system [echo]", ("line 1", "tag")),
        (b"\x00\xff\x93PNG", ("UTF-8",)),
        (b"\x00" * 64, ("control characters",)),
        (b"a: " + b"x" * (5 * 2**20), ("at most",)),
    ],
    ids=lambda value: None if isinstance(value, tuple) else repr(value[:24]),
)
def test_a_file_that_is_no_scenario_is_refused(refused, tmp_path, content, words):
    path = tmp_path / "scenario.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    message = refused(path)
    assert "scenario.yaml" in message
    for word in words:
        assert word in message


@pytest.mark.parametrize("path", ["", "missing.yaml"])
def test_a_folder_or_a_missing_file_is_refused(refused, tmp_path, path):
    message = refused(tmp_path / path)
    assert str(tmp_path) in message
    assert "readable file" in message


def test_all_faults_of_a_file_are_told_at_once(refused, tmp_path):
    path = tmp_path / "faults.yaml"
    path.write_text(
        "devise: x\nmodel: 3\nsession: {turns: [{prompt_tokens: -1, output_token: 2}]}\n"
    )
    message = refused(path)
    for place in ("device", "devise", "model", "prompt_tokens", "output_token "):
        assert place in message


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.999])
def test_a_truncated_trace_is_refused(refused, tmp_path, kept):
    whole = (TRACES / "smollm2-135m.json").read_text()
    path = tmp_path / "cut.json"
    path.write_text(whole[: int(len(whole) * kept)])
    assert "cut.json" in refused("--set", f"model={path}")


def test_a_trace_with_a_size_changed_by_hand_is_refused(refused, tmp_path):
    document = json.loads((TRACES / "smollm2-135m.json").read_text())
    del document["phases"]
    path = tmp_path / "edited.json"
    path.write_text(json.dumps(document))
    assert "edited.json" in refused("--set", f"model={path}")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["simulate", "--engine", "fast"], ("--engine", "maxplus")),
        (["simulate", "--seed", "x"], ("--seed",)),
        (["simulate", "--sed", "1"], ("--seed",)),
        (["simulat"], ("simulate",)),
        (["simulate", "a.yaml", "b.yaml"], ("b.yaml",)),
        (["devices", "dimensity_9501"], ("dimensity_9500",)),
        (["models", "andesvl-4", "--json"], ("andesvl-4b",)),
        (["formats", "w4_g127"], ("w4_g128",)),
        (["trace", "--model", "andesvl-5b", "-o", "x.json"], ("andesvl-4b",)),
    ],
)
def test_commands_and_options_are_refused(andesim, monkeypatch, tmp_path, arguments, words):
    monkeypatch.chdir(tmp_path)
    outcome = andesim(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    for word in words:
        assert word in outcome.err
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("extends: dimensity_9500\n", "a device file; name it under device:"),
        ("axes: {seed: [1]}\n", "a sweep; run it by `andesim sweep "),
    ],
)
def test_a_file_of_another_kind_is_named_with_its_use(refused, tmp_path, text, words):
    path = tmp_path / "other.yaml"
    path.write_text(text)
    assert words in refused(path)
