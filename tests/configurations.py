"""Tiny configurations of many families and settings, and what is refused of each."""

from dataclasses import dataclass, field
from typing import Any

import transformers
from tiny import CONTEXT, EVERY_FAMILY, FAMILIES, Family, word_piece_tokenizer

from interp.models.small import ACTIVATIONS, SmallConfig, SmallForCausalLM

EXACT = 1e-10  # of the logits' size, in float64
FLOAT32_INSIDE = 1e-5  # either side computes its softmax, rotation or experts in float32 whatever the precision


@dataclass(frozen=True)
class Configuration:
    """A configuration, and what loading says of it.

    `refusal`: with what it is refused as a whole. `unread` and `inert`: the sites that it refuses to read or to edit.
    `parts`: what of it cannot be computed again, and why, as `Obstacles` has it; all else is exact.
    """

    family: Family
    refusal: str | None = None
    tolerance: float = EXACT
    unread: frozenset[str] = frozenset()
    inert: frozenset[str] = frozenset()
    parts: dict[str, str] = field(default_factory=dict)


_CLASSIFIER = "ForSequenceClassification"
_SIZES: dict[str, Any] = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
_LLAMA = _SIZES | {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": CONTEXT,
}  # fmt: skip
_GPT2 = {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": CONTEXT, "bos_token_id": 0, "eos_token_id": 0}
_FALCON = {
    "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "max_position_embeddings": CONTEXT,
    "bos_token_id": 0, "eos_token_id": 0,
}  # fmt: skip
_OPT = {
    "hidden_size": 32, "ffn_dim": 128, "num_hidden_layers": 3, "num_attention_heads": 4, "pad_token_id": 1,
    "max_position_embeddings": CONTEXT, "bos_token_id": 0, "eos_token_id": 0,
}  # fmt: skip
_WINDOWS = ["sliding_attention", "full_attention", "sliding_attention"]
_GEMMA = _LLAMA | {"head_dim": 8, "query_pre_attn_scalar": 8, "sliding_window": 8, "layer_types": _WINDOWS}
_DEEPSEEK = _LLAMA | {
    "num_key_value_heads": 4, "q_lora_rank": 16, "kv_lora_rank": 16, "qk_rope_head_dim": 4, "qk_nope_head_dim": 8,
    "v_head_dim": 8, "n_routed_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16,
    "n_shared_experts": 1, "first_k_dense_replace": 1, "n_group": 1, "topk_group": 1,
}  # fmt: skip
_DISTILBERT = {"dim": 32, "n_layers": 3, "n_heads": 4, "hidden_dim": 48}
_LLAMA3_ROPE = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}  # fmt: skip
_LONGROPE = {"rope_type": "longrope", "long_factor": [2.0] * 4, "short_factor": [1.0] * 4}
_ROUTED = frozenset({"router_logits"})  # what it selects by is not told by an edit of them
_UNROUTED = frozenset({"router_in[0]", "router_logits[0]"})
_PATTERN = frozenset({"pattern"})
_LATENT = {"layers": "has no q", "turning": "has no q", "attention": "has no k"}
_BIASED = {"attention": "adds a bias by position to its attention scores"}
_NO_SOFTMAX = "has attention that is not the softmax of queries times keys"
_JOINT = {"alone": "norms the queries or keys of all heads together"}


def _case(name: str, config: dict[str, Any], head: str = "ForCausalLM", **outcome: Any) -> Configuration:
    make, model = getattr(transformers, f"{name}Config"), getattr(transformers, f"{name}{head}")
    return Configuration(Family(lambda vocab: make(vocab_size=vocab, **config), model), **outcome)


def _gemma3(**more: Any) -> Family:
    return Family(
        lambda vocab: transformers.Gemma3TextConfig(vocab_size=vocab, **_GEMMA, **more), transformers.Gemma3ForCausalLM
    )


def _causal_classifier(name: str, config: dict[str, Any], **outcome: Any) -> Configuration:
    return _case(name, config | {"num_labels": 3, "pad_token_id": 1}, _CLASSIFIER, **outcome)


