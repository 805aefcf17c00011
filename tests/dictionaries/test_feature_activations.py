"""The features of a prompt, against the encoder written out from the folder's weights in float64."""

import json

import numpy as np
import pytest
import torch
from asking import pairs_for
from safetensors.torch import load_file
from tiny import FAMILIES

from interp import dictionaries
from interp.core.errors import DictionaryError


@pytest.mark.parametrize("family", FAMILIES)
def test_the_strongest_at_each_position(tiny, family):
    model = tiny(family, "float64")
    prompts = pairs_for(model, family).clean
    result = dictionaries.feature_activations(model, prompts, top=5)
    (folder,) = dictionaries.known(model).values()
    weights = {name: value.double() for name, value in load_file(folder / "sae_weights.safetensors").items()}
    site = dictionaries.load(folder).attach(model).site
    assert str(site) == "z[1]"
    for row, mask in enumerate(prompts.mask):
        held = model.run(prompts[[row]], record=[site])[site][0].flatten(1)
        told = result.data.isel(batch=row)
        for pos in range(int(mask.sum())):
            x = held[pos]
            before = (x - weights["b_dec"]) @ weights["W_enc"] + weights["b_enc"]
            f = torch.where(before > weights["threshold"], before.clamp(min=0), 0)
            missed = (x - f @ weights["W_dec"] - weights["b_dec"]).square().sum() / x.square().sum()
            active = sorted(np.flatnonzero(f.numpy()), key=lambda feature: -float(f[feature]))
            here = told.isel(pos=pos)
            found = [int(feature) for feature in here["feature"].values if feature >= 0]
            assert found == active[:5]
            np.testing.assert_allclose(here["activation"].values[: len(found)], f[found], atol=1e-9)
            assert int(here["active"]) == len(active)
            assert float(here["error"]) == pytest.approx(float(missed), abs=1e-9)
        assert (told["feature"].values[int(mask.sum()) :] == -1).all()


def test_without_a_dictionary_the_remedy_is_named(tiny, monkeypatch, tmp_path):
    model = tiny("llama")
    monkeypatch.setattr("interp.dictionaries.sae.catalogue.cache_folder", lambda kind: tmp_path)
    with pytest.raises(DictionaryError, match="no dictionary is known for .*interp train sae"):
        dictionaries.feature_activations(model, "The keys")


def test_known_by_the_weights_not_by_the_name(tiny, monkeypatch, tmp_path, cache_home):
    model, other = tiny("llama"), tiny("gpt2")
    assert list(dictionaries.known(model)) == ["llama-z1"]
    assert list(dictionaries.known(other)) == ["gpt2-z1"]
    folder = tmp_path / "dictionaries" / "damaged"
    folder.mkdir(parents=True)
    for text in ("", "[]", json.dumps({"metadata": {"weight_hash": 3}})):
        (folder / "cfg.json").write_text(text)
        monkeypatch.setattr("interp.dictionaries.sae.catalogue.cache_folder", lambda kind: tmp_path / kind)
        assert dictionaries.known(model) == {}
    with pytest.raises(DictionaryError, match="cannot be attached: .*reads 32 numbers|trained on"):
        dictionaries.attached(tiny("qwen2"), str(cache_home / "dictionaries" / "llama-z1"))


def test_a_name_that_nobody_knows_is_told_with_those_there_are(tiny):
    with pytest.raises(DictionaryError, match=r"no dictionary 'nowhere'; those known for .*: llama-z1; or give"):
        dictionaries.attached(tiny("llama"), "nowhere")
