"""Attribution patching against central differences, one place at a time, and each correction against its definition."""

from functools import partial
from itertools import product

import pytest
import torch
from asking import covering, pairs_for
from numpy.testing import assert_allclose
from tiny import FAMILIES

from interp.circuits import activation_patching, attribution_patching
from interp.core.errors import OptionError, SiteError
from interp.core.prompts import PromptPairs
from interp.models import Edit, Site
from interp.models.gradients import on_gradient

EVERY = pytest.mark.parametrize("family", FAMILIES)
# Hugging Face computes these families' norms or softmax in float32, where a small step is lost: theirs is larger.
SMOOTH = ("gpt2", "bert-classifier", "bert-masked")
SITES = ("z", "q", "k", "v", "attn_out", "mlp_out", "mlp_post", "resid_pre", "resid_mid", "resid_post")


def slope(model, prompt, metric, edit_by):
    """d metric / dε, where `edit_by(ε)` are the edits."""
    step = 1e-5 if model.architecture.family in ("gpt2", "bert") else 1e-2
    ahead, behind = (metric(model.run(prompt, edits=edit_by(sign * step)).logits).item() for sign in (1, -1))
    return (ahead - behind) / (2 * step)


def tolerance(family):
    return {"atol": 1e-6, "rtol": 1e-6} if family in SMOOTH else {"atol": 3e-3, "rtol": 2e-2}


def recorded(model, prompts, site):
    return model.run(prompts, record=[site])[site]


@covering(("site", SITES), ("family", FAMILIES))
def test_is_the_slope_of_a_patch(tiny, family, site):
    """A place moved a little towards its other value."""
    model = tiny(family, "float64")
    if not model.has(site):
        pytest.skip(f"has no {site}")
    pairs = pairs_for(model, family)
    whole = attribution_patching(model, pairs, site=site, by_position=False).values()
    placed = attribution_patching(model, pairs, site=site, by_position=True).values()
    assert_allclose(placed.sum("pos", skipna=True), whole, atol=1e-9)
    row, layer, inner, pos = 0, 1, 2 if "head" in whole.dims or "neuron" in whole.dims else None, 3
    inner = 1 if site in ("k", "v") else inner
    prompt, metric = pairs.clean[[row]], pairs.metric.select([row])
    here = Site(site, layer)
    change = recorded(model, pairs.corrupted[[row]], here) - recorded(model, prompt, here)
    places = (slice(None), slice(None)) if inner is None else (slice(None), slice(None), inner)
    moved = torch.zeros_like(change)
    moved[places] = change[places]
    index = (row, layer) if inner is None else (row, layer, inner)
    expected = slope(model, prompt, metric, lambda e: [Edit.add(here, e * moved)])
    assert_allclose(whole.values[index], expected, **tolerance(family))
    at = torch.zeros_like(moved)
    at[:, pos] = moved[:, pos]
    expected = slope(model, prompt, metric, lambda e: [Edit.add(here, e * at)])
    assert_allclose(placed.values[(*index, pos)], expected, **tolerance(family))


@EVERY
@pytest.mark.parametrize("how", ["zero", "mean"])
def test_zero_and_mean_are_slopes_too(tiny, family, how):
    model = tiny(family, "float64")
    prompts = pairs_for(model, family).clean
    found = attribution_patching(model, prompts, how=how).values()
    prompt, metric, here = prompts[[1]], prompts.metric.select([1]), Site("z", 1)
    value = recorded(model, prompt, here)
    change = (value.mean(1, keepdim=True).expand_as(value) if how == "mean" else 0 * value) - value
    for head in range(model.dims.heads):
        moved = torch.zeros_like(change)
        moved[:, :, head] = change[:, :, head]
        expected = slope(model, prompt, metric, lambda e, moved=moved: [Edit.add(here, e * moved)])
        assert_allclose(found[1, 1, head], expected, **tolerance(family))


@EVERY
def test_denoising_is_noising_with_the_sides_exchanged(tiny, family):
    model = tiny(family, "float64")
    pairs = pairs_for(model, family)
    found = attribution_patching(model, pairs, direction="denoising").values()
    exchanged = attribution_patching(model, PromptPairs(pairs.corrupted, pairs.clean), metric=pairs.metric).values()
    assert_allclose(found, exchanged, atol=1e-12)


@pytest.mark.parametrize("site", SITES)
def test_exact_on_a_linear_model(linear, site):
    pairs = pairs_for(linear, "gpt2")
    found = attribution_patching(linear, pairs, site=site, by_position=False).values()
    if site == "mlp_post":  # which activation patching takes all at once
        found = found.sum("neuron")
    expected = activation_patching(linear, pairs, site=site, by_position=False).values()
    assert abs(expected).max() > 1e-2 or site in ("q", "k")
    assert_allclose(found, expected, atol=1e-8)


@EVERY
def test_equal_prompts_have_no_effect(tiny, family):
    model = tiny(family)
    clean = pairs_for(model, family).clean
    assert (attribution_patching(model, PromptPairs(clean, clean)).values() == 0).all()


def attention(model, prompts, layer, edits=()):
    return model.run(prompts, edits=edits, record=[Site("pattern", layer)])[Site("pattern", layer)]


