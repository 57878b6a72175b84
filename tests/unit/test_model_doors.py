"""A model as people have it: a downloaded folder, with or without PyTorch, and its faults."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

import sim
from sim import load_scenario
from sim.asking import asked
from workloads import trace_cache
from workloads.catalogue import get_entry, trace_for
from workloads.errors import WorkloadError
from workloads.models import entry as entries
from workloads.trace_file import load_trace

# config.json of Qwen3-0.6B in its published form
QWEN3 = {
    "architectures": ["Qwen3ForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 151643,
    "eos_token_id": 151645,
    "head_dim": 128,
    "hidden_act": "silu",
    "hidden_size": 1024,
    "initializer_range": 0.02,
    "intermediate_size": 3072,
    "max_position_embeddings": 40960,
    "max_window_layers": 28,
    "model_type": "qwen3",
    "num_attention_heads": 16,
    "num_hidden_layers": 28,
    "num_key_value_heads": 8,
    "rms_norm_eps": 1e-06,
    "rope_scaling": None,
    "rope_theta": 1000000,
    "sliding_window": None,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.51.0",
    "use_cache": True,
    "use_sliding_window": False,
    "vocab_size": 151936,
}
GENERATION = {"bos_token_id": 151643, "do_sample": True, "temperature": 0.6, "top_k": 20}
TINY = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 50,
}
BARE = "import sys; sys.modules['torch'] = None; sys.modules['transformers'] = None\n"


def download(folder, config, index=None):
    """A folder as a hub gives it, weights left out."""
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "generation_config.json").write_text(json.dumps(GENERATION))
    if index is not None:
        text = json.dumps({"metadata": {"total_size": index}, "weight_map": {}})
        (folder / "model.safetensors.index.json").write_text(text)
    return folder


def without_torch(code, *arguments):
    """Run code in a process that can import neither PyTorch nor transformers."""
    line = [sys.executable, "-c", BARE + code, *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def test_without_pytorch_a_published_file_is_answered_from_the_shipped_trace(tmp_path):
    code = (
        "from workloads.catalogue import trace_for\n"
        "from workloads.trace_file import load_trace\n"
        "mine, shipped = trace_for(sys.argv[1]), load_trace('qwen3-0.6b')\n"
        "print(mine.phases == shipped.phases, mine.total_parameters)"
    )
    done = without_torch(code, download(tmp_path, QWEN3))
    assert done.stdout.split() == ["True", "596049920"], done.stderr


def test_a_folder_is_a_model_by_its_bare_name_unless_an_id_has_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("mine", "qwen3-4b"):
        (tmp_path / name).mkdir()
        download(tmp_path / name, QWEN3)
    assert get_entry("mine")["hidden_size"] == 1024
    assert get_entry("qwen3-4b")["parameters"] == 4_022_468_096
    assert "parameters" not in get_entry("./qwen3-4b")
    with pytest.raises(WorkloadError, match="catalogue id or a configuration"):
        get_entry("other")


def test_without_pytorch_a_quantised_copy_keeps_its_format(tmp_path):
    quantised = {"quant_method": "awq", "bits": 4, "group_size": 128}
    code = "from workloads.catalogue import trace_for; print(trace_for(sys.argv[1]).stored_as)"
    folder = download(tmp_path, {**QWEN3, "quantization_config": quantised})
    assert without_torch(code, folder).stdout.strip() == "{'body': 'w4_g128'}"


@pytest.mark.parametrize("change", [{"num_hidden_layers": 27}, {"sliding_window": 4096}])
def test_without_pytorch_another_model_says_what_to_install(tmp_path, change):
    code = "from workloads.catalogue import trace_for; trace_for(sys.argv[1])"
    done = without_torch(code, download(tmp_path, {**QWEN3, **change}))
    assert "no trace of the same content ships. Remedy: pip install '.[trace]'" in done.stderr


def test_without_pytorch_a_trace_kept_from_an_earlier_capture_answers(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("ANDESIM_NO_CACHE", raising=False)
    kept = replace(load_trace("qwen3-0.6b"), config_digest=entries.digest(TINY), config=dict(TINY))
    trace_cache.keep("an-earlier-version", kept)
    code = "from workloads.catalogue import trace_for; print(trace_for(sys.argv[1]).decoder.layers)"
    folder = tmp_path / "model"
    folder.mkdir()
    assert without_torch(code, download(folder, TINY)).stdout.strip() == "28"


def test_a_trace_just_captured_and_one_read_back_are_one_identity():
    shipped = load_trace("qwen3-0.6b")
    captured = replace(shipped, parameters=dict(reversed(shipped.parameters.items())))
    assert list(captured.parameters) != list(shipped.parameters)
    assert captured.digest == shipped.digest


def test_the_size_of_the_weight_files_is_read_and_changes_no_trace(tmp_path):
    entry = get_entry(str(download(tmp_path, QWEN3, index=1_192_099_840)))
    assert entry["stored_bytes"] == 1_192_099_840
    assert entries.digest(entry) == entries.digest(QWEN3)


@pytest.mark.torch
@pytest.mark.parametrize("factor", [1, 3])
def test_weight_files_of_another_model_are_told(tmp_path, recwarn, factor):
    pytest.importorskip("transformers")
    config = {**TINY, "vocab_size": 50 + factor}  # not remembered from another test
    weights = 2 * 64 * config["vocab_size"] + 2 * (4 * 64 * 64 + 3 * 64 * 96 + 2 * 64) + 64
    trace_for(download(tmp_path, config, index=factor * 2 * weights))
    told = [str(w.message) for w in recwarn if "weight files beside it" in str(w.message)]
    assert len(told) == (factor > 1)


@pytest.mark.torch
def test_sizes_that_the_class_fills_in_are_told(tmp_path):
    pytest.importorskip("transformers")
    text = {"model_type": "llama", "vocab_size": 1000, "num_hidden_layers": 2}
    config = {"model_type": "mine", "tie_word_embeddings": True, "text_config": text}
    with pytest.warns(UserWarning, match=r"does not give hidden_size: .*\(hidden_size 4096\)"):
        trace = trace_for(download(tmp_path, config))
    assert trace.decoder.tied_embedding
    assert trace.decoder.hidden == 4096


@pytest.mark.torch
@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {
                "model_type": "own_model",
                "auto_map": {"AutoModel": "modeling_own.Own"},
                "hidden_size": 64,
            },
            "auto_map points to code of its own repository, which is not run. Remedy: name an arch",
        ),
        (
            {"model_type": "phi3_v", "auto_map": {}, "hidden_size": 64},
            "own repository, which is not run. The library has its successor phi4_multimodal",
        ),
        ({"hidden_size": 64, "n_vocab": 10}, "model_type must be given. Got hidden_size, n_vocab"),
        ({**TINY, "num_hidden_layers": 0}, "num_hidden_layers must be a whole number from 1 to"),
        ({**TINY, "hidden_size": 10**9}, "hidden_size must be a whole number from 1 to 100000000"),
        ({**TINY, "vocab_size": "50k"}, "vocab_size must be a whole number. Got '50k'"),
        ({**TINY, "num_attention_heads": 5}, "heads"),
        (
            {**TINY, "num_attention_heads": 4, "num_key_value_heads": 3},
            "num_key_value_heads must divide num_attention_heads, 4. Got 3",
        ),
        (
            {"model_type": "gemma3", "text_config": {"hidden_size": -1, "num_hidden_layers": 5000}},
            "hidden_size must be .* Got -1. num_hidden_layers must be .* Got 5000",
        ),
        ({**TINY, "model_type": "lama"}, "Did you mean 'llama'"),
        (
            {"model_type": "t5", "d_model": 64},
            "with a causal language model. Got 't5'.* Remedy: name",
        ),
    ],
)
def test_a_fault_of_a_file_is_one_sentence_and_a_way_out(tmp_path, config, message):
    pytest.importorskip("transformers")
    with pytest.raises(WorkloadError, match=message) as raised:
        trace_for(download(tmp_path, config))
    assert "config.json" in str(raised.value) or tmp_path.name in str(raised.value)
    assert "Traceback" not in str(raised.value)


def test_a_repository_of_a_hub_is_answered_with_what_to_download():
    with pytest.raises(WorkloadError, match=r"huggingface.co/Qwen/Qwen3-0.6B/raw/main/config.json"):
        trace_for("Qwen/Qwen3-0.6B")


@pytest.mark.parametrize("model", ["qwen3-0.6b", "gpt-oss-20b"])
def test_a_text_model_that_is_given_images_says_so(model):
    turn = "session.turns.0={images_px: [[448, 448]], prompt_tokens: 8, output_tokens: 2}"
    with pytest.raises(WorkloadError, match=f"images_px must be empty for {model}, a text model"):
        sim.simulate(load_scenario(None, [f"model={model}", turn]))


def test_of_a_text_model_the_default_asks_without_its_image_and_says_so():
    with pytest.warns(UserWarning, match="qwen3-0.6b is a text model: the default's image is left"):
        found = load_scenario(None, ["model=qwen3-0.6b"])
    assert found.session.turns[0].images_px == ()
    assert found.session.turns[0].prompt_tokens == load_scenario().session.turns[0].prompt_tokens
    with pytest.warns(UserWarning, match="text model"):
        assert sim.simulate(set={"model": "qwen3-0.6b"}).scenario == found


def test_an_image_that_was_asked_for_is_never_left_out(tmp_path):
    turns = "session.turns=[{images_px: [[448, 448]], prompt_tokens: 5, output_tokens: 3}]"
    with pytest.raises(WorkloadError, match=r"Remedy: leave images_px out"):
        sim.simulate(load_scenario(None, ["model=qwen3-0.6b", turns]))
    own = tmp_path / "mine.yaml"
    own.write_text(
        "{device: dimensity_9500, model: andesvl-1b,"
        " session: {turns: [{images_px: [[448, 448]], prompt_tokens: 5}]}}"
    )
    with pytest.raises(WorkloadError, match="a text model"):
        sim.simulate(load_scenario(own, ["model=qwen3-0.6b"]))


def test_a_network_is_asked_of_the_default_in_python_as_on_the_command_line():
    by_hand = load_scenario(None, ["model=resnet50", "network.calls=2"])
    assert asked(None, {"model": "resnet50", "network.calls": 2}) == by_hand
