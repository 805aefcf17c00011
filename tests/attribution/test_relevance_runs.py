"""Relevance runs: what they leave behind in this model and in others, and what cannot be asked."""

import gc

import pytest
import torch
from asking import CAUSAL, prompts_for
from tiny import FAMILIES

import interp
from interp import attribution
from interp.core.errors import OptionError, SiteError, TargetError
from interp.core.prompts import Prompts
from interp.models import Edit, Site
from interp.models.obstacles import Obstacles

LATENT = ("stream", "heads", "neurons", "pairs")

# What a run leaves behind


def gradient(model, prompts):
    """Logits and the plain gradient at the embeddings, by the facade alone."""
    leaves = []

    def leaf(value):
        leaves.append(value.detach().requires_grad_())
        return leaves[0]

    with torch.enable_grad():
        logits = model.run(prompts, edits=[Edit.through(Site("embed"), leaf)]).logits
        (found,) = torch.autograd.grad(prompts.metric(logits).sum(), leaves[0])
    return logits.detach(), found


@pytest.mark.parametrize("recipe", ["attnlrp", "gim"])
@pytest.mark.parametrize(("family", "neighbour"), [("llama", "llama"), ("gpt2", "qwen2"), ("qwen3", "gpt2")])
def test_another_model_is_the_same_to_the_bit(family, neighbour, recipe, checkpoint, tiny):
    """Before, in the middle of the forward pass, in the middle of the backward pass, and after."""
    model, other = tiny(family), interp.load(str(checkpoint(neighbour)))
    prompts = prompts_for(other, neighbour)
    before, seen = gradient(other, prompts), []

    def look(value):
        seen.append(gradient(other, prompts))
        value.register_hook(lambda g: seen.append(gradient(other, prompts)))

    with model.edited([Edit.through(Site("mlp_out", 1), look)]):
        getattr(attribution, recipe)(model, prompts_for(model, family))
    seen.append(gradient(other, prompts))
    assert len(seen) == 3
    for logits, found in seen:
        assert torch.equal(logits, before[0])
        assert torch.equal(found, before[1])


@pytest.mark.parametrize("family", FAMILIES)
def test_no_class_and_no_module_is_patched(family, tiny):
    model = tiny(family)
    modules = [*model.bridge.modules(), *model.bridge.original_model.modules()]

    def forwards():
        return [(type(m).forward, m.__dict__.get("forward")) for m in modules] + [
            torch.softmax,
            torch.nn.functional.softmax,
            torch.Tensor.softmax,
        ]

    before, inside = forwards(), []
    with model.edited([Edit.through(Site("mlp_out", 1), lambda value: inside.append(forwards()))]):
        attribution.attnlrp(model, prompts_for(model, family))
    assert inside == [before]
    assert forwards() == before


@pytest.fixture
def tensors():
    """Counts the tensors made since the test began that are still alive, after collection."""
    gc.collect()
    gc.freeze()

    def count():
        gc.collect()
        return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())

    yield count
    gc.unfreeze()


@pytest.mark.parametrize("scale", ["logit", "prob"])
@pytest.mark.parametrize(("name", "options"), [("attnlrp", {"epsilon": 0.003}), ("gradient_x_input", {})])
def test_no_graph_is_kept(name, options, scale, tiny, tensors):
    """A hook that kept the graph would keep every tensor that it was given."""
    model = tiny("gpt2")
    prompts = prompts_for(model, "gpt2")
    counts = []
    for _ in range(3):
        getattr(attribution, name)(model, prompts, scale=scale, latent=LATENT, **options)
        counts.append(tensors())
    assert counts[0] == counts[1] == counts[2]  # the bridge keeps what it saw in its last run


def test_no_graph_is_kept_when_a_run_fails(tiny, tensors):
    model = tiny("gpt2")
    prompts = prompts_for(model, "gpt2")

    def fail(value):
        raise RuntimeError("in the middle")

    counts = []
    for _ in range(3):
        with model.edited([Edit.through(Site("ln1_scale", 2), fail)]), pytest.raises(RuntimeError, match="middle"):
            attribution.gradient_x_input(model, prompts, explain="mlp_pre[1]@-1")
        counts.append(tensors())
    assert counts[0] == counts[1] == counts[2]


# What cannot be asked


