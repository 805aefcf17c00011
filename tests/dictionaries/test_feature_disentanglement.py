"""Features as latents: their values token by token, and their scores by scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from interp.core.errors import DictionaryError
from interp.core.prompts import Prompts
from interp.dictionaries import attached, feature_disentanglement
from interp.models import Site


def test_features_are_scored_token_by_token(tiny):
    """Mutual information with whether a token begins a word, was seen before, and stands in the second half."""
    model = tiny("llama")
    texts = ["mary and john went to the store , john", "the keys are in the store and the book"]
    result = feature_disentanglement(model, texts, bins=4, draws=5, skip=1)
    dictionary = attached(model)
    features, rows = [], []
    for text in texts:
        prompt = Prompts.of(model, text)
        states = model.run(prompt, record=[Site("z", 1)])[Site("z", 1)].flatten(2)
        features.append(dictionary.sae.encode(states)[0, 1:].double().numpy())
        labels, count = prompt.labels[0], prompt.width
        rows += [
            (labels[at].startswith(" "), labels[at] in labels[:at], 2 * (at - 1) >= count - 1) for at in range(1, count)
        ]
    values, known = np.concatenate(features), np.array(rows, dtype=int)
    assert list(result.data["target"].values) == ["word", "seen", "half"]
    assert result.data.sizes["component"] == values.shape[1]
    assert result.data.attrs["dictionary"] == dictionary.name
    for target, codes in enumerate(known.T):
        shared = []
        for column in values.T:
            edges = np.quantile(column, [0.25, 0.5, 0.75])
            shared.append(mutual_info_score([(value > edges).sum() for value in column], codes))
        np.testing.assert_allclose(result.data["mutual_information"][target], shared, atol=1e-9)
        top, second = np.sort(shared)[::-1][:2]
        odds = np.bincount(codes) / len(codes)
        assert float(result.data["mig"][target]) == pytest.approx((top - second) / -np.sum(odds * np.log(odds)))


def test_a_dictionary_is_needed(tiny):
    with pytest.raises(DictionaryError, match="there is no dictionary 'other'"):
        feature_disentanglement(tiny("llama"), "mary and john", dictionary="other")
