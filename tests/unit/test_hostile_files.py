"""Files that no person would write: every command refuses them with one message and exit code 2."""

from __future__ import annotations

import os

import pytest

GIB = 2**30
SCENARIO = "device: dimensity_9500\nmodel: smollm2-135m\nsession: {turns: [{prompt_tokens: 8}]}\n"
COMMANDS = {
    "scenario": ("simulate", "{}"),
    "device": ("simulate", "--set", "device={}"),
    "model": ("simulate", "--set", "model={}"),
    "acceptance": (
        "simulate",
        "--set",
        "deployment.speculation={{method: ngram, depth: 3, acceptance: {{trace: {}}}}}",
    ),
    "weights": ("simulate", "--set", "deployment.weights.body={}"),
    "sweep": ("sweep", "{}", "-o", "rows.parquet"),
    "sizing": ("size", "{}", "--target", "tokens_per_s>1"),
    "report": ("report", "{}"),
    "measured": ("validate", "{}"),
    "calibration": ("calibrate", "{}", "-o", "device.yaml"),
}
SUFFIX = {"model": ".json", "measured": ".csv", "calibration": ".csv"}


def repeated_aliases() -> str:
    levels = [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    return "\n".join(["a0: &a0 [x, x]", *levels])


CONTENTS = {
    "empty": b"",
    "zeros": bytes(100),
    "utf-16": SCENARIO.encode("utf-16"),
    "latin-1": SCENARIO.encode() + "# Größe\n".encode("latin-1"),
    "half of it UTF-16": SCENARIO.encode() + SCENARIO.encode("utf-16-le"),
    "aliases that multiply": repeated_aliases().encode(),
    "a merge of itself": b"a: &a {<<: *a}\n",
    "deep flow": b"[" * 50_000,
    "deep blocks": b"".join(b" " * i + b"a:\n" for i in range(500)),
    "a number of 5000 digits": b"device: " + b"9" * 5000 + b"\n",
    "1e400": b"device: x\nmodel: 1e400\n",
    "not a number": b"device: .nan\n",
    "a key twice": SCENARIO.encode() + b"model: x\n",
    "a tag that runs code": b"device: !!python/object/apply:os.system ['true']\n",
    "half a surrogate pair": b'device: "\\ud800"\n',
    "a date that is none": b"device: 2001-13-45\n",
}


@pytest.fixture
def refused(andesim, tmp_path, monkeypatch):
    """Return a function that gives a file to a command and checks the refusal."""
    monkeypatch.chdir(tmp_path)

    def check(kind, path) -> str:
        before = sorted(tmp_path.iterdir())
        outcome = andesim(*(part.format(path) for part in COMMANDS[kind]))
        assert (outcome.code, outcome.out) == (2, ""), outcome.out[:300] + outcome.err[:300]
        assert outcome.err.startswith("andesim: ")
        assert "Traceback" not in outcome.err
        assert len(outcome.err) < 4000
        assert sorted(tmp_path.iterdir()) == before, "nothing half-written is left"
        return str(outcome.err)

    return check


def file_for(kind, folder):
    return folder / f"file{SUFFIX.get(kind, '.yaml')}"


@pytest.mark.parametrize("kind", COMMANDS)
@pytest.mark.parametrize("content", CONTENTS)
def test_contents(refused, tmp_path, kind, content):
    path = file_for(kind, tmp_path)
    path.write_bytes(CONTENTS[content])
    assert "file." in refused(kind, path)


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_file_of_a_gibibyte(refused, tmp_path, kind):
    path = file_for(kind, tmp_path)
    with path.open("wb") as stream:
        stream.truncate(GIB)
    assert "must be at most" in refused(kind, path)


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_file_without_an_end(refused, tmp_path, kind):
    path = file_for(kind, tmp_path)
    path.symlink_to("/dev/zero")
    message = refused(kind, path)
    assert "must be at most" in message or "must be an ordinary file" in message


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_folder_a_loop_of_links_and_a_pipe_nobody_writes_to(refused, tmp_path, kind):
    path = file_for(kind, tmp_path)
    path.mkdir()
    refused(kind, path)
    path.rmdir()
    path.symlink_to(path)
    refused(kind, path)
    path.unlink()
    os.mkfifo(path)
    refused(kind, path)


@pytest.mark.parametrize("kind", COMMANDS)
@pytest.mark.parametrize("name", ["x" * 300 + ".yaml", "~nobody_of_this_name/x.yaml"])
def test_paths_that_no_file_can_have(refused, kind, name):
    refused(kind, name.replace(".yaml", SUFFIX.get(kind, ".yaml")))


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
@pytest.mark.parametrize("kind", COMMANDS)
def test_a_file_that_may_not_be_read(refused, tmp_path, kind):
    path = file_for(kind, tmp_path)
    path.write_text(SCENARIO)
    path.chmod(0)
    refused(kind, path)


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-8"])
@pytest.mark.parametrize("newline", ["\r\n", "\n", "\r"])
def test_a_byte_order_mark_and_other_line_ends_are_read(andesim, tmp_path, codec, newline):
    path = tmp_path / "scenario.yaml"
    path.write_bytes(SCENARIO.replace("\n", newline).encode(codec))
    assert andesim("simulate", path).code == 0


def test_a_pipe_with_a_writer_is_read(andesim, tmp_path):
    """What `andesim simulate <(command)` gives."""
    reading, writing = os.pipe()
    os.write(writing, SCENARIO.encode())
    os.close(writing)
    assert andesim("simulate", f"/dev/fd/{reading}").code == 0
    os.close(reading)