@pytest.mark.parametrize(
    ("place", "kind", "message"),
    [
        ("nonsense", SiteError, "'nonsense' is not a site of the model; write site"),
        ("mlp_post[1]", SiteError, "not a site of the model"),
        ("mlp_post[1]@x", SiteError, "not a site of the model"),
        ("mlp_post[1]@1.", SiteError, "not a site of the model"),
        ("neuron[1]@0", SiteError, "cannot explain 'neuron.1.@0': there is no site 'neuron'; choose one of"),
        ("mlp_post[9]@0", SiteError, "needs a layer from 0 to 2, not 9"),
        ("mlp_post@0", SiteError, "needs a layer from 0 to 2, not None"),
        ("embed[1]@0", SiteError, "embed exists once, not per layer; write embed@0"),
        ("rot_q[1]@0", SiteError, "has no rot_q"),
        ("pattern[1]@0", SiteError, "pattern has no position axis"),
        ("scores[1]@0", SiteError, "scores has no position axis"),
        ("head_out[1]@0", SiteError, "head_out has no position axis"),
        ("mlp_post[1]@99.0", TargetError, "position 99 of mlp_post.1.@99.0 is outside a prompt of"),
        ("mlp_post[1]@-99", TargetError, "position -99 of"),
        ("mlp_post[1]@3.0", TargetError, "position 3 of mlp_post.1.@3.0 is outside a prompt of 3 tokens"),
        ("mlp_post[1]@0.999", TargetError, "index 999 of mlp_post.1.@0.999 is outside"),
        ("mlp_post[1]@0.1.1", TargetError, "index 1 of mlp_post.1.@0.1.1 is outside"),
        ("z[1]@0.0.0.0", TargetError, "index 0 of"),
        ("pos_embed@0", TargetError, "pos_embed@0 does not depend on the token embeddings"),
    ],
)
def test_places_that_are_refused(place, kind, message, tiny):
    model = tiny("gpt2")
    prompts = Prompts.of(model, ["When Mary and John went to the store", "The keys to"])
    assert prompts.mask.sum(-1).tolist()[1] == 3
    with pytest.raises(kind, match=message) as caught:
        attribution.attnlrp(model, prompts, explain=place)
    assert "\n" not in str(caught.value)


def test_a_pattern_that_cannot_be_edited_is_refused(tiny):
    with pytest.raises(SiteError, match="ignores edits of pattern"):
        attribution.attnlrp(tiny("bert-classifier"), "the keys", explain="pattern[1]@0")


@pytest.mark.parametrize("name", ["attnlrp", "cp_lrp", "gradient_x_input", "gim", "lrp"])
def test_nothing_asked(name, tiny):
    with pytest.raises(TargetError, match="nothing to explain; give a target, such as ' Mary', or a site"):
        getattr(attribution, name)(tiny("gpt2"), "The keys to")


def test_options_that_are_refused(tiny):
    model = tiny("gpt2")
    with pytest.raises(OptionError, match="latent"):
        attribution.attnlrp(model, "The keys", target=" Mary", latent=("streams",))
    with pytest.raises(OptionError, match="epsilon = -1"):
        attribution.attnlrp(model, "The keys", target=" Mary", epsilon=-1)
    with pytest.raises(OptionError, match="scale = 'odds'"):
        attribution.cp_lrp(model, "The keys", target=" Mary", scale="odds")
    with pytest.raises(OptionError, match="temperature = 0"):
        attribution.gim(model, "The keys", target=" Mary", temperature=0)
    with pytest.raises(TargetError, match="the baseline ' Mary and' is 2 tokens"):
        attribution.gim(model, "The keys", target=" Mary", baseline=" Mary and")


def test_gradient_x_input_is_the_mixture_of_no_rules(tiny):
    model = tiny("gpt2")
    prompts = prompts_for(model, "gpt2")
    left, right = attribution.lrp(model, prompts).data, attribution.gradient_x_input(model, prompts).data
    assert (left["relevance"].values == right["relevance"].values).all()


def test_families_that_no_rule_knows(tiny, monkeypatch):
    model = tiny("llama")
    with monkeypatch.context() as patch:
        patch.setattr(model, "obstacles", Obstacles(parts={"layers": "has layers that no known layer map explains"}))
        assert "no known layer map explains" in (attribution.attnlrp.obstacle(model) or "")
    with monkeypatch.context() as patch:
        patch.setattr(model.config, "attn_logit_softcapping", 50.0, raising=False)
        patch.setattr(model, "obstacles", Obstacles(parts={"attention": "has a soft cap on its attention scores"}))
        assert "no relevance rule covers its soft cap (attn_logit_softcapping)" in (
            attribution.gim.obstacle(model) or ""
        )
    assert all(attribution.attnlrp.obstacle(tiny(family)) is None for family in CAUSAL)
