"""Causal tracing against plain runs, one state at a time, and its endpoints."""

import numpy as np
import pytest
import torch
from asking import pairs_for

from interp.core.errors import OptionError, PromptError
from interp.core.prompts import Prompts
from interp.knowledge import causal_tracing
from interp.knowledge.causal_tracing import _noise
from interp.knowledge.subjects import subject_positions
from interp.models import Edit, Site

TEXT = "When Mary and John went to the store"


def asking(model):
    return Prompts.of(model, TEXT, target=" Mary", contrast=" John")


@pytest.mark.parametrize(("site", "window"), [("resid_post", 1), ("mlp_out", 2), ("attn_out", 3)])
def test_agrees_with_plain_runs(site, window, tiny):
    model = tiny("gptneox", "float64")
    prompt, options = asking(model), causal_tracing.parse_options({"draws": 3})
    result = causal_tracing(model, prompt, site=site, window=window, draws=3, subject="John", batch_tokens=64).data
    places = [at for at, label in enumerate(prompt.labels[0]) if "John" in label]
    noise = _noise(model, len(places), options)
    sites = model.sites(site)
    clean = model.run(prompt, record=sites)
    metric = prompt.metric
    assert metric is not None
    np.testing.assert_allclose(result["clean"], metric(clean.logits))
    for layer, pos in ((0, 1), (1, 3), (2, prompt.width - 1)):
        effects = []
        for draw in range(3):
            edits = [Edit.add(Site("embed"), noise[draw], pos=places)]
            corrupted = float(metric(model.run(prompt, edits=edits).logits))
            near = range(max(0, layer - window // 2), min(3, layer + (window + 1) // 2))
            edits += [Edit.resample(sites[each], clean[sites[each]], pos=pos) for each in near]
            effects.append(float(metric(model.run(prompt, edits=edits).logits)) - corrupted)
        np.testing.assert_allclose(result["effect"][0, layer, pos], np.mean(effects), atol=1e-9)


def test_the_endpoints_are_clean_and_corrupted(tiny):
    """The last stream at the answer brings all back; a position before the subject nothing; no noise takes nothing."""
    model = tiny("llama", "float64")
    prompt = asking(model)
    result = causal_tracing(model, prompt, subject="John").data
    gone = float((result["clean"] - result["corrupted"]).item())
    assert abs(gone) > 1e-3
    np.testing.assert_allclose(result["effect"][0, -1, -1], gone, atol=1e-9)
    first = int(np.flatnonzero(result["subject"].values[0])[0])
    np.testing.assert_allclose(result["effect"][0, :, :first], 0, atol=1e-12)
    quiet = causal_tracing(model, prompt, subject="John", noise=0.0).data
    np.testing.assert_allclose(quiet["effect"], 0, atol=1e-12)
    np.testing.assert_allclose(quiet["corrupted"], quiet["clean"])


def test_the_subject_is_a_text_or_where_a_pair_differs(tiny):
    model = tiny("llama")
    pairs = pairs_for(model, "llama")
    differing = [
        [at for at in range(pairs.clean.width) if pairs.clean.tokens[row, at] != pairs.corrupted.tokens[row, at]]
        for row in range(2)
    ]
    assert subject_positions("x", pairs, "") == differing
    labels = pairs.clean.labels[0]
    assert "".join(labels[at] for at in subject_positions("x", pairs[[0]], "Mary and")[0]).strip() == "Mary and"
    with pytest.raises(OptionError, match="subject = 'Paris': it is not in the prompt"):
        causal_tracing(model, asking(model), subject="Paris")
    with pytest.raises(PromptError, match="needs the subject"):
        causal_tracing(model, asking(model))


def test_the_noise_has_the_spread_that_is_asked_for(tiny):
    model = tiny("llama", "float64")
    options = causal_tracing.parse_options({"noise": 2.0, "draws": 50})
    noise = _noise(model, 40, options)
    spread = model.weights.embedding(torch.arange(model.vocabulary_size)).std()
    assert float(noise.std() / spread) == pytest.approx(2, rel=0.02)
    assert torch.equal(noise[:, :3], _noise(model, 3, options))
