"""Activation patching against one plain forward pass a patch, written from the definition with Hugging Face's model."""

import pytest
import torch
from asking import covering, pairs_for
from numpy.testing import assert_allclose
from tiny import FAMILIES

from interp.circuits import activation_patching
from interp.core.errors import OptionError
from interp.core.prompts import PromptPairs
from interp.models import Edit, Site

EVERY = pytest.mark.parametrize("family", FAMILIES)


def one_at_a_time(model, base, source, metric, site, how, places):
    """The definition: record the source run, then one full forward pass for each place."""
    effects = {}
    for row in range(len(base)):
        prompt, asked = base[[row]], metric.select([row])
        clean = asked(model.logits(prompt)).item()
        for layer in range(model.dims.layers):
            value = model.run(source[[row]], record=[Site(site, layer)])[Site(site, layer)]
            if how == "zero":
                value = value * 0
            if how == "mean":
                value = value.mean(1, keepdim=True).expand_as(value)
            for head, pos in places(prompt.width):
                patched = value.clone()
                edit = Edit.resample(Site(site, layer), patched, head=head, pos=pos)
                effects[row, layer, head, pos] = asked(model.run(prompt, edits=[edit]).logits).item() - clean
    return effects


@covering(("family", FAMILIES), ("how", ["resample", "zero", "mean"]))
def test_heads_equal_one_forward_a_patch(tiny, family, how):
    model = tiny(family, "float64")
    pairs = pairs_for(model, family)
    result = activation_patching(model, pairs, site="z", how=how, batch_tokens=40)
    source = pairs.corrupted if how == "resample" else pairs.clean
    heads = [(head, None) for head in range(model.dims.heads)]
    expected = one_at_a_time(model, pairs.clean, source, pairs.metric, "z", how, lambda width: heads)
    for (row, layer, head, _), effect in expected.items():
        assert_allclose(result.values()[row, layer, head], effect, atol=1e-9)


@EVERY
def test_stream_positions_equal_one_forward_a_patch(tiny, family):
    model = tiny(family, "float64")
    pairs = pairs_for(model, family)
    result = activation_patching(model, pairs, site="resid_pre")
    places = lambda width: [(None, pos) for pos in range(width)]  # noqa: E731
    expected = one_at_a_time(model, pairs.clean, pairs.corrupted, pairs.metric, "resid_pre", "resample", places)
    assert result.values().dims == ("batch", "layer", "pos")
    for (row, layer, _, pos), effect in expected.items():
        assert_allclose(result.values()[row, layer, pos], effect, atol=1e-9)
    assert torch.from_numpy(result.values()[1, :, len(pairs.clean.labels[1]) - 1].values).isnan().all()


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_denoising_is_noising_with_the_sides_exchanged(tiny, family):
    model = tiny(family, "float64")
    pairs = pairs_for(model, family)
    result = activation_patching(model, pairs, site="mlp_out", direction="denoising")
    expected = one_at_a_time(
        model, pairs.corrupted, pairs.clean, pairs.metric, "mlp_out", "resample", lambda width: [(None, None)]
    )
    for (row, layer, _, _), effect in expected.items():
        assert_allclose(result.values()[row, layer], effect, atol=1e-9)


def test_a_patch_of_the_whole_first_layer_is_the_other_run(tiny):
    """Replacing the stream into layer 0 at every position turns the clean run into the corrupted one."""
    model = tiny("llama", "float64")
    pairs = pairs_for(model, "llama")
    result = activation_patching(model, pairs, site="resid_pre", by_position=False)
    difference = pairs.metric(model.logits(pairs.corrupted)) - pairs.metric(model.logits(pairs.clean))
    assert_allclose(result.values()[:, 0], difference, atol=1e-9)


def test_equal_prompts_have_no_effect(tiny):
    model = tiny("qwen3", "float64")
    clean = pairs_for(model, "qwen3").clean
    result = activation_patching(model, type(pairs_for(model, "qwen3"))(clean, clean), site="z")
    assert_allclose(result.values(), 0, atol=1e-12)


@pytest.mark.parametrize("site", ["q", "k", "v", "head_out", "attn_out", "mlp_post", "resid_mid", "resid_post"])
def test_every_site_gives_its_axes(tiny, site):
    model = tiny("llama")
    heads = {"q": 4, "head_out": 4, "k": 2, "v": 2}.get(site)
    sizes = dict(activation_patching(model, pairs_for(model, "llama"), site=site).values().sizes)
    assert sizes.get("head") == heads
    assert ("pos" in sizes) == site.startswith("resid")


@pytest.mark.parametrize("options", [{"how": "resample"}, {"how": "zero", "direction": "denoising"}])
def test_what_needs_a_corrupted_prompt_says_so(tiny, options):
    model = tiny("llama")
    with pytest.raises(OptionError, match="needs a corrupted prompt"):
        activation_patching(model, pairs_for(model, "llama").clean, **options)


@pytest.mark.real_model
def test_the_default_models_name_mover(real_model):
    """On the worked example head 23.3 carries the answer, as one forward pass with that head replaced shows."""
    clean = "When Mary and John went to the store, John gave a drink to"
    corrupted = "When Mary and John went to the store, Mary gave a drink to"
    result = activation_patching(real_model, clean, corrupted=corrupted, target=" Mary", contrast=" John")
    effects = result.values()[0]
    assert effects.shape == (30, 9)
    assert abs(effects).argmax(...) == {"layer": 23, "head": 3}
    prompts = PromptPairs.of(real_model, clean, corrupted, target=" Mary", contrast=" John")
    value = real_model.run(prompts.corrupted, record=[Site("z", 23)])[Site("z", 23)]
    edited = real_model.run(prompts.clean, edits=[Edit.resample(Site("z", 23), value, head=3)])
    expected = prompts.metric(edited.logits) - prompts.metric(real_model.logits(prompts.clean))
    assert_allclose(effects[23, 3], expected, atol=1e-3)


@pytest.mark.parametrize("family", ["llama", "gemma3", "gpt2", "bert-masked"])
def test_the_middle_of_a_layer_is_the_stream_and_not_only_what_its_mlp_reads(tiny, family):
    """Putting the other run's stream there at every position of the last layer leaves nothing of the clean run."""
    model = tiny(family, "float64")
    pairs = pairs_for(model, family)
    patched = activation_patching(model, pairs, site="resid_mid", by_position=False).values()
    difference = pairs.metric(model.logits(pairs.corrupted)) - pairs.metric(model.logits(pairs.clean))
    for layer in range(model.dims.layers):
        assert_allclose(patched[:, layer], difference, atol=1e-9)
    value = model.run(pairs.corrupted, record=[Site("resid_mid", 1)])[Site("resid_mid", 1)]
    edits = [Edit.replace(Site("resid_post", 1), 2.0), Edit.resample(Site("resid_mid", 1), value)]
    trace = model.run(pairs.clean, edits=edits, record=[Site("resid_post", 1), Site("resid_mid", 1)])
    assert (trace[Site("resid_post", 1)] == 2).all()
    assert_allclose(trace[Site("resid_mid", 1)], value)
