"""GPT-NeoX with its attention and MLP one after the other: another stream than its family's table row has."""

import pytest
import torch
from tiny import FAMILIES
from torch.testing import assert_close
from transformers import GPTNeoXForCausalLM

import interp
from interp.models import HookedModel, Site


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> HookedModel:
    """A tiny random checkpoint; every parameter is random, biases and norms too."""
    family, folder = FAMILIES["gptneox"], tmp_path_factory.mktemp("neox")
    tokenizer = family.tokenizer()
    config = family.config(len(tokenizer))
    config.use_parallel_residual = False
    with torch.random.fork_rng():
        torch.manual_seed(0)
        plain = GPTNeoXForCausalLM(config)
        for parameter in plain.parameters():
            torch.nn.init.normal_(parameter, 0.0, 0.3)
    plain.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return interp.load(str(folder), dtype="float64")


@pytest.fixture(scope="module")
def prompts(model) -> interp.Prompts:
    return interp.Prompts.of(model, "The keys to the cabinet", target=" are", contrast=" is")


def test_the_stream_is_written_one_part_after_the_other(model, prompts):
    assert model.architecture.stream == "pre"
    names = ("resid_pre", "attn_write", "resid_mid", "mlp_write", "resid_post")
    before, attention, middle, mlp, after = model.record(prompts, [Site(name, 1) for name in names]).values()
    assert_close(before + attention, middle, atol=1e-12, rtol=0)
    assert_close(middle + mlp, after, atol=1e-12, rtol=0)


def test_what_adds_up_does(model, prompts):
    direct = interp.readout.direct_logit_attribution(model, prompts)
    assert abs(direct.data["remainder"].item()) < 1e-9
    for engine in ("attnlrp", "cp_lrp", "gradient_x_input", "decompx", "alti_logit"):
        assert abs(getattr(interp.attribution, engine)(model, prompts).data["remainder"].item()) < 1e-6, engine
