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


@pytest.mark.parametrize(
    ("site", "window", "severed"),
    [
        ("resid_post", 1, None), ("mlp_out", 2, None), ("attn_out", 3, None), ("resid_post", 1, "mlp_out"),
        ("resid_post", 1, "attn_out"), ("mlp_out", 2, "mlp_out"),
    ],
)  # fmt: skip
def test_agrees_with_plain_runs(site, window, severed, tiny):
    model = tiny("gptneox", "float64")
    prompt, options = asking(model), causal_tracing.parse_options({"draws": 3})
    result = causal_tracing(
        model, prompt, site=site, window=window, severed=severed, draws=3, subject="John", batch_tokens=64
    ).data
    places = [at for at, label in enumerate(prompt.labels[0]) if "John" in label]
    noise = _noise(model.weights.embedding(prompt.tokens[0, places]), options)
    sites = model.sites(site)
    clean = model.run(prompt, record=sites)
    metric = prompt.metric
    assert metric is not None
    np.testing.assert_allclose(result["clean"], metric(clean.logits))
    for layer, pos in ((0, 1), (1, 3), (2, prompt.width - 1)):
        effects = []
        for draw in range(3):
            edits = [Edit.add(Site("embed"), noise[draw], pos=places)]
            noisy = model.run(prompt, edits=edits, record=model.sites("mlp_out") + model.sites("attn_out"))
            corrupted = float(metric(noisy.logits))
            near = range(max(0, layer - window // 2), min(3, layer + (window + 1) // 2))
            edits += [Edit.resample(sites[each], clean[sites[each]], pos=pos) for each in near]
            for each in range(near.stop, 3) if severed else ():
                edits.append(Edit.resample(Site(severed, each), noisy[Site(severed, each)], pos=pos))
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


def test_without_a_contrast_the_probability_is_traced(tiny):
    """As the paper has it; with one, the logit difference. No batch changes a prompt's numbers."""
    model = tiny("llama", "float64")
    texts = [TEXT, "The store of John"]
    both = Prompts.of(model, texts, target=" Mary")
    result = causal_tracing(model, both, subject="John", draws=2)
    for row, text in enumerate(texts):
        probability = model.logits(text)[0, -1].softmax(-1)[both.metric.targets[row][0]]
        np.testing.assert_allclose(result.data["clean"][row], float(probability))
        alone = causal_tracing(model, Prompts.of(model, text, target=" Mary"), subject="John", draws=2).data["effect"]
        np.testing.assert_allclose(result.data["effect"][row, :, : alone.sizes["pos"]], alone[0], atol=1e-12)
    assert result.data["effect"].attrs["unit"] == "probability"
    assert causal_tracing(model, asking(model), subject="John", draws=1).data["effect"].attrs["unit"] == "logits"


def test_severing_nothing_later_changes_nothing(tiny):
    """Behind the last layer there is no MLP, and in earlier ones there is."""
    model = tiny("llama", "float64")
    plain, severed = (
        causal_tracing(model, asking(model), subject="John", draws=2, severed=part).data["effect"][0]
        for part in (None, "mlp_out")
    )
    np.testing.assert_allclose(severed[-1], plain[-1], atol=1e-12)
    assert float(abs(severed[0] - plain[0]).max()) > 1e-6


def test_the_noise_has_the_spread_that_is_asked_for(tiny):
    """Three standard deviations of the subject's embeddings, as the paper has it."""
    model = tiny("llama", "float64")
    options = causal_tracing.parse_options({"draws": 50})
    embedded = model.weights.embedding(torch.arange(40))
    noise = _noise(embedded, options)
    assert float(noise.std() / embedded.std()) == pytest.approx(3, rel=0.02)
    some = _noise(embedded[:3], options)
    torch.testing.assert_close(some / embedded[:3].std(), noise[:, :3] / embedded.std())
