"""The shipped traces are what capturing the modules gives, byte for byte."""

import pytest

from workloads.catalogue import captured_model, regenerate
from workloads.shipped_ids import model_ids
from workloads.trace_file import FOLDER, MANIFEST, format_trace, load_trace, trace_files
from workloads.trace_manifest import changed_traces, write_manifest

ANDESVL = [model for model in model_ids() if model.startswith("andesvl")]
# windows, a convolution state, a mixture and biases, each the smallest there is
SAMPLE = ["gemma3-1b", "lfm2-350m", "olmoe-1b-7b", "qwen2.5-0.5b"]


@pytest.mark.torch
@pytest.mark.parametrize(
    "model", [*SAMPLE, *(pytest.param(model, marks=pytest.mark.long) for model in ANDESVL)]
)
def test_capturing_again_gives_the_same_bytes(model):
    torch = pytest.importorskip("torch")
    shipped = (FOLDER / f"{model}.json").read_text()
    if not torch.__version__.startswith(load_trace(model).torch_version):
        pytest.skip("the shipped traces are of another PyTorch")
    assert format_trace(captured_model(model)) == shipped


@pytest.mark.torch
def test_regenerating_writes_traces_and_manifest(tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    regenerate(tmp_path, ["smollm2-135m"])
    assert sorted(file.name for file in tmp_path.iterdir()) == [MANIFEST, "smollm2-135m.json"]
    assert changed_traces(tmp_path) == []
    file = tmp_path / "smollm2-135m.json"
    assert file.read_bytes() == (FOLDER / file.name).read_bytes()
    file.write_text(file.read_text() + " ")
    assert changed_traces(tmp_path) == ["smollm2-135m"]
    file.unlink()
    assert changed_traces(tmp_path) == ["smollm2-135m"]


def test_the_manifest_fits_the_files(tmp_path):
    assert [file.stem for file in trace_files(FOLDER)] == model_ids()
    assert changed_traces() == []
    for file in trace_files(FOLDER):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    write_manifest(tmp_path)
    assert (tmp_path / MANIFEST).read_bytes() == (FOLDER / MANIFEST).read_bytes()


def test_what_the_layers_of_the_largest_model_call():
    phases = load_trace("andesvl-4b").phases
    outline = {
        name: [(segment.name, segment.repeat, len(segment.operators)) for segment in phase.segments]
        for name, phase in phases.items()
    }
    assert outline == {
        "vision": [("embed", 1, 3), ("layers.0-23", 24, 16), ("head", 1, 4)],
        "prefill": [("embed", 1, 1), ("layers.0-35", 36, 20), ("head", 1, 2)],
        "decode": [("embed", 1, 1), ("layers.0-35", 36, 20), ("head", 1, 2)],
    }
    layer = phases["decode"].segments[1].operators
    attention = ["norm", "linear", "linear", "linear", "norm", "norm", "rope", "rope"]
    attention += ["copy", "copy", "attention", "linear", "elementwise"]
    mlp = ["norm", "linear", "linear", "elementwise", "elementwise", "linear", "elementwise"]
    assert [operator.kind for operator in layer] == attention + mlp


def test_windowed_layers_are_segments_of_their_own():
    segments = load_trace("gemma3-1b").phases["decode"].segments
    windows = {
        segment.name: operator.window_tokens
        for segment in segments
        for operator in segment.operators
        if operator.kind == "attention"
    }
    assert [segment.repeat for segment in segments] == [1, 5, 1, 5, 1, 5, 1, 5, 1, 2, 1]
    assert windows["layers.0-4"] == 512
    assert windows["layers.5"] is None
