"""The catalogue: published totals are reproduced, names are found, PyTorch is not needed."""

import json
import subprocess
import sys

import pytest

from sim import Scenario, simulate
from workloads.catalogue import (
    TRACES,
    get_entry,
    get_model,
    is_own,
    list_models,
    model_ids,
    trace_for,
)
from workloads.errors import WorkloadError
from workloads.models.entry import digest
from workloads.trace_file import load_trace, save_trace

# Totals that the formulas of a decoder do not know: read off the published checkpoints' metadata.
PUBLISHED = {
    "falcon3-7b": 7_455_550_464,
    "gemma3-270m": 268_098_176,
    "gemma3-1b": 999_885_952,
    "granite-3.1-8b": 8_170_848_256,
    "llama-3.1-8b": 8_030_261_248,
    "llama-3.2-1b": 1_235_814_400,
    "mistral-7b-v0.3": 7_248_023_552,
    "phi-3.5-mini": 3_821_079_552,
    "qwen2-7b": 7_615_616_512,
    "qwen2.5-1.5b": 1_543_714_304,
    "qwen3-4b": 4_022_468_096,
    "smollm2-135m": 134_515_008,
    "granite-4.0-h-micro": 3_191_396_096,
    "granite-4.0-micro": 3_402_836_480,
    "qwen3.5-2b": 1_881_825_088,
    "qwen3.6-35b-a3b": 34_660_610_688,
    "ministral-3-3b": 3_429_006_336,
    "chatglm3-6b": 6_243_584_000,
    "lfm2-2.6b": 2_569_272_320,
    "gemma2-9b": 9_241_705_984,
    "llama-3.2-11b-vision": 10_670_220_835,
    "ministral-3-vision-3b": 3_849_090_048,
    "qwen3-vl-2b": 2_127_532_032,
    "andesvl-0.6b": 695_069_952,
    "andesvl-1b": 927_010_816,
    "andesvl-2b": 2_055_731_200,
    "andesvl-4b": 4_359_721_984,
}


@pytest.mark.parametrize(("model", "total"), PUBLISHED.items())
def test_published_totals(model, total):
    assert load_trace(model).total_parameters == total


@pytest.mark.parametrize("model", model_ids())
def test_every_entry_has_a_trace_that_reproduces_its_total(model):
    entry, trace = get_entry(model), load_trace(model)
    assert trace.total_parameters == entry["parameters"]
    own = is_own(entry)
    assert trace.config_digest == (get_model(model).digest if own else digest(entry))
    assert own or trace.captured_by.startswith("transformers ")
    assert entry["sources"][0].startswith("https://")


@pytest.mark.torch
@pytest.mark.parametrize(
    "model", ["andesvl-0.6b", "gemma3-1b", "gemma3-270m", "phi-3.5-mini", "qwen2.5-0.5b"]
)
def test_the_module_has_the_published_total(model):
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from workloads.models import andesvl, from_transformers

    entry = get_entry(model)
    if is_own(entry):
        module = andesvl.build(get_model(model))
    else:
        config = from_transformers.read_config(entry, model)
        module = from_transformers.build(config, model).model
    assert sum(p.numel() for p in module.parameters()) == entry["parameters"]


