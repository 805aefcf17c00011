"""A model that is linear in what its layers read, for methods that are exact on one."""

import pytest
import torch
from tiny import byte_pair_tokenizer
from transformers import GPT2Config, GPT2LMHeadModel

import interp


@pytest.fixture(scope="session")
def linear(tmp_path_factory):
    """Divisors that are all but constant, attention that looks everywhere alike, and MLPs without a nonlinearity."""
    folder, tokenizer, width = tmp_path_factory.mktemp("linear"), byte_pair_tokenizer(), 16
    config = GPT2Config(
        vocab_size=len(tokenizer), n_embd=width, n_layer=2, n_head=2, n_positions=32, layer_norm_epsilon=1e12,
        activation_function="linear", bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    torch.manual_seed(0)
    plain = GPT2LMHeadModel(config).double().requires_grad_(False)
    for name, parameter in plain.named_parameters():
        if "ln_" in name and name.endswith("weight"):
            parameter.fill_(1e6)
        elif parameter.dim() > 1:
            parameter.normal_(0, 0.3)
    for block in plain.transformer.h:
        block.attn.c_attn.weight[:, : 2 * width] = 0
    plain.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return interp.load(str(folder), dtype="float64")
