"""Trace files: the bytes are deterministic, and a damaged file is refused with its place."""

import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workloads.errors import WorkloadError
from workloads.trace_file import FOLDER, format_trace, load_trace, parse_trace, save_trace

TEXT = (FOLDER / "andesvl-0.6b.json").read_text()
PLAIN = json.loads(TEXT)


def damaged(change):
    content = json.loads(TEXT)
    change(content)
    return json.dumps(content)


def test_round_trip_is_the_identity_on_values_and_bytes(tmp_path):
    trace = load_trace("andesvl-0.6b")
    assert format_trace(trace) == TEXT
    save_trace(trace, tmp_path / "trace.json")
    assert load_trace(tmp_path / "trace.json") == trace
    assert (tmp_path / "trace.json").read_bytes() == TEXT.encode()


def test_equal_runs_are_stored_and_held_once():
    phases = load_trace("andesvl-0.6b").phases
    layers = [phases[name].segments[1].operators for name in ("prefill", "decode")]
    assert layers[0] is layers[1]
    assert TEXT.count("model.layers.*.self_attn.q_proj.weight") == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.update(schema="andesim.trace/2"), "schema must be 'andesim.trace/1'"),
        (lambda t: t.pop("model"), "model must be of type str"),
        (lambda t: t["parameters"].update(body=-1), "parameters: body must be at least 0"),
        (lambda t: t["parameters"].update(brain=1), "one of adapter, audio, body"),
        (lambda t: t["decoder"].pop("layers"), "decoder: .*layers"),
        (lambda t: t["decoder"].update(layers=1.5), "decoder: layers must be of type int"),
        (lambda t: t["decoder"].update(colour=1), "colour is not known"),
        (lambda t: t["decoder"].update(layers=None), "decoder: layers must be of type int"),
        (lambda t: t["decoder"].update(layers=0), "decoder: layers must be at least 1"),
        (lambda t: t["decoder"].update(tied_embedding=1), "tied_embedding must be of type bool"),
        (lambda t: t["vision"].update(merge=True), "vision: merge must be of type int"),
        (lambda t: t["runs"].insert(0, []), r"runs\[0\] must be a list of at least one entry"),
        (lambda t: t["phases"]["decode"].update(segments=[]), "segments must be a list of at"),
        (lambda t: t["phases"].update(training={}), "one of vision, prefill, decode"),
        (lambda t: t["phases"]["decode"].update(symbols=["T"]), "sizes must use the names T"),
        (
            lambda t: t["phases"]["decode"]["segments"][0].update(run=99),
            r"segments\[0\]: run must be below",
        ),
        (
            lambda t: t["phases"]["decode"]["segments"][0].update(repeat=True),
            "repeat must be of type int",
        ),
        (
            lambda t: t["phases"]["decode"]["segments"][0].update(repeat=0),
            "repeat must be at least 1",
        ),
        (lambda t: t["runs"][0][0].update(name="aten.linaer"), "Did you mean 'aten.linear'"),
        (lambda t: t["runs"][0][0].update(kind="magic"), r"runs\[0\]\[0\]: kind must be one of"),
        (lambda t: t["runs"][0][0].update(kind="norm"), "the kind of aten.linear"),
        (lambda t: t["runs"][0][0].update(inputs=[]), "must read what aten.linear reads"),
        (lambda t: t["runs"][0][0]["inputs"][0].update(shape=["-4"]), "size of at least 0"),
        (lambda t: t["runs"][0][0]["inputs"][0].update(shape=["T*T"]), "an extent must be"),
        (lambda t: t["runs"][0][0]["inputs"][1].update(role="wieght"), "role must be one of"),
        (lambda t: t["runs"][0][0]["inputs"][1].pop("parameter"), "parameter must be of type str"),
    ],
)
def test_faults_name_the_file_and_the_place(change, message):
    with pytest.raises(WorkloadError, match=message) as caught:
        parse_trace(damaged(change), "mine.json")
    assert "mine.json" in str(caught.value)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.999])
def test_a_truncated_file_is_refused(tmp_path, share):
    file = tmp_path / "cut.json"
    file.write_text(TEXT[: int(len(TEXT) * share)])
    with pytest.raises(WorkloadError, match=r"cut\.json"):
        load_trace(file)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | st.sampled_from(["T", "linear"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=3,
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_change_is_read_or_refused_as_ours(data):
    content = json.loads(TEXT)
    node = content
    while isinstance(node, (dict, list)) and node:
        keys = sorted(node) if isinstance(node, dict) else range(len(node))
        key = data.draw(st.sampled_from(list(keys)))
        if not isinstance(node[key], (dict, list)) or data.draw(st.integers(0, 4)) == 0:
            node[key] = data.draw(JSON)
            break
        node = node[key]
    try:
        trace = parse_trace(json.dumps(content))
    except WorkloadError:
        return
    assert parse_trace(format_trace(trace)) == trace


@pytest.mark.parametrize("name", ["manifest", "../catalogue", "", "andesvl-5b"])
def test_only_model_ids_are_traces(name):
    with pytest.raises(WorkloadError, match="a trace must be a model id"):
        load_trace(name)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    file = tmp_path / "trace.json"
    trace = load_trace("andesvl-0.6b")
    save_trace(trace, file)
    with pytest.raises(AttributeError):
        save_trace(dataclasses.replace(trace, phases={"decode": None}), file)
    assert load_trace(file) == trace
