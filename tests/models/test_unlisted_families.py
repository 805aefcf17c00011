"""A family outside the table loads as far as the bridge knows it, and claims nothing that was not checked."""

import pytest
import torch
from numpy.testing import assert_allclose
from tiny import CONTEXT, byte_pair_tokenizer
from torch.testing import assert_close
from transformers import Olmo2Config, Olmo2ForCausalLM

import interp
from interp.core.errors import EngineError, SiteError
from interp.models import Edit, Site


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """OLMo 2: its norms stand after attention and MLP only, so the stream between them is not a norm's input."""
    path, tokenizer = tmp_path_factory.mktemp("olmo2"), byte_pair_tokenizer()
    torch.manual_seed(0)
    config = Olmo2Config(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=CONTEXT, pad_token_id=0, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    Olmo2ForCausalLM(config).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def test_logits_are_hugging_faces(folder):
    model = interp.load(str(folder))
    prompts = interp.Prompts.of(model, "When Mary and John went")
    plain = Olmo2ForCausalLM.from_pretrained(folder, attn_implementation="eager").requires_grad_(False)
    assert_close(model.logits(prompts), plain(prompts.tokens).logits, atol=1e-4, rtol=0)


def test_engines_work_or_refuse_by_name(folder):
    model = interp.load(str(folder))
    pairs = interp.PromptPairs.of(model, "When Mary went", "When John went", target=" Mary", contrast=" John")
    with pytest.raises(EngineError, match="does not support"):
        interp.readout.direct_logit_attribution(model, pairs.clean)
    with pytest.raises(SiteError, match="has no resid_mid"):
        model.record(pairs.clean, [Site("resid_mid", 0)])
    effects = interp.circuits.activation_patching(model, pairs).values()
    value = model.record(pairs.corrupted, [Site("z", 1)])[Site("z", 1)]
    edited = model.run(pairs.clean, edits=[Edit.resample(Site("z", 1), value, head=2)]).logits
    expected = pairs.clean.metric(edited) - pairs.clean.metric(model.logits(pairs.clean))
    assert_allclose(effects[0, 1, 2], expected[0], atol=1e-5)
