"""Text spans against the algorithm on outputs written out, and on heads whose directions are planted."""

import numpy as np
import pytest
import torch
from reading import sentences

from interp.core.errors import CorpusError, OptionError
from interp.core.prompts import Prompts
from interp.models import Site
from interp.patterns import head_text_spans
from interp.patterns.head_text_spans import token_directions
from interp.patterns.spans import spans


def slow_spans(outputs, directions, top):
    """Algorithm 1 with outputs and directions both projected, directions of unit length again at every step."""
    outputs, directions = outputs - outputs.mean(0), directions.copy()
    total, chosen, explained = (outputs**2).sum(), [], []
    for _ in range(top):
        lengths = np.linalg.norm(directions, axis=0)
        unit = np.where(lengths > 1e-3, directions / np.maximum(lengths, 1e-12), 0)
        variances = ((outputs @ unit) ** 2).sum(0)
        best = int(variances.argmax())
        u = unit[:, best]
        chosen.append(best)
        explained.append(variances[best] / total)
        outputs = outputs - np.outer(outputs @ u, u)
        directions = directions - np.outer(u, u @ directions)
    return chosen, np.cumsum(explained)


@pytest.mark.parametrize("family", ["llama", "gptneox"])
def test_agrees_with_the_algorithm(family, tiny):
    model, texts = tiny(family, "float64"), sentences(family, 8)
    prompts, site, skip = Prompts.of(model, texts), Site("head_out", 1), 1
    result = head_text_spans(model, prompts, top=4, skip=skip, heads=("1.2",)).data
    outputs = model.run(prompts, record=[site])[site][:, skip:, 2][prompts.mask[:, skip:]].numpy()
    directions = token_directions(model).numpy()
    chosen, explained = slow_spans(outputs, directions, 4)
    assert result["token"].values[0].tolist() == [model.token_label(token) for token in chosen]
    np.testing.assert_allclose(result["explained"][0], explained, rtol=1e-6)
    values = np.linalg.svd(outputs - outputs.mean(0), compute_uv=False) ** 2
    np.testing.assert_allclose(result["best_explained"][0], np.cumsum(values)[:4] / values.sum(), rtol=1e-6)
    first = directions[:, chosen[0]]
    np.testing.assert_allclose(result["mean"][0, 0], (outputs @ first).mean(), rtol=1e-6)
    np.testing.assert_allclose(result["sd"][0, 0], (outputs @ first).std(), rtol=1e-6)
    assert (result["explained"] <= result["best_explained"] + 1e-9).all()


def test_a_token_direction_raises_its_own_logit_against_the_mean(tiny):
    """Along it the logit less the mean logit grows fastest: the gradient of a frozen final norm."""
    model = tiny("gptneox", "float64")
    gain, _ = model.weights.norm("ln_final", None)
    stream = torch.randn(model.dims.d_model, dtype=torch.float64, requires_grad=True)
    logits = ((stream - stream.mean()) * gain) @ model.weights.unembedding()
    (gradient,) = torch.autograd.grad(logits[7] - logits.mean(), stream)
    assert torch.allclose(gradient / gradient.norm(), token_directions(model)[:, 7])


def test_a_head_that_writes_two_directions_has_exactly_these():
    generator = torch.Generator().manual_seed(0)
    pool = torch.nn.functional.normalize(torch.randn(24, 200, generator=generator, dtype=torch.float64), dim=0)
    factor = torch.stack([3 * pool[:, 17], 1.5 * pool[:, 42]])
    span = spans(factor, pool, 10)
    assert set(span.tokens) == {17, 42}
    assert span.variances.sum() == pytest.approx(span.total)


def test_a_planted_head_in_a_model(tiny, monkeypatch):
    """Its output weights write two tokens' directions, whatever it attends to."""
    model = tiny("llama", "float64")
    directions, planted = token_directions(model), [5, 30]
    write = model.weights.output(1).clone()
    write[2] = 0
    write[2, 0], write[2, 1] = 4 * directions[:, planted[0]], directions[:, planted[1]]
    original = type(model.weights).output
    monkeypatch.setattr(
        type(model.weights), "output", lambda self, layer: write if layer == 1 else original(self, layer)
    )
    result = head_text_spans(model, sentences("llama", 8), heads=("a1.2",)).data
    tokens = [token for token in result["token"].values[0] if token]
    assert set(tokens) == {model.token_label(token) for token in planted}
    assert float(result["explained"][0, 1]) == pytest.approx(1)
    assert float(result["random_explained"][0, 1]) < 0.9


def test_what_cannot_be_named_is_refused(tiny):
    with pytest.raises(CorpusError, match="no token is left after the first 50 positions"):
        head_text_spans(tiny("llama"), "the store", skip=50)
    with pytest.raises(OptionError, match=r"heads = '3.x': .* has heads 0.0 to 2.3"):
        head_text_spans(tiny("llama"), "to the store", heads=("3.x",))
