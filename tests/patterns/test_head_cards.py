"""Head cards against loops over every pair of positions, and on heads whose card is known."""

from collections import defaultdict

import numpy as np
import pytest
from reading import sentences

import interp
from interp.core.errors import CorpusError
from interp.core.prompts import Prompts
from interp.patterns import head_cards
from interp.patterns.cards.attention_sums import AttentionSums
from interp.patterns.cards.distances import distance_bins, distance_names


def divergence(share, expected):
    return share * np.log(share / expected) if share else 0.0


@pytest.mark.parametrize("family", ["llama", "bert-masked"])
def test_a_card_is_its_pairs_counted(family, tiny):
    """Keys, queries, distances and strongest places of one head, pair by pair."""
    model, texts = tiny(family, "float64"), sentences(family, 5)
    prompts, layer, head, skip = Prompts.of(model, texts), 1, 2, 2
    result = head_cards(model, texts, skip=skip, top=6)
    card, site = result.card(layer, head), model.sites("pattern")[layer]
    keys, uniform, queries, counts = (defaultdict(float) for _ in range(4))
    distances, first, number, pairs = defaultdict(float), [], 0.0, []
    for row, pattern in enumerate(model.run(prompts, record=[site])[site][:, head].numpy()):
        length = int(prompts.mask[row].sum())
        for q in range(skip, length):
            seen = range(q + 1 if model.is_causal else length)
            first.append(pattern[q, 0])
            counts[prompts.labels[row][q]] += 1
            for k in seen:
                if k:
                    keys[prompts.labels[row][k]] += pattern[q, k]
                    uniform[prompts.labels[row][k]] += 1 / len(seen)
                    queries[prompts.labels[row][q]] += pattern[q, k]
                    distances[q - k] += pattern[q, k]
                    number += abs(q - k) * pattern[q, k]
                    pairs.append((pattern[q, k], row, q, k))
    total, even = sum(keys.values()), sum(uniform.values())
    np.testing.assert_allclose(card["first"], np.mean(first))
    np.testing.assert_allclose(card["distance_mean"], number / total)
    gains = {name: divergence(keys[name] / total, uniform[name] / even) for name in keys}
    best = sorted((name for name in gains if gains[name] > 0), key=lambda name: -gains[name])[:6]
    assert [row["key_token"] for row in card["keys"]] == best
    for row in card["keys"]:
        np.testing.assert_allclose(row["key_share"], keys[row["key_token"]] / total)
        np.testing.assert_allclose(row["key_uniform"], uniform[row["key_token"]] / even)
    for row in card["queries"]:
        name = row["query_token"]
        np.testing.assert_allclose(row["query_attention"], queries[name] / counts[name])
        np.testing.assert_allclose(row["query_frequency"], counts[name] / sum(counts.values()))
    np.testing.assert_allclose(sum(row["at_distance"] for row in card["distances"]), 1)
    assert card["distances"][1]["distance"] == "1"
    np.testing.assert_allclose(card["distances"][1]["at_distance"], distances[1] / total)
    by_window = [max(pair for pair in pairs if pair[1] == row) for row in range(len(texts))]
    strongest = sorted(by_window, reverse=True)
    for context, (attention, row, q, k) in zip(card["contexts"], strongest, strict=True):
        np.testing.assert_allclose(context["attention"], attention)
        assert (context["window"], context["query_at"], context["key_at"]) == (row, q, k)
        assert prompts.labels[row][k] in context["text"].partition("«")[2].partition("»")[0]


def test_a_compiled_head_looks_one_token_back():
    card = head_cards(interp.load("rasp/shift"), windows=20).card(0, 0)
    shares = {row["distance"]: row["at_distance"] for row in card["distances"]}
    assert shares["1"] == pytest.approx(1, abs=1e-4)
    assert card["distance_mean"] == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("width", [1, 2, 3, 9, 64])
def test_every_distance_has_its_bin(width):
    names, bins = distance_names(width, causal=False), distance_bins(width)
    for q in range(width):
        for k in range(width):
            name = names[bins[q, k]].lstrip("+")
            low, _, high = name.partition("–")
            assert int(low) <= abs(q - k) <= int(high or low)
            assert names[bins[q, k]].startswith("+") == (k > q)


def test_sums_merge(tiny):
    """Two halves are the whole."""
    model = tiny("llama", "float64")
    prompts = Prompts.of(model, sentences("llama", 4))
    statistic = AttentionSums(tuple(prompts.tokens[prompts.mask].unique().tolist()), prompts.width)
    whole, half = statistic.measure(model, prompts, 0), statistic.measure(model, prompts[:2], 0)
    half.add(statistic.measure(model, prompts[2:], 2))
    for name, total in whole.totals.items():
        np.testing.assert_allclose(half.totals[name], total, atol=1e-12)


def test_a_text_of_which_nothing_is_left_is_refused(tiny):
    with pytest.raises(CorpusError, match="no token is left after the first 50 positions"):
        head_cards(tiny("llama"), "to the store", skip=50)
