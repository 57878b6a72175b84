"""The decoder computes what a decoder must, whichever way its tokens arrive."""

import dataclasses

import pytest

torch = pytest.importorskip("torch")

from workloads.errors import WorkloadError  # noqa: E402
from workloads.models.andesvl import TextPhase, build, generate  # noqa: E402
from workloads.models.config import DecoderConfig, ModelConfig  # noqa: E402
from workloads.models.decoder import Rotary, rotary_tables  # noqa: E402
from workloads.models.lora import add_adapters  # noqa: E402

pytestmark = pytest.mark.torch

PLAIN = DecoderConfig(
    layers=3,
    hidden=48,
    intermediate=80,
    q_heads=4,
    kv_heads=2,
    head_dim=16,
    vocab=101,
    tied_embedding=True,
    rope_theta=10_000.0,
    norm_eps=1e-6,
)
FAMILIES = {"llama": PLAIN, "qwen3": dataclasses.replace(PLAIN, qk_norm=True)}
TOKENS = 11


def make(config):
    model = build(ModelConfig("test", config), device="cpu", dtype=torch.float64, seed=3)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.15)
    return model


def ids_of(config, tokens=TOKENS):
    return torch.arange(tokens) * 7 % config.vocab


@torch.inference_mode()
def logits(model, ids, chunks):
    """All logits, the tokens arriving in chunks of these sizes."""
    cache = model.cache(len(ids))
    parts, start = [], 0
    for size in chunks:
        span = model.model.span(start, size)
        phase = TextPhase(model, cache, span, last_only=False)
        parts.append(phase(ids[start : start + size]))
        start += size
    return torch.cat(parts)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("chunks", [[1] * 11, [4, 4, 3], [7, 1, 1, 2], [1, 10]])
def test_prefill_chunks_and_steps_give_the_same_logits(family, chunks):
    model = make(FAMILIES[family])
    ids = ids_of(FAMILIES[family])
    torch.testing.assert_close(logits(model, ids, chunks), logits(model, ids, [TOKENS]))


@pytest.mark.parametrize("family", FAMILIES)
def test_no_token_sees_a_later_one(family):
    model = make(FAMILIES[family])
    ids = ids_of(FAMILIES[family])
    changed = ids.clone()
    changed[6] += 1
    before, after = logits(model, ids, [TOKENS]), logits(model, changed, [TOKENS])
    torch.testing.assert_close(before[:6], after[:6])
    assert not torch.allclose(before[6:], after[6:])


def test_last_only_is_the_last_row():
    model, ids = make(PLAIN), ids_of(PLAIN)
    with torch.inference_mode():
        phase = TextPhase(model, model.cache(TOKENS), model.model.span(0, TOKENS), last_only=True)
        last = phase(ids)
    assert last.shape == (1, PLAIN.vocab)
    torch.testing.assert_close(last, logits(model, ids, [TOKENS])[-1:])


def test_grouped_heads_equal_repeated_heads():
    grouped = make(dataclasses.replace(PLAIN, layers=1))
    full = make(dataclasses.replace(PLAIN, layers=1, kv_heads=4))
    state = grouped.state_dict()
    for name in ("k_proj", "v_proj"):
        key = f"model.layers.0.self_attn.{name}.weight"
        heads = state[key].view(2, 16, 48)
        state[key] = heads.repeat_interleave(2, dim=0).reshape(64, 48)
    full.load(state)
    ids = ids_of(PLAIN)
    torch.testing.assert_close(logits(full, ids, [TOKENS]), logits(grouped, ids, [TOKENS]))


