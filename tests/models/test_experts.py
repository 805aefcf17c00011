"""Mixtures of experts: what loading and recording say of router and experts is what Hugging Face's modules compute."""

import pytest
import torch
from asking import prompts_for, some
from plain_transformer import expert_outputs, hugging_face, plain
from tiny import EVERY_FAMILY, FAMILIES, MIXTURES, OTHER_MIXTURES
from torch.testing import assert_close

import interp
from interp.core.errors import SiteError
from interp.models import Edit, Site
from interp.models.sites import SITES

EVERY = some("family", MIXTURES | OTHER_MIXTURES, always=["qwen2moe", "gptoss"])
LISTED = some("family", MIXTURES, always=["qwen2moe"])
FLOAT32_INSIDE = {"gptoss": 1e-5}  # its norms are computed so that float64 agrees to no more
EXPERTS = ("router", "expert_pre", "expert_up", "expert_post", "expert_out", "expert_write")


@EVERY
@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_logits_are_hugging_faces_with_hooks_and_without(tiny, checkpoint, family, dtype):
    model = tiny(family, dtype) if dtype != "bfloat16" else interp.load(str(checkpoint(family)), dtype=dtype)
    prompts = prompts_for(model, family)
    reference = EVERY_FAMILY[family].model.from_pretrained(
        checkpoint(family), dtype=model.dtype, attn_implementation="eager", experts_implementation="eager"
    )
    with torch.no_grad():
        expected = reference.eval()(prompts.tokens).logits[prompts.mask]
    close = {"float64": FLOAT32_INSIDE.get(family, 1e-12), "float32": 1e-4, "bfloat16": 0.1}[dtype]
    trace = model.run(prompts, record=[site for name in EXPERTS for site in model.sites(name)])
    for logits in (model.logits(prompts), trace.logits):
        assert_close(logits[prompts.mask], expected, atol=close * float(expected.abs().max()), rtol=0)


@EVERY
def test_experts_sum_to_what_the_mlp_writes(tiny, family):
    model = tiny(family, "float64")
    sites = [site for name in (*EXPERTS, "mlp_out") for site in model.sites(name)]
    trace = model.run(prompts_for(model, family), record=sites)
    for layer in range(model.dims.layers):
        router, out, write, total = (
            trace[Site(name, layer)] for name in ("router", "expert_out", "expert_write", "mlp_out")
        )
        assert_close(write.sum(2), total, atol=1e-12, rtol=0)
        assert_close(router[..., None] * out, write, atol=1e-12, rtol=0)
        assert (write[router == 0] == 0).all()
        if model.site_obstacle(Site("router_logits", layer)) is None:
            assert ((router[..., : model.dims.routed] != 0).sum(-1) == model.dims.routed_to).all()


@LISTED
def test_router_and_experts_are_the_definitions(tiny, checkpoint, family):
    """Weights by softmax, selection and normalisation, expert by expert, of what the MLP reads."""
    model = tiny(family, "float64")
    prompt = prompts_for(model, family)[[0]]
    sites = [Site(name, layer) for name in ("ln2_out", "router", "expert_out") for layer in range(3)]
    trace = model.run(prompt, record=sites)
    for index, layer in enumerate(plain(checkpoint, family, prompt.tokens[0]).layers):
        inputs, router, out = (trace[Site(name, index)][0] for name in ("ln2_out", "router", "expert_out"))
        weights = torch.stack([torch.stack(layer.weights(x)) for x in inputs])
        assert_close(router, weights, atol=1e-6, rtol=0)  # the softmax runs in float32
        expected = torch.stack(expert_outputs(layer, inputs), 1) * (weights != 0)[..., None]
        assert_close(out, expected, atol=1e-12, rtol=0)


