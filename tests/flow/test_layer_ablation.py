"""Layers skipped or linearised: runs that go on from where the layer would have ended, and the loss of such runs."""

from pathlib import Path

import numpy as np
import pytest
import torch

from interp import flow
from interp.core.errors import CorpusError, OptionError
from interp.core.prompts import Prompts
from interp.corpus import Windows
from interp.flow.depth.layer_maps import opened_maps
from interp.models import Site

TEXT = "Mary and John went to the store. The keys to the cabinet are on the table, and nobody has seen them. " * 20
SMALL = {"windows": 3, "tested": 2, "length": 24}


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return str(path)


@pytest.fixture(params=["llama", "gpt2", "gemma2", "gptj"])
def model(request, tiny):
    return tiny(request.param, "float64")


def onward(model, windows: Prompts, layer: int, stream: torch.Tensor) -> torch.Tensor:
    """Logits from a stream into a layer, or out of the last one."""
    if layer < model.dims.layers:
        return model.run(windows, start=(layer, stream)).logits
    return model.weights.unembedding(model.weights.normalised("final", None, stream))


def loss(logits: torch.Tensor, windows: Prompts, skip: int) -> torch.Tensor:
    """Every token's −log p, written out."""
    values = [
        -torch.log(logits[row, place].exp() / logits[row, place].exp().sum())[windows.tokens[row, place + 1]]
        for row in range(len(windows))
        for place in range(skip, windows.width - 1)
    ]
    return torch.stack(values)


def linearised(stream: torch.Tensor, after: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """The affine map nearest to what a layer adds, found with a column of ones, applied to x and added to it."""
    flat, d = stream[:, 1:].flatten(0, 1).numpy(), (after - stream)[:, 1:].flatten(0, 1).numpy()
    mean = flat.mean(0)
    matrix = np.linalg.lstsq(flat - mean, d - d.mean(0), rcond=1e-10)[0]
    return x + (x - torch.from_numpy(mean)) @ torch.from_numpy(matrix) + torch.from_numpy(d.mean(0))


def test_a_skipped_layer_passes_its_input_on(model, text):
    prompts = Prompts.of(model, "Mary and John").asking(model, "a", "b")
    found = flow.layer_ablation(model, prompts, corpus=text, skipped=(0,), **SMALL)
    trace = model.run(prompts, record=[Site("resid_pre", 0)])
    plain, edited = trace.logits, onward(model, prompts, 1, trace[Site("resid_pre", 0)])
    np.testing.assert_allclose(found.clean, prompts.metric(plain), atol=1e-9)
    np.testing.assert_allclose(found.edited, prompts.metric(edited), atol=1e-9)
    windows = Windows.cut(model, text, windows=5, length=24)[3:]
    trace = model.run(windows, record=[Site("resid_pre", 0)])
    before = loss(trace.logits, windows, 1)
    after = loss(onward(model, windows, 1, trace[Site("resid_pre", 0)]), windows, 1)
    np.testing.assert_allclose(found.loss, before.mean(), rtol=1e-6)
    np.testing.assert_allclose(found.loss_increase, (after - before).mean(), rtol=1e-5, atol=1e-7)
    low, high = found.data["loss_increase_interval"].values
    assert low <= found.loss_increase <= high


def test_a_linearised_layer_adds_its_affine_map(model, text):
    prompts = Prompts.of(model, "Mary and John").asking(model, "a", "b")
    layer = 1
    found = flow.layer_ablation(model, prompts, corpus=text, linearised=(layer,), **SMALL)
    sites = [Site("resid_pre", layer), Site("resid_post", layer)]
    fitted = model.run(Windows.cut(model, text, windows=3, length=24), record=sites)
    here = model.run(prompts, record=sites)[sites[0]]
    stream = linearised(fitted[sites[0]], fitted[sites[1]], here)
    np.testing.assert_allclose(found.edited, prompts.metric(onward(model, prompts, layer + 1, stream)), atol=1e-5)


def test_maps_are_fitted_once(tiny, text, monkeypatch):
    model = tiny("llama")
    path = flow.layer_maps(model, windows=3, length=24, corpus=text)
    monkeypatch.setattr("interp.flow.depth.layer_maps.gather", None)  # nothing is fitted again
    assert flow.layer_maps(model, windows=3, length=24, corpus=text) == path
    assert sorted(opened_maps(model, path)) == [*range(model.dims.layers)]
    found = flow.layer_ablation(model, "Mary", corpus=text, linearised=(0, 2), maps=path, **SMALL)
    assert "linearising 0, 2" in found.measured
    assert "loss on text" in found.measured


def test_files_of_maps_that_cannot_be_used(tiny, text, tmp_path):
    model = tiny("llama")
    path = flow.layer_maps(model, windows=3, length=24, corpus=text)
    with pytest.raises(CorpusError, match="other weights"):
        opened_maps(tiny("qwen3"), path)
    with pytest.raises(CorpusError, match="there is no file of layer maps at"):
        opened_maps(model, str(tmp_path / "none.npz"))
    broken = tmp_path / "broken.npz"
    broken.write_bytes(Path(path).read_bytes()[:200])
    with pytest.raises(CorpusError, match="broken.npz"):
        opened_maps(model, str(broken))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"skipped": (7,)}, "has layers 0 to 2, not 7"),
        ({"skipped": (1,), "linearised": (1,)}, "layer 1 is both skipped and linearised"),
    ],
)
def test_refusals(options, message, tiny, text):
    with pytest.raises(OptionError, match=message):
        flow.layer_ablation(tiny("llama"), "Mary", corpus=text, **options, **SMALL)


def test_a_classifier_has_an_answer_and_no_loss(tiny, text):
    model = tiny("bert-classifier")
    found = flow.layer_ablation(model, "Mary", target=model.class_names[0], skipped=(0,), corpus=text, **SMALL)
    assert np.isfinite(found.edited).all()
    assert np.isnan(found.loss)
    assert "loss" not in found.measured
