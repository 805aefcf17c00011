"""Layers left out, and blocks replaced by a map, against plain edits and plain least squares."""

import numpy as np
import pytest
import torch
from flow.plain import added, next_token_loss
from reading import sentences

import interp
from interp.core.errors import OptionError
from interp.core.prompts import Prompts
from interp.flow.depth.cosine_map import Around
from interp.models import Edit, Site

SKIP = 1


def rise(model, prompts, rows, edits):
    """Of the mean loss over the tokens of some prompts."""
    changed = np.concatenate([next_token_loss(model, prompts, row, SKIP, edits) for row in rows])
    return changed.mean() - np.concatenate([next_token_loss(model, prompts, row, SKIP) for row in rows]).mean()


@pytest.mark.parametrize("family", ["llama", "gemma3", "gptneox"])
def test_without_layers(family, tiny):
    """The layers told as removed, by edits that put back the stream into each."""
    model = tiny(family, "float64")
    prompts = Prompts.of(model, sentences(family, 8))
    data = interp.flow.layer_removal(model, prompts, tested=2, most=3, draws=2).data
    assert data.sizes["count"] == min(3, model.dims.layers)
    for order in data["order"].values:
        gone = data["removed"].sel(order=order).values
        assert len(set(gone)) == len(gone)
        for count in data["count"].values:
            edits = [edit for layer in gone[:count] for edit in added(layer, "block", torch.zeros_like)]
            loss = data["loss"].sel(order=order, count=count)
            np.testing.assert_allclose(loss, rise(model, prompts, (6, 7), edits), atol=1e-9)
    assert data["removed"].sel(order="deepest first").values[0] == model.dims.layers - 1
    influence = interp.flow.layer_redundancy(model, prompts[:6], losses=()).data["influence"].sel(part="block").values
    assert data["removed"].sel(order="influence").values[0] == influence.argmin()
    ends = data["random_loss"].values[:, -1]  # all layers are gone, in whatever order
    np.testing.assert_allclose(ends, data["loss"].values[0, -1], atol=1e-12)


def of_tokens(model, prompts, rows, site):
    with torch.no_grad():
        values = [model.run(prompts[[row]], record=[site])[site][0, SKIP:].numpy() for row in rows]
    return np.concatenate(values)


@pytest.mark.parametrize("family", ["llama", "gptneox", "gpt2"])
def test_the_map(family, tiny):
    """Distances by definition; T by numpy's least squares; the run with it by edits."""
    model = tiny(family, "float64")
    prompts = Prompts.of(model, sentences(family, 16))
    data = interp.flow.block_replacement(model, prompts, tested=2, remove=1).data
    layers, fitted = model.dims.layers, range(14)
    out = [of_tokens(model, prompts, range(16), Site("resid_post", layer)) for layer in range(layers)]
    for layer in range(layers - 1):
        for count in range(1, layers):
            cell = data["distance"].sel(layer=layer, count=count)
            if layer + count >= layers:
                assert np.isnan(cell)
                continue
            cosine = [x @ y / np.sqrt((x @ x) * (y @ y)) for x, y in zip(out[layer], out[layer + count], strict=True)]
            np.testing.assert_allclose(cell, np.mean(np.arccos(cosine)) / np.pi, rtol=1e-6)
        write, after, later = (
            of_tokens(model, prompts, fitted, Site(name, at))
            for name, at in (("mlp_write", layer), ("resid_post", layer), ("resid_post", layer + 1))
        )
        target = later - (after - write)
        fold = np.linalg.lstsq(write, target, rcond=None)[0]
        np.testing.assert_allclose(write.T @ (target - write @ fold), 0, atol=1e-6)  # normal equations
        gone = added(layer + 1, "block", torch.zeros_like)
        mapped = Edit.through(Site("mlp_write", layer), lambda out, fold=fold: out @ torch.from_numpy(fold))
        for name, rows, edits in (
            ("loss_removed", (14, 15), gone),
            ("loss_mapped", (14, 15), [mapped, *gone]),
            ("loss_mapped_fitted", (0, 1), [mapped, *gone]),
        ):
            np.testing.assert_allclose(data[name][layer], rise(model, prompts, rows, edits), atol=1e-7)
    best = int(data.attrs["best"])
    assert best == data["distance"].sel(count=1).values[: layers - 1].argmin()
    np.testing.assert_allclose(data["loss_folded"], data["loss_mapped"][best], atol=1e-9)
    assert data["folding_error"] < 1e-12


