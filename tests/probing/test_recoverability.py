"""Shares of tokens found again, token by token and from exact cases."""

import numpy as np
import pytest
from reading import sentences
from sklearn.linear_model import Ridge

from interp.core.errors import CorpusError
from interp.core.prompts import Prompts
from interp.corpus.harvest import States
from interp.corpus.labels import rule_places
from interp.probing import recoverability
from interp.probing.inversion import Vocabulary
from interp.probing.recoverability import _hits, ridge


def slow_hit(vector, token, embeddings):
    """Whether no embedding has a larger cosine with the vector, both less the mean, than the token's own."""
    vector, rows = vector - embeddings.mean(0), embeddings - embeddings.mean(0)
    cosines = [vector @ row / np.linalg.norm(vector) / np.linalg.norm(row) for row in rows]
    return int(np.argmax(cosines)) == token


def test_the_map_is_ridge_regression():
    random = np.random.default_rng(0)
    x, y, new = random.normal(size=(30, 6)) + 3, random.normal(size=(30, 6)), random.normal(size=(5, 6))
    alpha = 0.2 * np.square(x - x.mean(0)).sum() / 6
    np.testing.assert_allclose(ridge(x, y, 0.2)(new), Ridge(alpha=alpha).fit(x, y).predict(new))


@pytest.mark.parametrize("family", ["llama", "gemma3", "gpt2"])
def test_shares_token_by_token(family, tiny):
    model, texts = tiny(family, "float64"), sentences(family, 6)
    data = recoverability(model, texts, skip=2, descents=0).data
    prompts, embeddings = Prompts.of(model, texts), Vocabulary.of(model).embeddings.numpy()
    places = rule_places(prompts, 2)
    halves = [[place for place in places if place[0] % 2 == half] for half in (0, 1)]
    states = States(model, prompts, places)
    tokens = [[int(prompts.tokens[place]) for place in half] for half in halves]
    for layer in range(model.dims.layers + 1):
        image = ridge(states.at(halves[0], layer), embeddings[tokens[0]], 1e-3)(states.at(halves[1], layer))
        for name, rows in (("linear", image), ("state", states.at(halves[1], layer))):
            share = np.mean([slow_hit(row, token, embeddings) for row, token in zip(rows, tokens[1], strict=True)])
            assert data[name][layer] == pytest.approx(share)
    assert np.isnan(data["descent"].values).all()


def test_embeddings_are_found_again(tiny):
    """At the first stream of a model without position embeddings the state is the embedding; the descent is easy."""
    data = recoverability(tiny("llama", "float64"), sentences("llama", 6), descents=4, steps=60).data
    assert data["state"][0] == 1
    assert data["descent"][0] == 1
    assert (data["linear_interval"].values[:, 0] <= data["linear"]).all()


def test_an_image_at_the_mean_finds_nothing(tiny):
    model = tiny("llama", "float64")
    prompts, vocabulary = Prompts.of(model, "mary and john"), Vocabulary.of(model)
    rows = vocabulary.embeddings.double().mean(0).expand(3, -1).numpy()
    assert not _hits(rows, prompts, [(0, 0), (0, 1), (0, 2)], vocabulary).any()
    own = vocabulary.embeddings[prompts.tokens[0]].double().numpy()
    assert _hits(own, prompts, [(0, at) for at in range(prompts.width)], vocabulary).all()


def test_what_is_too_short(tiny):
    with pytest.raises(CorpusError, match="no token is left"):
        recoverability(tiny("llama"), "mary", skip=20)
    alone = recoverability(tiny("llama"), "mary and john went")
    assert np.isnan(alone.values("linear")).all()
    assert np.isfinite(alone.values("state")).all()
    assert np.isfinite(alone.values("descent")).all()
