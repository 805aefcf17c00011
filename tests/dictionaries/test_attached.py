"""A dictionary at its site: with its error term nothing changes, a changed feature moves the run by its decoder row."""

import shutil

import pytest
import torch
from asking import covering, pairs_for
from safetensors.torch import load_file, save_file
from tiny import FAMILIES

import interp
from interp import Edit, Prompts, Site, dictionaries
from interp.core.errors import DictionaryError
from interp.dictionaries.sae.dictionary import width_of as width_of_site
from interp.dictionaries.sae.hook_names import site_of
from interp.models.sites import SITES

PLACES = {"z": "attn.hook_z", "resid_pre": "hook_resid_pre", "mlp_write": "hook_mlp_out", "mlp_post": "mlp.hook_post"}


def width_of(model, name):
    dims = model.dims
    return {"z": dims.heads * dims.d_head, "mlp_post": dims.d_mlp}.get(name, dims.d_model)


def attached(saved, model, name, layer=1, architecture="standard", **settings):
    hook = f"blocks.{layer}.{PLACES[name]}"
    folder, _ = saved(architecture, width_of(model, name), hook=hook, model=model.name, **settings)
    return dictionaries.load(folder).attach(model)


@covering(("family", FAMILIES), ("name", PLACES))
def test_with_its_error_nothing_changes(saved, tiny, family, name):
    model = tiny(family)
    dictionary = attached(saved, model, name)
    assert dictionary.site == Site(name, 1)
    clean = pairs_for(model, family).clean
    spliced = model.run(clean, edits=[dictionary.splice()]).logits
    torch.testing.assert_close(spliced, model.logits(clean), atol=1e-4, rtol=0)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("change", [None, lambda features: features])
def test_with_its_error_nothing_changes_in_any_precision(saved, tiny, dtype, change):
    """To the last bit, and whatever the size of the reconstruction: its rows are a thousand times those of others."""
    model = tiny("llama", dtype)
    dictionary = attached(saved, model, "resid_pre")
    with torch.no_grad():
        dictionary.sae.W_dec.mul_(1000)
    clean = pairs_for(model, "llama").clean
    assert dictionary.reconstruct(model.record(clean, [dictionary.site])[dictionary.site]).abs().max() > 1000
    assert torch.equal(model.run(clean, edits=[dictionary.splice(change)]).logits, model.logits(clean))


@pytest.mark.real_model
def test_with_its_error_nothing_changes_in_the_default_model(saved, real_model):
    dictionary = attached(saved, real_model, "z", layer=18, features=64)
    prompts = Prompts.of(real_model, "When Mary and John went to the store, John gave a drink to")
    spliced = real_model.run(prompts, edits=[dictionary.splice()]).logits
    torch.testing.assert_close(spliced, real_model.logits(prompts), atol=1e-4, rtol=0)


@pytest.mark.parametrize("normalised", ["none", "layer_norm"])
def test_a_feature_put_out(saved, tiny, normalised):
    """As if its decoder row, times what it was, were taken off what the site holds."""
    model = tiny("llama", "float64")
    dictionary = attached(saved, model, "z", normalize_activations=normalised)
    clean = pairs_for(model, "llama").clean
    features = dictionary.features(clean)
    chosen = int(features.sum((0, 1)).argmax())
    held = model.record(clean, [dictionary.site])[dictionary.site]
    row = features[..., chosen, None] * dictionary.sae.W_dec[chosen]
    if normalised == "layer_norm":  # decoded to the scale of what was read
        row = row * (held.flatten(2) - held.flatten(2).mean(-1, keepdim=True)).std(-1, keepdim=True)
    without = Edit.replace(dictionary.site, held - row.reshape(held.shape))

    def put_out(now):
        return now.index_fill(-1, torch.tensor([chosen]), 0.0)

    found = model.run(clean, edits=[dictionary.splice(put_out)]).logits
    assert features[..., chosen].count_nonzero()
    torch.testing.assert_close(found, model.run(clean, edits=[without]).logits, atol=1e-9, rtol=0)
    assert not torch.allclose(found, model.logits(clean), atol=1e-6)


def test_without_its_error_the_reconstruction_alone(saved, tiny):
    model = tiny("gemma3", "float64")
    dictionary = attached(saved, model, "resid_pre", architecture="topk", k=3)
    clean = pairs_for(model, "gemma3").clean
    features = dictionary.features(clean)
    assert int((features != 0).sum(-1).max()) <= 3
    written = features @ dictionary.sae.W_dec + dictionary.sae.b_dec
    expected = model.run(clean, edits=[Edit.replace(dictionary.site, written)]).logits
    found = model.run(clean, edits=[dictionary.splice(error=False)]).logits
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=0)


def test_matching_pursuit_with_its_error(saved, tiny):
    """Its encoder is its decoder: it is attached and spliced like others."""
    model = tiny("llama")
    dictionary = attached(saved, model, "z", architecture="matching_pursuit")
    clean = pairs_for(model, "llama").clean
    assert dictionary.features(clean).count_nonzero()
    spliced = model.run(clean, edits=[dictionary.splice(lambda features: features)]).logits
    assert torch.equal(spliced, model.logits(clean))


