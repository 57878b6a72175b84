"""Byte-level byte-pair encoding and the generated screens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.behaviour.screens import dump, session
from workloads.behaviour.texts import texts
from workloads.behaviour.tokenizer import Tokenizer, byte_symbols, words

MERGES = ["h e", "l l", "he ll", "Ġ t", "Ġt he", "e l"]
TOKENIZER = Tokenizer([*byte_symbols(), *(merge.replace(" ", "") for merge in MERGES)], MERGES)


@given(st.text(max_size=80))
def test_any_text_comes_back(text):
    assert "".join(words(text)) == text
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


def test_every_byte_has_its_own_printable_symbol():
    symbols = byte_symbols()
    assert len(set(symbols)) == 256
    assert all(symbol.isprintable() and not symbol.isspace() for symbol in symbols)


def test_the_pair_learned_first_is_merged_first():
    he, ll, hell, _, the, _ = range(256, 262)
    assert TOKENIZER.encode("hell the") == [hell, the]
    assert TOKENIZER.encode("ell") == [ord("e"), ll]  # "l l" came before "e l"
    assert TOKENIZER.encode("hehe") == [he, he]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("I'll go", ["I", "'ll", " go"]),
        ("x = 10", ["x", " =", " ", "1", "0"]),
        ("a  b\n", ["a", " ", " b", "\n"]),
        ("snake_case", ["snake", "_", "case"]),
        ("naïve — yes", ["naïve", " —", " yes"]),
    ],
)
def test_words_are_cut_as_in_training(text, pieces):
    assert words(text) == pieces


def test_bytes_that_are_not_text_are_marked():
    assert TOKENIZER.decode([TOKENIZER.encode("é")[0]]) == "\ufffd"


def test_sessions_repeat_for_a_seed_and_only_then():
    assert session(1) == session(1) != session(2)


def test_a_tap_flips_one_switch():
    lines = session(3, visits=1).splitlines()
    before, tap, after = lines[1:5], lines[5], lines[7:]
    changed = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
    assert len(changed) == 1
    assert tap.split('"')[1] in changed[0][0]
    assert {line.rsplit("=", 1)[1] for line in changed[0]} == {"true", "false"}


def test_nodes_do_not_overlap():
    lines = dump("Any", {"a": True, "b": False}).splitlines()
    assert "[0,168][1080,336]" in lines[1]
    assert "[0,336][1080,504]" in lines[2]


def test_there_are_two_texts_of_each_kind():
    kinds = [text.kind for text in texts()]
    assert kinds == ["prose", "prose", "code", "code", "ui", "ui"]
    assert all(len(text.content) > 3000 for text in texts())
