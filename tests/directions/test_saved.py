"""Saved directions: their names and files, and what ablating them changes."""

import numpy as np
import pytest
import torch
from asking import pairs_for
from numpy.testing import assert_allclose

from interp.circuits import ablation
from interp.core.errors import ResultError, SiteError
from interp.core.nodes import Node
from interp.directions import Direction, from_probe, saved_directions
from interp.models import Edit, Site
from interp.probing import probe


def direction(model, seed=0, site=None):
    vector = np.random.default_rng(seed).normal(size=model.dims.d_model)
    site = site or Site("resid_pre", 1)
    return Direction(site, vector / np.linalg.norm(vector), model.name, model.weight_hash, "at random", 2.5)


def test_saved_and_loaded(tiny, tmp_path):
    model = tiny("llama")
    made = direction(model)
    name = made.save()
    assert Node.of(name) == made.node
    assert name.startswith("d1.resid_pre.")
    [there] = saved_directions(model)
    assert (there.site, there.made, there.distance, str(there.node)) == (made.site, "at random", 2.5, name)
    assert np.array_equal(there.vector, made.vector)
    assert direction(model, 1).node != made.node
    made.save(tmp_path / "mine.safetensors")
    assert np.array_equal(Direction.load(tmp_path / "mine.safetensors").vector, made.vector)


@pytest.mark.parametrize("how", ["zero", "mean", "resample"])
def test_only_the_components_along_them_are_replaced(tiny, how):
    model = tiny("llama", "float64")
    pairs = pairs_for(model, "llama")
    along = [direction(model, seed) for seed in (0, 1)]
    result = ablation(model, pairs, nodes=(*(each.save() for each in along), "m2"), how=how)

    site = along[0].site
    source = pairs.corrupted if how == "resample" else pairs.clean
    there = model.record(source, [site, Site("mlp_out", 2)])
    stream, mlp = there[site], there[Site("mlp_out", 2)]
    if how == "zero":
        stream, mlp = torch.zeros_like(stream), torch.zeros_like(mlp)
    if how == "mean":
        counts = source.mask.sum(-1)[:, None, None]
        stream, mlp = ((each * source.mask[..., None]).sum(1, keepdim=True) / counts for each in (stream, mlp))
    basis = np.linalg.qr(np.stack([each.vector for each in along], 1))[0]
    onto = torch.from_numpy(basis @ basis.T)

    def swapped(value):
        return value - value @ onto + (stream @ onto).expand_as(value)

    edits = [
        Edit.through(site, swapped),
        Edit.through(Site("mlp_out", 2), mlp.expand_as),
    ]
    assert_allclose(result.values("edited"), pairs.metric(model.run(pairs.clean, edits=edits).logits), atol=1e-9)


def test_of_another_model_or_not_saved(tiny):
    llama, gpt2 = tiny("llama"), tiny("gpt2")
    name = direction(llama).save()
    with pytest.raises(SiteError, match="no direction d1.resid_pre.* has been saved for .*; make it again"):
        ablation(gpt2, pairs_for(gpt2, "gpt2"), nodes=(name,))
    with pytest.raises(SiteError, match=r"is of .* \(weights .*\), not of"):
        direction(llama).require(gpt2)


def test_no_direction_at_all(tiny, tmp_path):
    model = tiny("llama")
    with pytest.raises(SiteError, match="length 2; divide it by that"):
        Direction(Site("resid_pre", 0), np.array([2.0, 0]), "", "", "")
    with pytest.raises(SiteError, match="there is no file"):
        Direction.load(tmp_path / "nothing")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(SiteError, match="is damaged"):
        Direction.load(tmp_path / "text")
    with pytest.raises(SiteError, match=r"write embed, .* or d18\.resid_pre\.0badcafe"):
        ablation(model, pairs_for(model, "llama"), nodes=("d1.resid_pre.xyz",))


def test_of_a_probe(tiny):
    model = tiny("llama", "float64")
    found = probe(model, labels="planted", n=8, items=60, changed=1, offsets=(0, 1), control="none")
    layers = model.dims.layers
    made = from_probe(found, layer=layers, pos=1)
    expected = found.data["direction"].isel(target=-1).sel(layer=layers, pos=1).values
    assert made.site == Site("resid_post", layers - 1)
    assert_allclose(made.vector, expected / np.linalg.norm(expected))
    assert from_probe(found, layer=0).site == Site("resid_pre", 0)
    assert "planted" in made.made
    assert made.distance == float(found.data["distance"].isel(target=-1).sel(layer=layers, pos=1))
    with pytest.raises(ResultError, match="this probe has no pos 5; choose one of 0, 1"):
        from_probe(found, layer=0, pos=5)