def _encoder(name: str, head: str, **more: Any) -> Configuration:
    make, model = getattr(transformers, f"{name}Config"), getattr(transformers, f"{name}{head}")
    config = {
        "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48,
        "max_position_embeddings": CONTEXT, "num_labels": 3, "pad_token_id": 0,
    } | more  # fmt: skip
    parts = {"unembedding": "is a classifier"} if head == _CLASSIFIER else {}
    unread = frozenset({"scores"})
    if name == "Electra" and not more:
        parts = {"readout": "has no unembed_in", "unembedding": "applies more or less than the final norm"}
        ends = ("embed", "pos_embed", "type_embed", "embed_ln_in", "embed_ln_out", "mlm_pre", "mlm_post", "unembed_in")
        unread |= {*ends, "ln_final_in", "ln_final_out"}
    family = Family(lambda vocab: make(vocab_size=vocab, **config), model, word_piece_tokenizer)
    return Configuration(family, unread=unread, inert=_PATTERN, parts=parts)


def _small(mlp: str, outcome: str = "", unread: tuple[str, ...] = (), **variants: Any) -> Configuration:
    config = {
        "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "head_dim": 8, "intermediate_size": 48,
        "max_position_embeddings": CONTEXT, "mlp": mlp, "hidden_act": ACTIVATIONS[mlp],
    }  # fmt: skip
    family = Family(lambda vocab: SmallConfig(vocab_size=vocab, **config, **variants), SmallForCausalLM)
    return Configuration(family, unread=frozenset(unread), parts={"attention": outcome} if outcome else {})