@pytest.mark.parametrize("family", ["llama", "gptneox"])
def test_the_map_by_cosines(family, tiny):
    """Distances token by token, nearer than by least squares; the run with it by edits."""
    model = tiny(family, "float64")
    prompts = Prompts.of(model, sentences(family, 16))
    options = {"tested": 2, "remove": 1, "cosine_steps": 40}
    data = interp.flow.block_replacement(model, prompts, **options).data
    best = int(data.attrs["best"])
    states = Around.of(model, prompts[:14], best, best + 1, SKIP)
    write, after, later = (
        of_tokens(model, prompts, range(14), Site(name, at))
        for name, at in (("mlp_write", best), ("resid_post", best), ("resid_post", best + 1))
    )
    fold = np.linalg.lstsq(write, later - (after - write), rcond=None)[0]
    matrix, first, last = states.trained(fold, 40, 1e-3)
    for name, each in (("least_squares_cosine_distance", fold), ("cosine_distance", matrix)):
        mapped = write @ each + (after - write)
        cosines = [x @ y / np.sqrt((x @ x) * (y @ y)) for x, y in zip(mapped, later, strict=True)]
        np.testing.assert_allclose(data[name], 1 - np.mean(cosines), rtol=1e-6)
    assert last < first
    mapped = Edit.through(Site("mlp_write", best), lambda out: out @ torch.from_numpy(matrix))
    edits = [mapped, *added(best + 1, "block", torch.zeros_like)]
    np.testing.assert_allclose(data["loss_cosine"], rise(model, prompts, (14, 15), edits), atol=1e-6)


def test_cosines_find_a_map_that_lengths_hide():
    """The later stream is the mapped one, each token's at a length of its own, which least squares cannot meet."""
    random = np.random.default_rng(0)
    write, rest, planted = (random.normal(size=size) for size in ((200, 4), (200, 4), (4, 4)))
    later = (write @ planted + rest) * random.uniform(0.2, 5, size=(200, 1))
    states = Around(*map(torch.from_numpy, (write, rest, later)))
    fold = np.linalg.lstsq(write, later - rest, rcond=None)[0]
    matrix, first, last = states.trained(fold, 2000, 0.01)
    assert first > 0.02
    assert last < 1e-6
    np.testing.assert_allclose(matrix, planted, atol=1e-2)


def test_a_map_that_is_the_identity(tiny):
    """Where the blocks that go add nothing, L − Y is M itself, and the map changes nothing."""
    model = tiny("llama", "float64")
    prompts = Prompts.of(model, sentences("llama", 16))
    with model.edited(added(1, "block", torch.zeros_like)):
        data = interp.flow.block_replacement(model, prompts, tested=2, remove=1).data
    assert abs(float(data["loss_removed"][0])) < 1e-12
    assert abs(float(data["loss_mapped"][0])) < 1e-9
    assert int(data.attrs["best"]) == 0


def test_refusals(tiny):
    with pytest.raises(OptionError, match="remove = 3: .* has 3 layers"):
        interp.flow.block_replacement(tiny("llama"), sentences("llama", 4), remove=3)
    assert "a norm stands behind" in interp.flow.block_replacement.obstacle(tiny("gemma3"))
    assert "mixtures of experts" in interp.flow.block_replacement.obstacle(tiny("mixtral"))
