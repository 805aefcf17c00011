"""Tiny random checkpoints of every supported family, written to disk with a tokenizer that needs no download."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    DeepseekV2Config,
    DeepseekV2ForCausalLM,
    DeepseekV3Config,
    DeepseekV3ForCausalLM,
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    GptOssConfig,
    GptOssForCausalLM,
    GraniteMoeConfig,
    GraniteMoeForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
    OlmoeConfig,
    OlmoeForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2MoeConfig,
    Qwen2MoeForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3MoeConfig,
    Qwen3MoeForCausalLM,
)

CONTEXT = 64
WORDS = "when mary and john went to the store , gave a drink book keys cabinet are is he she they in on of lent".split()
TEXTS = [
    " ".join(WORDS),
    "When Mary and John went to the store, John gave a drink to",
    "The keys to the cabinet are",
] * 4


def byte_pair_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level tokenizer trained on a few lines."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["<|endoftext|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator(TEXTS + [" Mary John to the store keys are is"] * 20, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|endoftext|>", pad_token="<|endoftext|>", model_max_length=CONTEXT
    )


def word_piece_tokenizer() -> PreTrainedTokenizerFast:
    """A word-piece tokenizer, as BERT has it, trained on a few lines."""
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.train_from_iterator(TEXTS, trainers.WordPieceTrainer(vocab_size=300, special_tokens=specials))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=CONTEXT,
    )


def _llama_like(config: type, **more) -> Callable[[int], object]:
    sizes = {
        "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": CONTEXT, "bos_token_id": None,
        "eos_token_id": 0, "pad_token_id": 0,
    }  # fmt: skip
    return lambda vocab: config(vocab_size=vocab, **(sizes | more))


def _bert(vocab: int) -> BertConfig:
    return BertConfig(
        vocab_size=vocab,
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=CONTEXT,
        num_labels=3,
        pad_token_id=0,
    )


@dataclass(frozen=True)
class Family:
    """One architecture: how its config is made, which head it carries, which tokenizer it reads with."""

    config: Callable[[int], object]
    model: type[PreTrainedModel]
    tokenizer: Callable[[], PreTrainedTokenizerFast] = byte_pair_tokenizer


FAMILIES = {
    "llama": Family(_llama_like(LlamaConfig), LlamaForCausalLM),
    "gemma3": Family(
        _llama_like(
            Gemma3TextConfig,
            sliding_window=8,
            query_pre_attn_scalar=8,
            layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        ),
        Gemma3ForCausalLM,
    ),
    "qwen2": Family(_llama_like(Qwen2Config), Qwen2ForCausalLM),
    "qwen3": Family(_llama_like(Qwen3Config), Qwen3ForCausalLM),
    "gpt2": Family(
        lambda vocab: GPT2Config(
            vocab_size=vocab, n_embd=32, n_layer=3, n_head=4, n_positions=CONTEXT, bos_token_id=0, eos_token_id=0
        ),
        GPT2LMHeadModel,
    ),
    "gptneox": Family(
        lambda vocab: GPTNeoXConfig(
            vocab_size=vocab,
            hidden_size=32,
            num_hidden_layers=3,
            num_attention_heads=4,
            intermediate_size=48,
            max_position_embeddings=CONTEXT,
            use_parallel_residual=True,
            bos_token_id=0,
            eos_token_id=0,
        ),
        GPTNeoXForCausalLM,
    ),
    "bert-classifier": Family(_bert, BertForSequenceClassification, word_piece_tokenizer),
    "bert-masked": Family(_bert, BertForMaskedLM, word_piece_tokenizer),
}


_LATENT_ATTENTION: dict[str, Any] = {
    "num_key_value_heads": 4, "head_dim": 4, "q_lora_rank": 16,
    "kv_lora_rank": 16, "qk_rope_head_dim": 4, "qk_nope_head_dim": 8, "v_head_dim": 8,
    "n_routed_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16, "n_shared_experts": 1,
    "first_k_dense_replace": 1, "n_group": 1, "topk_group": 1,
}  # fmt: skip
# Mixtures of experts that engines support; the first has all that there is: a layer without a router, a shared expert.
MIXTURES = {
    "qwen2moe": Family(
        _llama_like(
            Qwen2MoeConfig, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16,
            shared_expert_intermediate_size=24, mlp_only_layers=[0],
        ),
        Qwen2MoeForCausalLM,
    ),
    "mixtral": Family(_llama_like(MixtralConfig, num_local_experts=4), MixtralForCausalLM),
    "qwen3moe": Family(
        _llama_like(Qwen3MoeConfig, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=16), Qwen3MoeForCausalLM
    ),
}  # fmt: skip
# Those of which only the MLPs are known.
OTHER_MIXTURES = {
    "olmoe": Family(_llama_like(OlmoeConfig, num_experts=4, num_experts_per_tok=2), OlmoeForCausalLM),
    "gptoss": Family(
        _llama_like(
            GptOssConfig, num_local_experts=4, num_experts_per_tok=2, sliding_window=8,
            layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        ),
        GptOssForCausalLM,
    ),
    "granitemoe": Family(
        _llama_like(GraniteMoeConfig, num_local_experts=4, num_experts_per_tok=2, residual_multiplier=0.5),
        GraniteMoeForCausalLM,
    ),
    "deepseek2": Family(_llama_like(DeepseekV2Config, **_LATENT_ATTENTION), DeepseekV2ForCausalLM),
    "deepseek3": Family(
        _llama_like(DeepseekV3Config, **_LATENT_ATTENTION, routed_scaling_factor=2.5), DeepseekV3ForCausalLM
    ),
}  # fmt: skip
EVERY_FAMILY = FAMILIES | MIXTURES | OTHER_MIXTURES


def write_checkpoint(family: str, folder: Path, *, dtype: torch.dtype = torch.float32) -> Path:
    """Write a seeded random checkpoint of `family` with its tokenizer."""
    return write_family(EVERY_FAMILY[family], folder, dtype=dtype)


def write_family(spec: Family, folder: Path, *, dtype: torch.dtype = torch.float32) -> Path:
    """Write a seeded random checkpoint with its tokenizer; every parameter, norms and biases included, is random, so
    that a term forgotten in an engine changes its numbers."""
    tokenizer = spec.tokenizer()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = spec.model(spec.config(len(tokenizer)))
        for name, parameter in model.named_parameters():
            spread = 0.3 if parameter.dim() > 1 else 0.2
            factor = "norm" in name.lower() and name.endswith("weight")  # to which Gemma adds 1
            centre = 1.0 if factor and "Gemma" not in spec.model.__name__ else 0.0
            torch.nn.init.normal_(parameter, centre, spread)
    model.to(dtype).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_dictionary(model: Any, folder: Path) -> Path:
    """Write a random JumpReLU dictionary of 24 features for the attention outputs of layer 1 of a tiny model."""
    width, features = model.dims.heads * model.dims.d_head, 24
    random = torch.Generator().manual_seed(0)
    weights = {
        name: torch.randn(shape, generator=random) * spread
        for name, shape, spread in (
            ("W_enc", (width, features), 0.3), ("b_enc", (features,), 0.1), ("W_dec", (features, width), 0.2),
            ("b_dec", (width,), 0.1),
        )
    } | {"threshold": torch.full((features,), 0.05)}  # fmt: skip
    config = {
        "architecture": "jumprelu", "d_in": width, "d_sae": features, "dtype": "float32", "device": "cpu",
        "apply_b_dec_to_input": True, "normalize_activations": "none", "reshape_activations": "none",
        "metadata": {
            "model_name": model.name, "hook_name": "blocks.1.attn.hook_z", "weight_hash": model.weight_hash,
            "model_dtype": str(model.dtype).removeprefix("torch."),
        },
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / "sae_weights.safetensors")
    (folder / "cfg.json").write_text(json.dumps(config))
    return folder