def test_rotary_scores_depend_on_the_distance_alone():
    torch.manual_seed(0)
    query, key = torch.randn(2, 1, 1, 16, dtype=torch.float64)

    def score(query_at, key_at):
        turned = []
        for x, position in ((query, query_at), (key, key_at)):
            cos, sin = rotary_tables(torch.tensor([position]), 16, 10_000.0)
            turned.append(Rotary()(x, cos.double(), sin.double()))
        return (turned[0] * turned[1]).sum()

    torch.testing.assert_close(score(9, 4), score(105, 100), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(score(9, 4), score(9, 5))


def test_attention_matches_the_textbook_formula():
    config = dataclasses.replace(PLAIN, layers=1, q_heads=2, kv_heads=2)
    model = make(config)
    attention = model.model.layers[0].self_attn
    x = torch.randn(6, 48, dtype=torch.float64)
    span = model.model.span(0, 6)
    with torch.inference_mode():
        found = attention(x, model.cache(6), span)
        query, key, value = (
            getattr(attention, f"{name}_proj")(x).view(6, 2, 16).transpose(0, 1) for name in "qkv"
        )
        query = attention.rotary(query, span.cos, span.sin)
        key = attention.rotary(key, span.cos, span.sin)
        scores = query @ key.transpose(1, 2) / 16**0.5
        scores = scores.masked_fill(torch.ones(6, 6).triu(1).bool(), float("-inf"))
        out = (scores.softmax(-1) @ value).transpose(0, 1).reshape(6, 32)
        torch.testing.assert_close(found, attention.o_proj(out))


def test_an_untrained_adapter_changes_nothing_and_a_trained_one_does():
    model, ids = make(PLAIN), ids_of(PLAIN)
    before = logits(model, ids, [TOKENS])
    add_adapters(model, 2, ("q_proj", "down_proj"))
    torch.testing.assert_close(logits(model, ids, [TOKENS]), before)
    torch.nn.init.normal_(model.model.layers[1].mlp.down_proj.lora_B.weight)
    assert not torch.allclose(logits(model, ids, [TOKENS]), before)
    with pytest.raises(WorkloadError, match="Did you mean 'q_proj'"):
        add_adapters(make(PLAIN), 2, ("q_prj",))


def test_greedy_generation_takes_the_best_token_each_time():
    model = make(PLAIN)
    prompt = ids_of(PLAIN, 4).tolist()
    tokens = prompt + generate(model, prompt, 5)
    for place in range(4, 9):
        best = logits(model, torch.tensor(tokens[:place]), [place])[-1].argmax()
        assert tokens[place] == int(best)


def test_checkpoints_load_by_name_and_faults_are_named():
    model, other = make(PLAIN), make(PLAIN)
    state = other.state_dict()
    del state["lm_head.weight"]
    model.load(state)
    ids = ids_of(PLAIN)
    torch.testing.assert_close(logits(model, ids, [TOKENS]), logits(other, ids, [TOKENS]))
    del state["model.norm.weight"]
    with pytest.raises(WorkloadError, match=r"missing model\.norm\.weight"):
        model.load(state)


def theirs(family, model):
    """The class of transformers with the weights of ours."""
    from transformers import AutoConfig, AutoModelForCausalLM

    config = FAMILIES[family]
    entry = {
        "model_type": family,
        "hidden_size": config.hidden,
        "intermediate_size": config.intermediate,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.q_heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_dim,
        "vocab_size": config.vocab,
        "tie_word_embeddings": config.tied_embedding,
        "rms_norm_eps": config.norm_eps,
        "rope_theta": config.rope_theta,
        "pad_token_id": 0,
    }
    made = AutoModelForCausalLM.from_config(
        AutoConfig.for_model(**entry), attn_implementation="eager", dtype=torch.float32
    )
    state = {name: tensor.float() for name, tensor in model.state_dict().items()}
    missing, unknown = made.load_state_dict(state, strict=False)
    assert not unknown
    assert set(missing) <= {"lm_head.weight"}
    return made.eval()


@pytest.mark.parametrize("family", FAMILIES)
def test_the_decoder_gives_what_the_class_of_transformers_gives(family):
    """AndesVL's text part is the Qwen3 of this list."""
    pytest.importorskip("transformers")
    ours = make(FAMILIES[family]).float()
    ids = ids_of(FAMILIES[family])
    with torch.inference_mode():
        expected = theirs(family, ours)(input_ids=ids[None], use_cache=False).logits[0]
    found = logits(ours, ids, [TOKENS])
    scale = float(expected.abs().max())
    torch.testing.assert_close(found / scale, expected / scale, rtol=0, atol=1e-5)
