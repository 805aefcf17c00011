"""Where activations stop being numbers: the error names the first site, and the prompt."""

import shutil
from pathlib import Path

import pytest
import torch
from asking import prompts_for
from refusing import refused
from safetensors.torch import load_file, save_file
from tiny import FAMILIES

import interp
from interp.attribution import attnlrp, cp_lrp, gradient_x_input, integrated_gradients
from interp.core.errors import EngineError
from interp.models.finite import require_finite

# A module of the plain model whose weight is spoiled, and the first site to show it.
PLACES = [
    ("llama", "model.layers.1.self_attn.q_proj", "q[1]"),
    ("llama", "model.layers.1.self_attn.v_proj", "v[1]"),
    ("llama", "model.layers.0.self_attn.o_proj", "attn_out[0]"),
    ("llama", "model.layers.2.mlp.gate_proj", "mlp_pre[2]"),
    ("llama", "model.layers.2.mlp.up_proj", "mlp_up[2]"),
    ("llama", "model.layers.0.mlp.down_proj", "mlp_out[0]"),
    ("llama", "model.layers.1.input_layernorm", "ln1_out[1]"),
    ("llama", "model.norm", "ln_final_out"),
    ("gpt2", "transformer.h.1.mlp.c_fc", "mlp_pre[1]"),
    ("gpt2", "transformer.wpe", "pos_embed"),
    ("gemma3", "model.layers.1.post_attention_layernorm", "attn_write[1]"),
    ("gemma3", "model.layers.2.self_attn.k_norm", "k_norm_out[2]"),
    ("gptneox", "gpt_neox.layers.1.attention.dense", "attn_out[1]"),
    ("bert-classifier", "bert.embeddings.LayerNorm", "embed_ln_out"),
    ("bert-classifier", "bert.pooler.dense", "pooler_pre"),
    ("bert-masked", "cls.predictions.transform.dense", "mlm_pre"),
]


def spoiled(checkpoint, family, module, value):
    """A model of its own, with one number of one weight replaced."""
    model = interp.load(str(checkpoint(family)))
    plain = model.bridge.original_model
    weights = dict(plain.state_dict(keep_vars=True))
    # Wrapped modules have other names on the way; the last parts are the same.
    names = [name for name in weights if plain_name(name) == f"{module}.weight"]
    assert names, f"{module} is not among {[plain_name(name) for name in weights]}"
    for name in names:
        weights[name].data.flatten()[0] = value
    return model


def plain_name(name):
    return name.replace("._original_component", "").replace(".original_component", "")


@pytest.mark.parametrize(("family", "module", "site"), PLACES)
def test_the_first_site_is_named(family, module, site, checkpoint):
    model = spoiled(checkpoint, family, module, float("nan" if site < "ln2" else "inf"))
    with pytest.raises(EngineError, match="first NaN or infinity at") as caught:
        attnlrp(model, prompts_for(model, family))
    message = str(caught.value)
    assert f"first at {site};" in message
    assert model.name in message
    assert "use dtype float32, or check the weights" in message
    assert "\n" not in message


@pytest.mark.parametrize("engine", [cp_lrp, gradient_x_input, integrated_gradients], ids=lambda spec: spec.name)
def test_every_method_by_gradients_names_it(engine, checkpoint):
    model = spoiled(checkpoint, "gpt2", "transformer.h.1.mlp.c_proj", float("nan"))
    with pytest.raises(EngineError, match=r"first at mlp_out\[1\]"):
        engine(model, prompts_for(model, "gpt2"))


@pytest.mark.parametrize("family", FAMILIES)
def test_an_overflow_of_half_precision_is_named(family, checkpoint):
    """Weights of 6e4 are finite in float16, what they multiply is not."""
    model = interp.load(str(checkpoint(family)), dtype="float16")
    prompts = prompts_for(model, family)
    assert attnlrp(model, prompts).data["relevance"].notnull().all()
    model.bridge.blocks[1].mlp.out.original_component.weight.fill_(60_000)
    with pytest.raises(EngineError, match=r"first at mlp_out\[1\]; use dtype float32"):
        attnlrp(model, prompts)


def test_the_prompt_that_overflows_is_named(checkpoint):
    """Not the first of the batch."""
    model = interp.load(str(checkpoint("llama")))
    prompts = prompts_for(model, "llama")
    bad = (set(prompts.tokens[1].tolist()) - set(prompts.tokens[0].tolist())).pop()
    model.bridge.embed.original_component.weight[bad] = float("inf")
    with pytest.raises(EngineError, match=f"{prompts.texts[1]!r}: NaN or inf first at embed;"):
        attnlrp(model, prompts)


def test_numbers_that_are_finite_pass_and_a_result_that_is_not_is_said_so(tiny):
    model = tiny("llama")
    prompts = prompts_for(model, "llama")
    require_finite(model, prompts, torch.ones(3))
    with pytest.raises(EngineError, match="all activations are finite, only the result is not"):
        require_finite(model, prompts, torch.tensor([1.0, float("nan")]))


@pytest.mark.parametrize(("value", "said"), [(float("nan"), "nan"), (float("-inf"), "-inf"), (1e38, "1e+38")])
def test_a_checkpoint_with_one_number_that_cannot_be_used_is_not_loaded(value, said, checkpoint, tmp_path):
    """So that no engine ever runs on it."""
    folder = Path(shutil.copytree(checkpoint("llama"), tmp_path / "poisoned"))
    weights = load_file(folder / "model.safetensors")
    name = "model.layers.1.mlp.up_proj.weight"
    weights[name].view(-1)[5] = value
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    assert refused(folder).endswith(f"cannot be used: {name} holds {said}; fetch it again")
