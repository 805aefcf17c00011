"""Latents of a model, and what is known of its tokens."""

import numpy as np
import pytest

from interp.core.errors import CorpusError, OptionError
from interp.core.prompts import Prompts
from interp.corpus.harvest import States
from interp.corpus.labels import rule_places
from interp.probing import disentanglement


@pytest.mark.parametrize("latents", ["neurons", "heads", "stream"])
def test_latents_are_those_of_the_model(latents, tiny):
    """Heads by the norm of their weighted values."""
    model = tiny("llama", "float64")
    texts = ["mary and john went", "the keys are in the store"]
    result = disentanglement(model, texts, latents=latents, layer=1, draws=3)
    sizes = {"neurons": model.dims.d_mlp, "heads": model.dims.heads, "stream": model.dims.d_model}
    assert result.data.sizes["component"] == sizes[latents]
    assert list(result.data["target"].values) == ["word", "seen", "half"]
    with pytest.raises(OptionError, match="has layers 0 to 2"):
        disentanglement(model, "mary and john", layer=3)
    with pytest.raises(CorpusError, match="no token is left"):
        disentanglement(model, "mary", skip=60)


def test_rows_of_a_site(tiny):
    model = tiny("gpt2", "float64")
    prompts = Prompts.of(model, ["mary and john went", "the keys"])
    places, site = rule_places(prompts, 0), model.sites("z")[1]
    rows = States(model, prompts, places, [site]).at(places, 0)
    for (row, pos), values in zip(places, rows, strict=True):
        one = model.run(prompts.texts[row], record=[site])[site][0, pos]
        np.testing.assert_allclose(values, one.flatten().detach(), atol=1e-12)


def test_labels_are_a_factor(tiny):
    result = disentanglement(tiny("llama"), labels="planted", n=20, draws=3)
    assert result.data["target"].values[0] == "label"