def refused(dictionary, model, *words, **how):
    with pytest.raises(DictionaryError) as caught:
        dictionary.attach(model, **how)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_another_width(saved, tiny):
    model = tiny("llama")
    dictionary = dictionaries.load(saved("standard", 7, model=model.name)[0])
    refused(dictionary, model, "reads 7 numbers", "z[0]")
    refused(dictionary, model, "one vector a position", site=Site("pattern", 0))


def test_another_model(saved, tiny):
    model, other = tiny("llama"), tiny("qwen2")
    width = width_of(model, "z")
    dictionary = dictionaries.load(saved("standard", width, model="meta/llama")[0])
    assert dictionary.attach(model).site == Site("z", 0)  # a folder of that name
    named_otherwise = dictionaries.load(saved("standard", width, model="gpt2-small")[0])
    refused(named_otherwise, model, "gpt2-small", "any_model=True")
    assert named_otherwise.attach(model, any_model=True).site == Site("z", 0)
    trained_here = dictionaries.load(saved("standard", width, model="x", weight_hash=model.weight_hash)[0])
    assert trained_here.attach(model).site == Site("z", 0)
    refused(trained_here, other, "trained on x")


def test_a_place_that_is_none_here(saved, tiny):
    model = tiny("llama")
    width = model.dims.d_model
    folder, _ = saved("standard", width, hook="blocks.1.ln1.hook_normalized")
    refused(dictionaries.load(folder), model, "ln1.hook_normalized", "Site('z', 5)")
    assert dictionaries.load(folder).attach(model, site=Site("ln1_out", 1)).site == Site("ln1_out", 1)
    refused(dictionaries.load(saved("standard", width, hook="")[0]), model, "does not state its hook")
    refused(dictionaries.load(saved("standard", width, hook="blocks.99.hook_resid_pre")[0]), model, "not 99")


def prepared(family, checkpoint, folder):
    """A family's model whose weights that write to the stream are centred: the same function, with another stream."""
    weights = load_file(checkpoint(family) / "model.safetensors")
    writes = {
        "gpt2": (["wte.weight", "wpe.weight", "c_proj.weight", "c_proj.bias"], -1),
        "gptneox": (["embed_in.weight", "dense.weight", "dense.bias", "dense_4h_to_h.weight", "dense_4h_to_h.bias"], 0),
    }
    names, axis = writes[family]
    for name in weights:
        if name.endswith(tuple(names)):
            weights[name] -= weights[name].mean(-1 if "embed" in name else axis, keepdim=True)
    shutil.copytree(checkpoint(family), folder)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return interp.load(str(folder), dtype="float64")


@pytest.mark.parametrize("family", ["gpt2", "gptneox"])
def test_sites_that_a_preparation_moves(family, saved, tiny, checkpoint, tmp_path):
    """A centred model holds other numbers at some sites, and a dictionary of the centred model is refused at those."""
    model, centred = tiny(family, "float64"), prepared(family, checkpoint, tmp_path / "centred")
    clean = pairs_for(model, family).clean
    folder, _ = saved("standard", 32, model="", prepared={"center_writing_weights": True})
    moved = set()
    for name, spec in SITES.items():
        site = Site(name, 1 if spec.per_layer else None)
        if model.edit_obstacle(site) or width_of_site(model, site) is None:
            continue
        here, there = (each.record(clean, [site])[site] for each in (model, centred))
        expected = (here - there).abs().max() > 1e-3
        try:
            dictionaries.load(folder).attach(model, site=site)
            found = False
        except DictionaryError as error:
            found = "center_writing_weights" in str(error)
        assert found == expected, name
        moved |= {name} if expected else set()
    assert {"resid_pre", "resid_post", "attn_write", "mlp_write"} <= moved
    assert not {"z", "q", "k", "v", "mlp_post", "ln1_out"} & moved


@pytest.mark.parametrize("setting", ["center_writing_weights", "fold_value_biases"])
def test_a_model_that_has_nothing_to_prepare(saved, tiny, setting):
    """Llama's norm takes no mean off, and its values have no bias."""
    model = tiny("llama")
    for name in ("z", "resid_pre"):
        assert attached(saved, model, name, prepared={setting: True}).site == Site(name, 1)


def test_value_biases_that_were_folded_away(saved, tiny):
    """They are constants of v and z, since a pattern sums to 1, and of nothing else."""
    model = tiny("gpt2")
    for name in PLACES:
        if name == "z":
            with pytest.raises(DictionaryError, match="fold_value_biases"):
                attached(saved, model, name, prepared={"fold_value_biases": True})
        else:
            assert attached(saved, model, name, prepared={"fold_value_biases": True}).site == Site(name, 1)


@pytest.mark.parametrize(
    ("hook", "site"),
    [
        ("blocks.5.attn.hook_z", Site("z", 5)),
        ("blocks.0.hook_attn_out", Site("attn_write", 0)),
        ("blocks.12.mlp.out.hook_out", Site("mlp_out", 12)),
        ("blocks.3.ln2.hook_normalized", None),
        ("hook_embed", None),
        ("", None),
    ],
)
def test_names_of_hooks(hook, site):
    assert site_of(hook) == site
