"""Strict files: what a lenient parser would let pass is refused, with the place."""

import contextlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.errors import WorkloadError, did_you_mean
from workloads.files import parse_json, parse_yaml, read_mapping, read_text, write_text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2", "line 2: key 'a' must be given once"),
        ("a: {b: 1, b: 2}", "key 'b' must be given once"),
        ("a: &x [1]\nb: *x", "aliases"),
        ("a: [1, 2", "text, line"),
        ("a: !!python/object/apply:os.getcwd []", "python"),
        ("? [a]\n: 1", "must be YAML"),
        ("a: 1\nb: .nan", "line 2: numbers must be finite"),
        ("a: -.inf", "finite"),
        ("a: 1e999", "finite"),
        ("[" * 10**6 + "]" * 10**6, "nested at most 64 deep"),
        ("- " * 10**5, "nested at most 64 deep"),
    ],
)
def test_yaml_faults(text, message):
    with pytest.raises(WorkloadError, match=message):
        parse_yaml(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "a": 2}', "key 'a' must be given once"),
        ('{"a": NaN}', "finite"),
        ('{"a": -Infinity}', "finite"),
        ('{"a": 1e999}', "finite"),
        ('{"a": 1', "line 1: must be JSON"),
        ("[" * 100_000, "nested"),
    ],
)
def test_json_faults(text, message):
    with pytest.raises(WorkloadError, match=message):
        parse_json(text)


@given(st.text(max_size=60))
def test_any_text_is_a_value_or_a_workload_error(text):
    for parse in (parse_yaml, parse_json):
        with contextlib.suppress(WorkloadError):
            parse(text)


@pytest.mark.parametrize("number", ["85e9", "8.5e10", "8.5E+10", "+8.5e10"])
def test_yaml_numbers_with_exponent(number):
    assert parse_yaml(f"x: {number}") == {"x": 8.5e10}


@pytest.mark.parametrize("word", ["0100", "12:30:45", "0x10", "1_000", "yes", "2024-05-01", "<<"])
def test_words_of_older_yaml_stay_text(word):
    assert parse_yaml(f"x: {word}") == {"x": word}


def test_control_characters_are_refused_escaped_or_raw(tmp_path):
    with pytest.raises(WorkloadError, match=r"line 2: must be text without control characters"):
        parse_yaml('a: 1\nb: "\\e[31m"')
    (tmp_path / "nul.csv").write_text("a,b\n1,\0\n")
    with pytest.raises(WorkloadError, match=r"nul.csv, line 2: must be text without control"):
        read_text(tmp_path / "nul.csv")


def test_file_faults_name_the_file(tmp_path):
    with pytest.raises(WorkloadError, match=r"missing\.yaml must be a readable file"):
        read_text(tmp_path / "missing.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9")
    with pytest.raises(WorkloadError, match=r"latin\.yaml must be UTF-8"):
        read_text(tmp_path / "latin.yaml")
    (tmp_path / "large.yaml").write_text("a" * 100)
    with pytest.raises(WorkloadError, match=r"large\.yaml must be at most 99 bytes"):
        read_text(tmp_path / "large.yaml", limit_bytes=99)
    (tmp_path / "list.json").write_text("[1]")
    with pytest.raises(WorkloadError, match=r"list\.json must be a mapping"):
        read_mapping(tmp_path / "list.json")


def test_writing_leaves_the_whole_file_and_nothing_else(tmp_path):
    write_text(tmp_path / "a.json", "old")
    write_text(tmp_path / "a.json", "new")
    assert os.listdir(tmp_path) == ["a.json"]
    assert (tmp_path / "a.json").read_text() == "new"
    with pytest.raises(WorkloadError, match="writable"):
        write_text(tmp_path / "no" / "a.json", "text")
    (tmp_path / "folder").mkdir()
    with pytest.raises(WorkloadError, match=r"folder must be writable\. Got: Is a directory"):
        write_text(tmp_path / "folder", "text")
    assert sorted(os.listdir(tmp_path)) == ["a.json", "folder"]


def test_nearest_name():
    assert did_you_mean("andesvl4b", ["andesvl-4b", "qwen3-4b"]) == "Did you mean 'andesvl-4b'?"
    assert did_you_mean(None, ["b", "a"]) == "Known: a, b."