CONFIGURATIONS: dict[str, Configuration] = {
    "small": _small("gelu", norm="layer", tie_word_embeddings=True),
    "small, rotary": _small("gated", norm="rms", positions="rotary"),
    "small, without": _small("relu", norm="none", positions="none", unembedding_bias=True),
    "small, bilinear": _small("bilinear", norm="rms", is_causal=False),
    "small, linear": _small("relu", "has no pattern", ("pattern", "scores"), attention="linear"),
    "small, hard": _small("relu", "has no scores", ("scores",), attention="hard"),
    "small, shifted": _small("relu", _NO_SOFTMAX, kv_shift=True),
    "gpt2, unscaled": _case(
        "GPT2", _GPT2 | {"scale_attn_weights": False}, "LMHeadModel"),
    "gpt2, by layer": _case(
        "GPT2", _GPT2 | {"scale_attn_by_inverse_layer_idx": True}, "LMHeadModel"
    ),
    "cohere": _case("Cohere", _LLAMA, tolerance=FLOAT32_INSIDE),
    "starcoder2": _case("Starcoder2", _LLAMA | {"norm_epsilon": 0.1}),
    "gemma": _case("Gemma", _LLAMA | {"head_dim": 8}),
    "gemma2": _case(
        "Gemma2", _GEMMA | {"attn_logit_softcapping": 1.0, "final_logit_softcapping": 3.0},
        parts={"attention": "has a soft cap on its attention scores"},
    ),
    "gemma3, caps": Configuration(_gemma3(attn_logit_softcapping=1.0)),
    "gemma3, both ways": Configuration(_gemma3(use_bidirectional_attention=True), refusal="what stands after it"),
    "deepseek v2": _case(
        "DeepseekV2", _DEEPSEEK, unread=_UNROUTED | {"rot_cos", "rot_sin", "rot_k", "z"}, inert=_ROUTED,
        parts=_LATENT,
    ),
    "deepseek v3": _case(
        "DeepseekV3", _DEEPSEEK, unread=_UNROUTED | {"rot_k", "z"}, inert=_ROUTED, parts=_LATENT
    ),
    "opt": _case("OPT", _OPT, tolerance=FLOAT32_INSIDE, unread=frozenset({"mlp_in"})),
    "opt-350m": _case(
        "OPT", _OPT | {"word_embed_proj_dim": 16, "do_layer_norm_before": False},
        tolerance=FLOAT32_INSIDE, unread=frozenset({"embed", "unembed_in"}),
        parts={"readout": "has no unembed_in", "unembedding": "applies more or less than the final norm"},
    ),
    "olmo": _case("Olmo", _LLAMA),
    "olmo2": _case("Olmo2", _LLAMA, parts=_JOINT),
    "bloom": _case(
        "Bloom", {"hidden_size": 32, "n_layer": 3, "n_head": 4, "bos_token_id": 0, "eos_token_id": 0},
        parts=_BIASED,
    ),
    "falcon": _case("Falcon", _FALCON, tolerance=FLOAT32_INSIDE),
    "falcon, new decoder": _case(
        "Falcon", _FALCON | {"new_decoder_architecture": True, "num_kv_heads": 2}, tolerance=FLOAT32_INSIDE
    ),
    "falcon, new decoder, one norm": _case(
        "Falcon", _FALCON | {"new_decoder_architecture": True, "num_kv_heads": 2, "num_ln_in_parallel_attn": 1},
        tolerance=FLOAT32_INSIDE,
    ),
    "falcon, new decoder, biased": _case(
        "Falcon", _FALCON | {"new_decoder_architecture": True, "num_kv_heads": 4, "bias": True},
        tolerance=FLOAT32_INSIDE,
    ),
    "falcon, alibi": _case(
        "Falcon", _FALCON | {"alibi": True, "multi_query": False, "parallel_attn": False}, tolerance=FLOAT32_INSIDE,
        parts=_BIASED,
    ),
    "mpt": _case(
        "Mpt", {"d_model": 32, "n_layers": 3, "n_heads": 4, "max_seq_len": CONTEXT}, parts=_BIASED
    ),
    "gptj": _case("GPTJ", _GPT2 | {"rotary_dim": 4}, tolerance=FLOAT32_INSIDE),
    "codegen": _case("CodeGen", _GPT2 | {"rotary_dim": 4, "n_ctx": CONTEXT}, tolerance=FLOAT32_INSIDE),
    "gpt-neo": _case(
        "GPTNeo",
        {
            "hidden_size": 32, "num_layers": 3, "num_heads": 4, "window_size": 8, "max_position_embeddings": CONTEXT,
            "attention_types": [[["global", "local", "global"], 1]], "bos_token_id": 0, "eos_token_id": 0,
        },
        tolerance=FLOAT32_INSIDE,
    ),
    "gpt-neox, no bias": _case("GPTNeoX", _FALCON | {"intermediate_size": 48, "attention_bias": False}),
    "gpt-bigcode": _case("GPTBigCode", _GPT2, tolerance=FLOAT32_INSIDE),
    "openai-gpt": _case(
        "OpenAIGPT", {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": CONTEXT}, "LMHeadModel",
        unread=frozenset({"resid_post"}),
        parts={
            "layers": "no known layer map explains: no hook shows all parts", "mlp": "has an MLP in layer 0",
            "attention": "does not say by what it scales", "unembedding": "has no resid_post",
        },
    ),
    "mixtral": _case("Mixtral", _LLAMA | {"num_local_experts": 4}, inert=_ROUTED),
    "qwen3-moe": _case(
        "Qwen3Moe",
        _LLAMA | {"head_dim": 8, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16},
        inert=_ROUTED,
    ),
    "olmoe": _case(
        "Olmoe", _LLAMA | {"num_experts": 4, "num_experts_per_tok": 2}, inert=_ROUTED, parts=_JOINT
    ),
    "gpt-oss": _case(
        "GptOss",
        _LLAMA | {
            "head_dim": 8, "num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": 8,
            "layer_types": _WINDOWS,
        },
        tolerance=FLOAT32_INSIDE, unread=_PATTERN | {"scores"}, inert=_ROUTED,
        parts={
            "mlp": "neurons are not activation(gate) times input", "turning": "in a way of its own",
            "attention": "has no pattern",
        },
    ),
    "phi": _case("Phi", _LLAMA),
    "phi3": _case("Phi3", _LLAMA),
    "stablelm": _case("StableLm", _LLAMA),
    "granite": _case(
        "Granite",
        _LLAMA | {
            "residual_multiplier": 0.5, "embedding_multiplier": 2.0, "attention_multiplier": 0.3, "logits_scaling": 2.0
        },
    ),
    "cohere2": _case("Cohere2", _GEMMA | {"head_dim": 8}, tolerance=FLOAT32_INSIDE),
    "phi3, longrope": _case(
        "Phi3", _LLAMA | {"rope_scaling": _LONGROPE, "original_max_position_embeddings": 16}
    ),
    "stablelm, parallel": _case("StableLm", _LLAMA | {"use_parallel_residual": True, "use_qkv_bias": True}),
    "stablelm, q/k norms": _case(
        "StableLm", _LLAMA | {"qk_layernorm": True},
        unread=frozenset(f"{which}_norm_{end}" for which in "qk" for end in ("in", "out")),
        parts={"turning": "norms q where no site shows its divisor"},
    ),
    "smollm3, some unturned": _case("SmolLM3", _LLAMA | {"no_rope_layer_interval": 2}),
    "olmo3": _case("Olmo3", _GEMMA, parts=_JOINT),
    "exaone4": _case("Exaone4", _GEMMA | {"head_dim": 8}),
    "glm": _case("Glm", _LLAMA | {"head_dim": 8}, tolerance=FLOAT32_INSIDE),
    "glm4": _case("Glm4", _LLAMA | {"head_dim": 8}, tolerance=FLOAT32_INSIDE),
    "ernie4.5": _case("Ernie4_5", _LLAMA | {"head_dim": 8}),
    "helium": _case("Helium", _LLAMA | {"head_dim": 8}, tolerance=FLOAT32_INSIDE),
    "qwen3, windows": _case(
        "Qwen3",
        _LLAMA | {"head_dim": 8, "use_sliding_window": True, "sliding_window": 8, "layer_types": _WINDOWS},
    ),
    "cohere, q/k norms": _case("Cohere", _LLAMA | {"use_qk_norm": True}, tolerance=FLOAT32_INSIDE),
    "nemotron": _case("Nemotron", _LLAMA),
    "smollm3": _case("SmolLM3", _LLAMA),
    "mistral, window": _case("Mistral", _LLAMA | {"sliding_window": 4}),
    "llama, llama3 rope": _case("Llama", _LLAMA | {"rope_scaling": _LLAMA3_ROPE, "rope_theta": 500000.0}),
    "mamba": _case(
        "Mamba", _SIZES | {"hidden_size": 32, "num_hidden_layers": 3},
        parts={
            "layers": "no known layer map explains: no hook shows all parts", "mlp": "has no ln2_out",
            "turning": "has no q", "attention": "has no q",
        },
    ),
    "roberta-masked": _encoder("Roberta", "ForMaskedLM"),
    "roberta-classifier": _encoder("Roberta", _CLASSIFIER),
    "electra-masked": _encoder("Electra", "ForMaskedLM", embedding_size=32),
    "electra-classifier": _encoder("Electra", _CLASSIFIER, embedding_size=32),
    "electra, narrow embeddings": _encoder("Electra", "ForMaskedLM"),
    "distilbert-masked": _encoder("DistilBert", "ForMaskedLM", **_DISTILBERT),
    "distilbert-classifier": _encoder("DistilBert", _CLASSIFIER, **_DISTILBERT),
    "gpt2-classifier": _causal_classifier("GPT2", _GPT2),
    "llama-classifier": _causal_classifier("Llama", _LLAMA),
    "qwen3-classifier": _causal_classifier("Qwen3", _LLAMA | {"head_dim": 8}),
    "gemma2-classifier": _causal_classifier(
        "Gemma2", _GEMMA, parts={"attention": "has a soft cap on its attention scores"}
    ),
    "neox-classifier": _causal_classifier("GPTNeoX", {
        key: value for key, value in _LLAMA.items() if key != "num_key_value_heads"
    }),
    "opt-classifier": _causal_classifier("OPT", _OPT, tolerance=FLOAT32_INSIDE, unread=frozenset({"mlp_in"})),
}  # fmt: skip

REFUSED = [name for name, case in CONFIGURATIONS.items() if case.refusal]
LOADED = [name for name in CONFIGURATIONS if name not in REFUSED]
# One for each layer map that no family of `tiny` has: both parts behind one norm, and norms only after them.
FURTHER_MAPS = ("phi", "exaone4")
EVERY_MAP = (*FAMILIES, *FURTHER_MAPS)
# What contract tests run over beside these: pairs of neighbours, a bias by position, multipliers, joint norms, heads.
FURTHER = (
    *FURTHER_MAPS,
    "gptj",
    "bloom",
    "granite",
    "olmo2",
    "opt",
    "roberta-masked",
    "distilbert-classifier",
    "llama-classifier",
)


def family_of(name: str) -> Family:
    """A family of `tiny`, or that of a configuration."""
    return EVERY_FAMILY[name] if name in EVERY_FAMILY else CONFIGURATIONS[name].family
