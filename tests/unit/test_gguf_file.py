"""A ``.gguf`` file in its true form: architecture, bytes per tensor and class, mixed types."""

import numpy as np
import pytest

from workloads.errors import WorkloadError
from workloads.models.gguf_file import read_gguf, stored_tensors
from workloads.models.stored_formats import stored_formats
from workloads.weight_formats import get_format

gguf = pytest.importorskip("gguf")
pytest.importorskip("transformers")
pytestmark = pytest.mark.torch
HIDDEN, FEED, LAYERS, VOCAB, KV = 256, 512, 2, 512, 128
BLOCK = {"Q4_K": 144 / 256, "Q6_K": 210 / 256, "Q8_0": 34 / 32, "F32": 4.0}


def write_gguf(path, types, head=None):
    """A small Llama whose matrices of each name end have the type given; ``head``: untied."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(LAYERS)
    writer.add_context_length(2048)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(FEED)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(VOCAB)

    def add(name, rows, cols, kind):
        if kind == "F32":
            writer.add_tensor(name, np.zeros((rows, cols) if rows else (cols,), np.float32))
            return
        data = np.zeros((rows, round(cols * BLOCK[kind])), np.uint8)
        writer.add_tensor(name, data, raw_dtype=gguf.GGMLQuantizationType[kind])

    add("token_embd.weight", VOCAB, HIDDEN, types["token_embd"])
    if head is not None:
        add("output.weight", VOCAB, HIDDEN, head)
    add("output_norm.weight", 0, HIDDEN, "F32")
    shapes = {
        **{"attn_q": (HIDDEN, HIDDEN), "attn_k": (KV, HIDDEN), "attn_v": (KV, HIDDEN)},
        **{"attn_output": (HIDDEN, HIDDEN), "ffn_gate": (FEED, HIDDEN)},
        **{"ffn_up": (FEED, HIDDEN), "ffn_down": (HIDDEN, FEED)},
    }
    for layer in range(LAYERS):
        for norm in ("attn_norm", "ffn_norm"):
            add(f"blk.{layer}.{norm}.weight", 0, HIDDEN, "F32")
        for name, (rows, cols) in shapes.items():
            add(f"blk.{layer}.{name}.weight", rows, cols, types.get(name, types["rest"]))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


# Q4_K_M as llama.cpp makes it: the values and the down matrix in six bits
MIXED = {"rest": "Q4_K", "attn_v": "Q6_K", "ffn_down": "Q6_K", "token_embd": "Q6_K"}
SIX = LAYERS * (KV * HIDDEN + FEED * HIDDEN)
FOUR = LAYERS * (2 * HIDDEN * HIDDEN + KV * HIDDEN + 2 * FEED * HIDDEN)


def test_bytes_of_each_tensor_and_class_are_those_of_the_file(tmp_path):
    path = write_gguf(tmp_path / "mixed.gguf", MIXED)
    found = {tensor.name: tensor for tensor in stored_tensors(gguf.GGUFReader(path))}
    assert len(found) == 1 + 7 * LAYERS
    value, query = found["blk.1.attn_v.weight"], found["blk.0.attn_q.weight"]
    assert (value.type, value.elements, value.bytes) == ("Q6_K", KV * HIDDEN, KV * 210)
    assert (query.type, query.elements, query.bytes) == ("Q4_K", HIDDEN * HIDDEN, HIDDEN * 144)
    body = [tensor for tensor in found.values() if tensor.tensor_class == "body"]
    assert sum(t.bytes for t in body) == SIX * 210 // 256 + FOUR * 144 // 256


def test_a_class_in_several_types_takes_its_exact_bits_per_weight(tmp_path):
    entry = read_gguf(write_gguf(tmp_path / "mixed.gguf", MIXED))
    formats = stored_formats(entry, "mixed")
    stored = SIX * 210 // 256 + FOUR * 144 // 256
    bits = get_format(formats["body"]).traffic_bits
    assert bits * (SIX + FOUR) / 8 == pytest.approx(stored, rel=1e-6)
    assert formats["embedding"] == formats["lm_head"] == "q6_k"  # tied: the table is the head


def test_a_class_in_one_type_keeps_its_format(tmp_path):
    types = {"rest": "Q8_0", "token_embd": "Q8_0"}
    entry = read_gguf(write_gguf(tmp_path / "plain.gguf", types, head="Q6_K"))
    assert entry["stored_as"] == {"embedding": "q8_0", "lm_head": "q6_k", "body": "q8_0"}


def test_the_model_of_a_file_is_its_architecture(tmp_path):
    from workloads.model_facts import describe_model

    facts = describe_model(str(write_gguf(tmp_path / "mixed.gguf", MIXED)))
    norms = (2 * LAYERS + 1) * HIDDEN
    assert facts.parameters == SIX + FOUR + VOCAB * HIDDEN + norms
    assert facts.kv_bytes_per_token_16bit == 2 * 2 * LAYERS * KV
    assert facts.stored_as["lm_head"] == "q6_k"


def test_a_file_that_is_cut_is_refused_in_a_sentence(tmp_path):
    path = write_gguf(tmp_path / "cut.gguf", MIXED)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(WorkloadError, match=r"cut.gguf must be a whole .gguf file"):
        read_gguf(path)
