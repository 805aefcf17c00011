"""Bilinear readings: exact where the MLP is bilinear, and against the form and the fits written out."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from asking import prompts_for
from tiny import FAMILIES, write_family

import interp
from interp.core.errors import EngineError, OptionError
from interp.core.prompts import Prompts
from interp.corpus.options import windows_of
from interp.knowledge import bilinear_reading
from interp.knowledge.bilinear_reading import affine_fit
from interp.models import HookedModel, Site
from interp.readout import direct_logit_attribution

TEXT = "When Mary and John went to the store"


@pytest.fixture(scope="module")
def bilinear(tmp_path_factory) -> HookedModel:
    """A tiny Llama whose gates are linear."""
    plain = FAMILIES["llama"]

    def config(vocabulary):
        changed: Any = plain.config(vocabulary)
        changed.hidden_act = "linear"
        return changed

    folder = write_family(replace(plain, config=config), tmp_path_factory.mktemp("bilinear"))
    return interp.load(str(folder), dtype="float64")


@pytest.mark.parametrize("layer", [0, 2])
def test_a_bilinear_mlp_is_read_exactly(layer, bilinear):
    """Nothing remains, the fits are exact, and all eigenvectors add up to the MLP's own direct contribution."""
    prompts = Prompts.of(bilinear, [TEXT, "The keys"], target=" Mary", contrast=" John")
    result = bilinear_reading(bilinear, prompts, layer=layer, top=bilinear.dims.d_model, windows=4).data
    assert float(result["fit"]) == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(result["slope"], 1, atol=1e-9)
    assert np.abs(result["missed"]).max() < 1e-8
    np.testing.assert_allclose(result["contribution"].sum("rank"), result["quadratic"], atol=1e-9)
    whole = direct_logit_attribution(bilinear, prompts).data["contribution"].sel(component=f"m{layer}")
    np.testing.assert_allclose(result["total"], whole, atol=1e-9)
    np.testing.assert_allclose(result["quadratic"] + result["linear"] + result["bias"], whole, atol=1e-8)


def test_the_form_is_that_of_its_definition(bilinear):
    """B = ½ Σ c (w vᵀ + v wᵀ), neuron by neuron, with u from a frozen RMS norm."""
    prompt = Prompts.of(bilinear, TEXT, target=" Mary", contrast=" John")
    result = bilinear_reading(bilinear, prompt, layer=1, windows=4, top=4).data
    sites = [Site("ln_final_scale"), Site("ln2_out", 1)]
    trace = bilinear.run(prompt, record=sites)
    assert prompt.metric is not None
    assert prompt.metric.contrasts is not None
    unembedding = bilinear.weights.unembedding().numpy()
    u = unembedding[:, prompt.metric.targets[0][0]] - unembedding[:, prompt.metric.contrasts[0][0]]
    u = u * bilinear.weights.norm("ln_final", None)[0].numpy() / trace[sites[0]][0, -1].numpy()
    weights, up = bilinear.weights, bilinear.weights.mlp_up(1)
    assert up is not None
    gate, up, out = weights.mlp_pre(1).matrix.numpy(), up.matrix.numpy(), weights.mlp_out(1).matrix.numpy()
    form = np.zeros((len(gate),) * 2)
    for neuron in range(out.shape[0]):
        pair = np.outer(gate[:, neuron], up[:, neuron])
        form += (out[neuron] @ u) * (pair + pair.T) / 2
    values, vectors = np.linalg.eigh(form)
    parts = values * (vectors.T @ trace[sites[1]][0, -1].numpy()) ** 2
    order = np.argsort(-np.abs(parts))[:4]
    np.testing.assert_allclose(result["contribution"][0], parts[order], rtol=1e-7)
    np.testing.assert_allclose(result["eigenvalue"][0], values[order], rtol=1e-7)


@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_a_gated_mlp_is_what_its_fits_say_and_the_rest_remains(family, tiny):
    """Parts and what is missed add up; the parts are the MLP with every activation replaced by its fit."""
    model = tiny(family, "float64")
    prompts = prompts_for(model, family)
    result = bilinear_reading(model, prompts, layer=1, windows=3).data
    assert 0 < float(result["fit"]) < 1
    whole = direct_logit_attribution(model, prompts).data["contribution"].sel(component="m1")
    np.testing.assert_allclose(result["total"], whole, atol=1e-9)
    parts = sum(result[name] for name in ("quadratic", "linear", "bias", "missed"))
    np.testing.assert_allclose(parts, whole, atol=1e-9)


def test_fits_are_least_squares_over_the_corpus(tiny):
    model, options = tiny("llama", "float64"), bilinear_reading.parse_options({"windows": 3, "layer": 1})
    result = bilinear_reading(model, TEXT, target=" Mary", layer=1, windows=3).data
    windows, site = windows_of(model, options), Site("mlp_pre", 1)
    gate = model.run(windows, record=[site])[site][:, 1:].flatten(0, 1)
    out, gate = model.weights.activation(gate).numpy(), gate.numpy()
    missed = whole = 0.0
    for neuron in range(gate.shape[1]):
        slope, intercept = np.polyfit(gate[:, neuron], out[:, neuron], 1)
        np.testing.assert_allclose(
            [result["slope"][neuron], result["intercept"][neuron]], [slope, intercept], rtol=1e-6
        )
        missed += np.square(out[:, neuron] - slope * gate[:, neuron] - intercept).sum()
        whole += np.square(out[:, neuron] - out[:, neuron].mean()).sum()
    np.testing.assert_allclose(result["fit"], 1 - missed / whole, rtol=1e-6)


def test_a_gate_that_does_not_vary_has_no_slope():
    constant = {"g": np.full(2, 30.0), "gg": np.full(2, 90.0), "a": np.full(2, 20.0), "ga": np.full(2, 60.0)}
    fit = affine_fit(constant | {"aa": np.full(2, 40.0), "tokens": np.asarray(10)})
    assert fit.slope.tolist() == [0, 0]
    assert fit.intercept.tolist() == [2, 2]
    assert fit.explained == 1


def test_refusals(tiny):
    with pytest.raises(EngineError, match="its MLPs are not gated"):
        bilinear_reading(tiny("gptneox"), TEXT, target=" Mary")
    with pytest.raises(OptionError, match=r"layer = 9: .* has layers 0 to 2"):
        bilinear_reading(tiny("llama"), TEXT, target=" Mary", layer=9)
