import pytest

from sim.evidence.importers.names import identify, model_id, other_count, weights_id
from workloads.shipped_ids import model_ids


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("qwen3 4B Q4_0", "qwen3-4b"),
        ("qwen3 0.6B Q8_0", "qwen3-0.6b"),
        ("C:\\models\\Qwen2.5-1.5B-Instruct-Q4_K_M.gguf", "qwen2.5-1.5b"),
        ("Meta-Llama-3.1-8B-Instruct", "llama-3.1-8b"),
        ("llama3.2 1B", "llama-3.2-1b"),
        ("gemma-3-1b-it", "gemma3-1b"),
        ("Mistral-7B-v0.3", "mistral-7b-v0.3"),
        ("AndesVL-4B-Instruct", "andesvl-4b"),
    ],
)
def test_a_name_that_settles_a_model(name, model):
    assert model_id(name) == model


@pytest.mark.parametrize(
    "name",
    [
        "",
        "llama 1B Q4_0",
        "qwen2 1.5B Q4_0",
        "Qwen2.5-VL-72B",
        "qwen3-0.6b and qwen3-4b",
        "qwen3 40B",
    ],
)
def test_a_name_that_settles_none(name):
    assert model_id(name) == ""


@pytest.mark.parametrize("known", model_ids())
def test_an_id_stands_for_itself(known):
    assert model_id(known) == known


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("qwen3 4B Q4_0", "q4_0"),
        ("llama 8B Q4_K - Medium", "q4_k_m"),
        ("m-Q4_K_M.gguf", "q4_k_m"),
        ("qwen3 4B Q4_K - Small", "q4_k_s"),
        ("x Q6_K", "q6_k"),
        ("BitNet TQ2_0", "tq2_0"),
        ("llama 1B F16", "w16"),
        ("no format at all", ""),
    ],
)
def test_weight_formats(name, weights):
    assert weights_id(name) == weights


def test_the_first_name_that_settles_wins_and_open_ones_warn():
    names = identify("Qwen2.5-3B.gguf", "qwen2 3B Q4_0")
    assert (names.model, names.weights, names.warnings) == ("qwen2.5-3b", "q4_0", ())
    assert len(identify("mystery").warnings) == 2


@pytest.mark.parametrize(
    ("file", "kind", "parameters", "model"),
    [
        ("models/starcoder2-3b-Q4_0.gguf", "starcoder2 3B Q4_0", 3030371328, ""),  # as gemma-2b
        ("models/mine.gguf", "starcoder2 3B Q4_0", 3030371328, ""),
        ("models/mine.gguf", "llama 1B Q8_0", 1.24e9, "llama-3.2-1b"),
        ("ggml-model.gguf", "gemma 2B Q4_0", 2.51e9, "gemma-2b"),
        ("", "Q4_0", 1.24e9, "llama-3.2-1b"),
    ],
)
def test_equal_counts_do_not_make_one_network_of_two_families(file, kind, parameters, model):
    assert identify(file, kind, parameters=parameters).model == model


def test_a_count_may_hold_a_tied_head_a_second_time():
    assert identify("qwen2 3B Q4_0", parameters=3.40e9).model == "qwen2.5-3b"
    assert identify("qwen2 3B Q4_0", parameters=3.09e9).model == "qwen2.5-3b"
    assert not other_count("qwen2.5-0.5b", 0.63e9)
    assert other_count("qwen2.5-0.5b", 0.8e9)