@pytest.mark.parametrize(
    ("model", "published", "width", "kv_widths", "layers"),
    [
        ("gemma4-e2b", 4_647_450_147, 1536, 16 * [256] + 4 * [512], 35),
        ("gemma4-e4b", 7_518_069_290, 2560, 15 * [2 * 256] + 3 * [2 * 512], 42),
    ],
)
def test_a_checkpoint_also_stores_what_layers_with_a_shared_cache_never_use(
    model, published, width, kv_widths, layers
):
    """llama.cpp's count: keys and values of those layers, a key norm a head, a scale a layer."""
    heads = load_trace(model).decoder.kv_heads
    unused = sum(2 * width * wide + wide // heads for wide in kv_widths)
    rotary = 256
    assert load_trace(model).total_parameters + unused + layers + rotary == published


@pytest.mark.parametrize(
    ("model", "layers", "heads"), [("qwen3.5-2b", 18, 16), ("qwen3.5-9b", 24, 32)]
)
def test_a_gated_delta_layer_keeps_a_matrix_a_head_and_four_columns(model, layers, heads):
    keys = 16 * 128
    matrices, columns = heads * 128 * 128 * 4, 4 * (2 * keys + heads * 128) * 2
    assert load_trace(model).state_bytes == layers * (matrices + columns)


def test_parts_of_the_largest_model():
    parameters = load_trace("andesvl-4b").parameters
    assert parameters["embedding"] == 388_956_160
    assert parameters["body"] == 3_633_511_936
    assert parameters["vision"] == 309_984_256 + 27_269_632


def test_key_value_elements_per_token():
    assert load_trace("andesvl-4b").kv_elements_per_token == 73_728
    assert load_trace("andesvl-0.6b").kv_elements_per_token == 57_344
    cards = {card.id: card for card in list_models()}
    assert cards["qwen3-4b"].kv_bytes_per_token_16bit == 147_456
    assert [card.id for card in list_models()] == model_ids()


def test_unknown_names_get_the_nearest():
    with pytest.raises(WorkloadError, match="Did you mean 'andesvl-4b'"):
        trace_for("andesvl4b")
    with pytest.raises(WorkloadError, match="readable file"):
        trace_for("missing/config.json")


def test_a_text_config_may_name_a_catalogue_entry(tmp_path):
    entry = tmp_path / "mine.yaml"
    entry.write_text("text_config: qwen3-0.6b\n")
    assert get_model(str(entry)).decoder == get_model("qwen3-0.6b").decoder
    entry.write_text("text_config: qwen3-06b\n")
    with pytest.raises(WorkloadError, match=r"Did you mean 'qwen3-0\.6b'"):
        get_model(str(entry))


def test_a_trace_file_stands_for_a_model(tmp_path):
    trace = load_trace("smollm2-135m")
    save_trace(trace, tmp_path / "mine.json")
    assert trace_for(str(tmp_path / "mine.json")) == trace


TINY = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 50,
}


@pytest.mark.torch
def test_a_configuration_file_is_captured(tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    file = tmp_path / "config.json"
    file.write_text(json.dumps(TINY))
    trace = trace_for(file)
    assert trace.total_parameters == 2 * 50 * 64 + 2 * (4 * 64 * 64 + 3 * 64 * 96 + 2 * 64) + 64
    assert [segment.repeat for segment in trace.phases["decode"].segments] == [1, 2, 1]
    assert trace_for(file) is trace
    file.write_text(json.dumps({**TINY, "vocab_size": 60}))
    assert trace_for(file).decoder.vocab == 60


def run_python(code, *arguments):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_without_pytorch_the_remedy_is_told(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(TINY))
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from workloads.catalogue import trace_for\n"
        "trace_for('andesvl-4b')\n"
        "trace_for(sys.argv[1])"
    )
    done = run_python(code, tmp_path / "config.json")
    assert "WorkloadError" in done.stderr
    assert "pip install '.[trace]' in andesim's folder" in done.stderr


def test_listing_and_loading_import_no_pytorch():
    code = (
        "import sys; from workloads.catalogue import list_models, trace_for\n"
        "list_models(); trace_for('andesvl-4b')\n"
        "print(sorted({'torch', 'fvcore', 'pandas', 'scipy'} & set(sys.modules)))"
    )
    assert run_python(code).stdout.strip() == "[]"


def trace_file(folder, change):
    """A copy of a shipped trace, changed."""
    content = json.loads((TRACES / "andesvl-0.6b.json").read_text(encoding="utf-8"))
    change(content)
    path = folder / "mine.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t["phases"].pop("decode"), "It lacks decode. Capture it without --phase"),
        (lambda t: t["phases"].pop("prefill"), "It lacks prefill"),
        (lambda t: t["parameters"].pop("body"), "parameters must give body"),
        (lambda t: t.update(adapter_rank=8), "Give adapters as deployment.lora"),
    ],
)
def test_a_trace_that_can_not_run_is_refused(tmp_path, change, message):
    with pytest.raises(WorkloadError, match=message):
        trace_for(trace_file(tmp_path, change))


def test_a_trace_without_its_vision_phase_takes_text_only(tmp_path):
    model = trace_file(tmp_path, lambda t: t["phases"].pop("vision"))
    text = {"prompt_tokens": 8, "output_tokens": 2}
    asked = {"device": "dimensity_9500", "model": model, "session": {"turns": [text]}}
    assert simulate(Scenario.from_mapping(asked)).summary().decode_steps == 1
    asked = {**asked, "session": {"turns": [{**text, "images_px": [[448, 448]]}]}}
    with pytest.raises(WorkloadError, match="whose trace lacks the phase vision"):
        simulate(Scenario.from_mapping(asked))