@EVERY
def test_edits_act_or_are_refused(tiny, family):
    """Its own value changes nothing, another one does what taking Hugging Face's modules apart does."""
    model = tiny(family, "float64")
    prompt = prompts_for(model, family)[[0]]
    clean = model.logits(prompt)
    for name in ("router_in", "router_logits", *EXPERTS):
        for site in (site for site in model.sites(name) if model.site_obstacle(site) is None):
            value = model.run(prompt, record=[site])[site]
            other = Edit.replace(site, value * 1.5 + torch.rand_like(value))
            if model.edit_obstacle(site):
                assert name == "router_logits"
                with pytest.raises(SiteError, match="ignores edits of router_logits, which can only be read"):
                    model.run(prompt, edits=[other])
                continue
            assert_close(model.run(prompt, edits=[Edit.replace(site, value)]).logits, clean, atol=1e-9, rtol=0)
            assert (model.run(prompt, edits=[other]).logits - clean).abs().max() > 1e-6, f"{site} is not causal"
    assert_close(model.logits(prompt), clean, atol=0, rtol=0)


@LISTED
def test_an_expert_without_weight_is_one_that_was_not_there(tiny, checkpoint, family):
    """Its output matrix zeroed in Hugging Face's own model."""
    model = tiny(family, "float64")
    prompt = prompts_for(model, family)[[0]]
    found = model.run(prompt, edits=[Edit.zero(Site("router", 2), expert=1)]).logits
    again = model.run(prompt, edits=[Edit.zero(Site("expert_out", 2), expert=1)]).logits
    reference = hugging_face.__wrapped__(family, checkpoint(family))
    with torch.no_grad():
        reference.model.layers[2].mlp.experts.down_proj[1] = 0
        expected = reference(prompt.tokens).logits
    assert_close(found, expected, atol=1e-10, rtol=0)
    assert_close(again, expected, atol=1e-10, rtol=0)
    with pytest.raises(SiteError, match="has experts 0 to"):
        model.run(prompt, edits=[Edit.zero(Site("router", 2), expert=9)])
    with pytest.raises(SiteError, match="has no experts"):
        model.run(prompt, edits=[Edit.zero(Site("z", 2), expert=0)])


@LISTED
def test_every_site_has_its_axes(tiny, family):
    model = tiny(family)
    prompts = prompts_for(model, family)
    sizes = {"batch": 2, "pos": prompts.width, "one": 1, **model.dims.axes}
    for name in SITES:
        site = model.sites(name)[-1]
        axes = SITES[name].axes.split()
        if model.site_obstacle(site) is None and set(axes) <= sizes.keys():
            assert model.run(prompts, record=[site])[site].shape == tuple(sizes[axis] for axis in axes), name


def test_what_a_layer_without_a_router_is(tiny):
    model = tiny("qwen2moe")
    assert model.site_obstacle(Site("router_logits", 0)).endswith("has no router_logits in layer 0")
    assert model.site_obstacle(Site("router_logits", 1)) is None
    router = model.run("Mary and", record=[Site("router", 0)])[Site("router", 0)]
    assert_close(router, torch.tensor([0.0, 0, 0, 0, 1]).expand_as(router))


def test_other_models_have_no_experts(tiny):
    for family in ("llama", "gpt2"):
        model = tiny(family)
        assert (model.dims.experts, model.dims.routed) == (0, 0)
        assert model.site_obstacle(Site("router", 0)).endswith("has no router")
    assert not FAMILIES.keys() & EVERY_FAMILY.keys() - FAMILIES.keys()


def test_experts_that_are_not_understood_are_left_whole(tiny, monkeypatch, checkpoint):
    """Experts whose sum is not what Hugging Face's code makes of them have no sites; the model loads."""
    from interp.models import experts

    wrong = lambda expert, neurons: expert.out(neurons[..., : expert.width]) * 1.01  # noqa: E731
    monkeypatch.setattr(experts.Expert, "written", wrong)
    model = interp.load(str(checkpoint("olmoe")))
    assert model.dims.experts == 0
    assert model.site_obstacle(Site("router", 0)).endswith("has no router")


def test_gates_and_biases_without_a_rule(tiny):
    assert "neurons are not activation(gate) times input" in tiny("gptoss", "float64").obstacle("mlp")
    assert tiny("mixtral").obstacle("mlp") is None
