"""Small models of many families: configurations with which each class builds in a moment."""

BASE = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 128,
    "max_position_embeddings": 512,
    "head_dim": 16,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
EXPERTS = {"num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
LOCAL = {"num_local_experts": 8, "num_experts_per_tok": 2}
LATENT = {
    "head_dim": 8,
    "q_lora_rank": 24,
    "kv_lora_rank": 32,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 16,
    "v_head_dim": 16,
    "num_key_value_heads": 4,
    "n_routed_experts": 8,
    "n_shared_experts": 1,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "first_k_dense_replace": 1,
    "n_group": 2,
    "topk_group": 1,
}
WINDOW = {"sliding_window": 24}
MAMBA = {
    "mamba_n_heads": 8,
    "mamba_d_head": 16,
    "mamba_d_state": 16,
    "mamba_expand": 2,
    "mamba_n_groups": 1,
    "mamba_chunk_size": 64,
}
DELTA = {
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 16,
    "layer_types": ["linear_attention", "linear_attention", "full_attention"],
}
LOCAL_GLOBAL = ["sliding_attention", "sliding_attention", "full_attention"]

FAMILIES: dict[str, dict[str, object]] = {
    "apertus": {},
    "arcee": {},
    "bitnet": {},
    "cohere": {},
    "cohere2": {**WINDOW, "layer_types": LOCAL_GLOBAL},
    "deepseek_v2": {**LATENT, "topk_method": "greedy"},
    "deepseek_v3": LATENT,
    "dots1": {**LATENT, "layer_types": ["full_attention"] * 3},
    "ernie4_5": {},
    "ernie4_5_moe": {"moe_num_experts": 8, "moe_k": 2, "moe_intermediate_size": 32},
    "exaone4": {**WINDOW, "layer_types": LOCAL_GLOBAL},
    "falcon_h1": {**MAMBA, "mamba_d_ssm": 128},
    "gemma": {},
    "gemma2": {**WINDOW, "layer_types": [*LOCAL_GLOBAL[1:], "sliding_attention"]},
    "gemma3_text": {**WINDOW, "layer_types": LOCAL_GLOBAL},
    "glm": {},
    "glm4": {},
    "glm4_moe": {**LATENT},
    "gpt2": {"n_embd": 64, "n_layer": 3, "n_head": 4, "n_positions": 512},
    "gpt_neox": {},
    "gpt_oss": {**LOCAL, **WINDOW, "layer_types": LOCAL_GLOBAL},
    "granite": {},
    "granitemoe": LOCAL,
    "granitemoehybrid": {
        **LOCAL,
        **MAMBA,
        "shared_intermediate_size": 48,
        "layer_types": ["mamba", "mamba", "attention"],
    },
    "helium": {},
    "lfm2": {"layer_types": ["conv", "conv", "full_attention"]},
    "llama": {},
    "mamba": {"state_size": 8},
    "mamba2": {"num_heads": 8, "head_dim": 16, "state_size": 16, "n_groups": 1, "chunk_size": 64},
    "ministral": {**WINDOW, "layer_types": LOCAL_GLOBAL},
    "mistral": WINDOW,
    "mixtral": LOCAL,
    "nemotron": {},
    "olmo": {},
    "olmo2": {},
    "olmo3": {**WINDOW, "layer_types": LOCAL_GLOBAL},
    "olmoe": EXPERTS,
    "opt": {"ffn_dim": 96, "word_embed_proj_dim": 64},
    "persimmon": {},
    "phi": {},
    "phi3": {},
    "phimoe": LOCAL,
    "qwen2": {},
    "qwen2_moe": {**EXPERTS, "shared_expert_intermediate_size": 48},
    "qwen3": {},
    "qwen3_moe": EXPERTS,
    "qwen3_next": {**EXPERTS, **DELTA, "shared_expert_intermediate_size": 48},
    "qwen3_5_text": DELTA,
    "seed_oss": {},
    "smollm3": {},
    "stablelm": {},
    "starcoder2": {},
}


def entry(family: str) -> dict[str, object]:
    """Return the small configuration of a family."""
    return {"model_type": family, **BASE, **FAMILIES[family]}
