"""Ranks of patterns and weights by numpy, of whole matrices; planted ones exactly."""

import numpy as np
import pytest
import torch
from reading import sentences
from tiny import FAMILIES

from interp.core.prompts import Prompts
from interp.models import Edit, Site
from interp.models.attention import visible
from interp.patterns import attention_spectrum
from interp.patterns.spectra.ranks import ranks
from interp.readout import attention


def slow_ranks(matrix):
    """Of a whole matrix, as they are defined."""
    singular = np.linalg.svd(matrix)[1]
    shares = singular / singular.sum()
    effective = np.exp(-sum(p * np.log(p) for p in shares if p > 0))
    energy, fewest = np.sort(singular**2)[::-1], 1
    while energy[:fewest].sum() < 0.9 * energy.sum():
        fewest += 1
    return np.linalg.norm(matrix) ** 2 / singular[0] ** 2, effective, fewest


def of(result, matrix):
    frame = result.to_frame()
    return frame[frame["matrix"] == matrix]


COLUMNS = ["stable_rank", "effective_rank", "rank_90"]


@pytest.mark.parametrize("family", FAMILIES)
def test_patterns_agree_with_numpy(family, tiny):
    model, texts = tiny(family, "float64"), sentences(family, 3)
    result = attention_spectrum(model, texts)
    patterns = [attention(model, text).values("attention").values[0] for text in texts]
    for name, start in (("A", 0), ("A without first", 1)):
        for row in of(result, name).itertuples():
            each = [slow_ranks(pattern[row.layer, row.head, :, start:]) for pattern in patterns]
            np.testing.assert_allclose([getattr(row, c) for c in COLUMNS], np.mean(each, 0), rtol=1e-5)


@pytest.mark.parametrize("family", ["llama", "gpt2", "bert-masked", "qwen2"])
def test_weights_agree_with_numpy(family, tiny):
    """W_QK and W_OV as whole matrices of the stream, with the norm before them; MLPs as they are, and weighted."""
    model, text = tiny(family, "float64"), sentences(family, 1)
    result, width = attention_spectrum(model, text, skip=2), model.dims.d_model
    norm = model.layer_map.attention.norm_before
    centre = np.eye(width) - (1 / width if model.architecture.norm == "layer" else 0)
    for layer in range(model.dims.layers):
        factor = np.ones(width) if norm is None else model.weights.norm(norm.name, layer)[0].numpy()
        read = centre if norm is not None else np.eye(width)
        query, key, value = (
            [read @ (factor[:, None] * each.numpy()) for each in model.weights.projection(name, layer).matrix]
            for name in "qkv"
        )
        output, group = model.weights.output(layer).numpy(), len(query) // len(key)
        for head in range(model.dims.heads):
            whole = {
                "QK": query[head] @ key[head // group].T,
                "OV": value[head // group] @ output[head] @ centre,
            }
            for name, matrix in whole.items():
                row = of(result, name).query(f"layer == {layer} and head == {head}").iloc[0]
                np.testing.assert_allclose(row[COLUMNS].astype(float), slow_ranks(matrix), rtol=1e-6)
        neurons = model.run(text[0], record=[Site("mlp_post", layer)])[Site("mlp_post", layer)][0, 2:].detach().numpy()
        out = model.weights.mlp_out(layer).matrix.numpy()
        scaled = np.sqrt((neurons**2).mean(0))[:, None] * out
        for name, matrix in (("MLP out", out), ("MLP out, weighted", scaled)):
            row = of(result, name).query(f"layer == {layer}").iloc[0]
            np.testing.assert_allclose(row[COLUMNS].astype(float), slow_ranks(matrix), rtol=1e-6)


def test_planted_patterns(tiny):
    """A head that attends to the first key alone has rank one; one that attends to itself every rank there is."""
    model = tiny("llama", "float64")
    prompts = Prompts.of_tokens(model, [[5, 6, 7, 8, 9, 10, 3, 4]])

    def plant(scores):
        own = torch.eye(scores.shape[-1]).bool()
        planted = torch.full_like(scores, -1e9)
        planted[:, 0, :, 0] = planted[:, 1, own] = planted[:, 2:, :, :2] = 0
        return planted.where(visible(scores), scores)

    with model.edited([Edit.through(site, plant) for site in model.sites("scores")]):
        rows = of(attention_spectrum(model, prompts), "A").query("layer == 1")[COLUMNS].to_numpy()
    np.testing.assert_allclose(rows[0], 1)
    np.testing.assert_allclose(rows[1], 8)
    assert (rows[2] < 2.01).all()


def test_a_random_matrix_is_near_its_expectation():
    """A Gaussian's stable rank is about n / (1 + √(n / m))² · …: ‖G‖² over the square of its edge."""
    noise = torch.randn(100, 400, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    stable = ranks(torch.linalg.svdvals(noise))[0]
    assert stable == pytest.approx(100 * 400 / (10 + 20) ** 2, rel=0.05)


def test_zeros_have_no_rank():
    assert np.isnan(ranks(torch.zeros(4))).all()