@covering(("family", FAMILIES), ("site, by_position", product(["q", "k"], [False, True])))
def test_softmax_fix_takes_the_patched_attention_itself(tiny, family, site, by_position):
    """The model's own attention with the query or key patched; then central differences along its change."""
    model = tiny(family, "float64")
    pairs = pairs_for(model, family)
    found = attribution_patching(model, pairs, site=site, softmax_fix=True, by_position=by_position).values()
    row, layer, head, pos = 0, 1, 1, 3
    prompt, metric = pairs.clean[[row]], pairs.metric.select([row])
    value = recorded(model, pairs.corrupted[[row]], Site(site, layer))
    patch = Edit.resample(Site(site, layer), value, head=head, pos=pos if by_position else None)
    change = attention(model, prompt, layer, [patch]) - attention(model, prompt, layer)
    values = recorded(model, prompt, Site("v", layer)).repeat_interleave(model.dims.heads // model.dims.kv_heads, 2)
    moved = torch.einsum("bhqk,bkhd->bqhd", change.double(), values)
    expected = slope(model, prompt, metric, lambda e: [Edit.add(Site("z", layer), e * moved)])
    index = (row, layer, head, pos) if by_position else (row, layer, head)
    assert_allclose(found.values[index], expected, **tolerance(family))


@pytest.mark.parametrize("how", ["zero", "mean"])
@pytest.mark.parametrize("family", ["qwen3", "gpt2"])
def test_softmax_fix_patches_before_norm_and_rotation(tiny, family, how):
    model = tiny(family, "float64")
    prompts = pairs_for(model, family).clean
    found = attribution_patching(model, prompts, site="k", softmax_fix=True, how=how).values()
    prompt, metric, here = prompts[[0]], prompts.metric.select([0]), Site("k", 2)
    value = recorded(model, prompt, here)
    value = value.mean(1, keepdim=True).expand_as(value) if how == "mean" else 0 * value
    change = attention(model, prompt, 2, [Edit.resample(here, value, head=0)]) - attention(model, prompt, 2)
    values = recorded(model, prompt, Site("v", 2)).repeat_interleave(model.dims.heads // model.dims.kv_heads, 2)
    moved = torch.einsum("bhqk,bkhd->bqhd", change.double(), values)
    expected = slope(model, prompt, metric, lambda e: [Edit.add(Site("z", 2), e * moved)])
    assert_allclose(found[0, 2, 0], expected, **tolerance(family))


def test_softmax_fix_sees_through_a_saturated_attention(tiny):
    """A key so far ahead of the others that the gradient is next to nothing: the patch that lets it go is not."""
    model = tiny("gpt2", "float64")
    pairs = pairs_for(model, "gpt2")
    with model.edited([Edit.scale(Site("q", 2), 60.0)]):
        true = activation_patching(model, pairs, site="k").values()[:, 2]
        plain, fixed = (
            attribution_patching(model, pairs, site="k", softmax_fix=fix).values()[:, 2] for fix in (False, True)
        )
    assert abs(fixed - true).mean() < abs(plain - true).mean() / 2


@covering(("family", FAMILIES), ("site", ["z", "mlp_out", "resid_pre"]))
def test_grad_drop_is_the_mean_size_over_dropped_layers(tiny, family, site):
    """For each layer a run of its own in which what its attention and MLP write has no gradient."""
    model = tiny(family, "float64")
    pairs = pairs_for(model, family)
    found = attribution_patching(model, pairs, site=site, grad_drop=True).values()
    layers, sizes, counts = model.dims.layers, {}, {}
    for dropped in range(layers):
        gradients = {}
        stop = [Edit.through(Site(name, dropped), lambda x: x.detach()) for name in ("attn_write", "mlp_write")]
        keep = [
            partial(on_gradient, function=lambda _, g, at=at, into=gradients: into.update({at: g}))
            for at in range(layers)
        ]
        watch = [Edit.through(Site(site, at), keep[at]) for at in range(layers)]
        begin = Edit.through(Site("resid_pre", 0), lambda x: x.detach().requires_grad_())
        with torch.enable_grad():
            total = pairs.metric(model.run(pairs.clean, edits=[begin, *watch, *stop]).logits).sum()
            total.backward()
        for layer in range(layers):
            if layer == dropped and site != "resid_pre":
                continue
            here = Site(site, layer)
            change = recorded(model, pairs.corrupted, here) - recorded(model, pairs.clean, here)
            gradient = gradients.get(layer, torch.zeros_like(change))
            effect = (change * gradient).sum(-1)
            effect = effect if site == "resid_pre" else effect.sum(1)
            sizes[layer] = sizes.get(layer, 0) + effect.abs()
            counts[layer] = counts.get(layer, 0) + 1
    for layer in range(layers):
        expected = sizes[layer] / counts[layer]
        assert counts[layer] == (layers if site == "resid_pre" else layers - 1)
        if site == "resid_pre":
            expected = torch.where(pairs.clean.mask, expected, torch.nan)
        assert_allclose(found[:, layer], expected, atol=1e-9)


@EVERY
def test_company_and_padding_change_nothing(tiny, family):
    model = tiny(family, "float64")
    pairs = pairs_for(model, family)
    for options in ({"site": "mlp_post"}, {"site": "k", "softmax_fix": True}, {"grad_drop": True}):
        results = [attribution_patching(model, pairs, batch_tokens=size, **options).values() for size in (1, 512)]
        assert_allclose(results[0], results[1], atol=1e-9)


def test_what_it_cannot_treat(tiny):
    with pytest.raises(SiteError, match="has no resid_mid"):
        attribution_patching(tiny("gptneox"), pairs_for(tiny("gptneox"), "gptneox"), site="resid_mid")
    model = tiny("llama")
    pairs = pairs_for(model, "llama")
    with pytest.raises(OptionError, match="softmax_fix applies to queries and keys, not z"):
        attribution_patching(model, pairs, softmax_fix=True)
    for options in ({}, {"how": "zero", "direction": "denoising"}):
        with pytest.raises(OptionError, match="needs a corrupted prompt"):
            attribution_patching(model, pairs.clean, **options)
