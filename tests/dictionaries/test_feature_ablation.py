"""Features taken away, scaled and added, against runs put together by hand; controls that are active as often."""

import numpy as np
import pytest
import torch
from asking import covering, pairs_for
from numpy.testing import assert_allclose, assert_array_equal
from tiny import FAMILIES

from interp import Edit, dictionaries
from interp.core.errors import CorpusError, OptionError
from interp.corpus.options import CorpusOptions
from interp.corpus.windows import Windows
from interp.dictionaries.cards import density
from interp.dictionaries.cards.density import as_often, densities
from interp.dictionaries.sae.attached import Attached

QUICK = {"windows": 2, "length": 32, "draws": 3}


def features_at(dictionary, prompts):
    """JumpReLU by hand."""
    weights = {name: value.double() for name, value in dictionary.sae.state_dict().items()}
    held = dictionary.model.record(prompts, [dictionary.site])[dictionary.site].double()
    before = (held.flatten(2) - weights["b_dec"]) @ weights["W_enc"] + weights["b_enc"]
    return held, torch.where(before > weights["threshold"], before.clamp(min=0), 0), weights["W_dec"]


def effect_of(dictionary, prompts, feature, where, factor, added):
    """What is held + (change of the feature) · its row."""
    held, features, rows = features_at(dictionary, prompts)
    now = features[..., feature]
    change = torch.where(where, factor * now + added - now, 0)
    value = held + (change[..., None] * rows[feature]).reshape(held.shape)
    run = dictionary.model.run(prompts, edits=[Edit.replace(dictionary.site, value)])
    return (prompts.metric(run.logits) - prompts.metric(dictionary.model.logits(prompts))).numpy()


CHANGES = [({}, 0, 0), ({"factor": 2.5}, 2.5, 0), ({"factor": 1, "steer": -3}, 1, -3)]


@covering(("family", FAMILIES), ("options, factor, added", CHANGES))
def test_by_hand(tiny, family, options, factor, added):
    model = tiny(family, "float64")
    prompts, dictionary = pairs_for(model, family).clean, dictionaries.attached(model)
    answers = prompts.answer_positions(model)
    _, features, rows = features_at(dictionary, prompts)
    at_answer = torch.arange(prompts.width) == torch.tensor(answers)[:, None]
    for position, where in ((None, prompts.mask), (-1, at_answer)):
        data = dictionaries.feature_ablation(model, prompts, position=position, **options, **QUICK).data
        for row in range(2):
            feature = int(features[row, answers[row]].argmax())
            assert data.feature[row] == f"f1.z.{feature}"
            expected = effect_of(dictionary, prompts, feature, where, factor, added)[row]
            assert_allclose(data.effect[row], expected, atol=1e-9)
            assert_allclose(data.edited[row] - data.clean[row], expected, atol=1e-9)
            for draw, name in enumerate(data.control_feature.values[row]):
                other = int(name.rpartition(".")[2])
                assert other != feature
                same = added * float(rows[feature].norm() / rows[other].norm())
                control = effect_of(dictionary, prompts, other, where, factor, same)[row]
                assert_allclose(data.control[row, draw], control, atol=1e-9)
                assert data.control_active[row, draw] == bool((features[row, where[row], other] != 0).any())
            assert_allclose(data.activation[row], features[row, where[row], feature].max(), atol=1e-9)
            counted = data.control.values[row][np.ones(3, dtype=bool) if added else data.control_active.values[row]]
            stronger = [abs(control) >= abs(float(data.effect[row])) for control in counted]
            assert_allclose(data.as_strong[row], np.mean(stronger) if stronger else np.nan)


@pytest.mark.parametrize("factor", [2, 100])
def test_controls_are_active_as_often(tiny, tmp_path, monkeypatch, factor):
    """Densities counted by hand; those active on the prompt go first, whatever the seed; none is drawn twice."""
    model = tiny("llama", "float64")
    prompts, dictionary = pairs_for(model, "llama").clean, dictionaries.attached(model)
    monkeypatch.setattr(density, "FACTOR", factor)
    text = tmp_path / "text.txt"
    text.write_text("When Mary and John went to the store, John gave a drink to Mary. " * 8)
    windows = Windows.cut(model, str(text), windows=2, length=32)
    counted = (features_at(dictionary, windows)[1][:, 1:] != 0).sum((0, 1)).double()
    shares, likely = (counted / (2 * 31)).numpy(), ((counted + 0.5) / (2 * 31 + 1)).numpy()
    data, other = (
        dictionaries.feature_ablation(model, prompts, windows=2, length=32, draws=30, corpus=str(text), seed=seed).data
        for seed in (0, 1)
    )
    _, features, _ = features_at(dictionary, prompts)
    for row in range(2):
        feature = int(data.feature.values[row].rpartition(".")[2])
        assert_allclose(data.density[row], shares[feature])
        far = np.abs(np.log(likely / likely[feature]))
        active = (features[row] != 0)[prompts.mask[row]].any(0).numpy()
        near = [at for at in range(len(likely)) if at != feature and far[at] <= np.log(factor) + 1e-9]
        drawn, again = (
            [int(name.rpartition(".")[2]) for name in each.control_feature.values[row] if name]
            for each in (data, other)
        )
        assert sorted(drawn) == sorted(again) == near
        assert drawn != again or factor == 2  # where there may be one alone
        for order in (drawn, again):
            there = [bool(active[at]) for at in order]
            assert there == sorted(there, reverse=True)
        assert_array_equal(data.control_active.values[row], [*active[drawn], *[False] * (30 - len(drawn))])
        assert_allclose(data.control_density.values[row, : len(drawn)], shares[drawn])
        assert np.isnan(data.control.values[row, len(drawn) :]).all()
        assert np.isfinite(data.control.values[row, : len(drawn)]).all()


def test_controls_are_drawn_at_random():
    """From one seed to another each of those in the band comes first as often; the nearest have no precedence."""
    shares, active = torch.tensor([0.1, 0.101, 0.19, 0.06, 0.15, 0.3, 0.04]), torch.zeros(7, dtype=torch.bool)
    first = [as_often(shares, [0], active, 1, seed=seed)[0][0] for seed in range(2000)]
    counts = np.bincount(first, minlength=7)
    assert_array_equal(counts > 0, [False, True, True, True, True, False, False])
    assert_allclose(counts[1:5], 500, atol=100)  # five standard deviations
    active[[2, 3]] = True
    assert {as_often(shares, [0], active, 2, seed=seed)[0][0] for seed in range(50)} == {2, 3}
    for seed in range(20):
        both = [other for draw in as_often(shares, [0, 5], active, 9, seed=seed) for other in draw]
        assert len({0, 5, *both}) == 2 + len(both)
        assert set(both[1::2]) <= {2, 4}  # within a factor of two of 0.3


def test_a_feature_that_is_not_active(tiny):
    """Nothing is changed there, so that nothing is as strong; what is added is compared with every draw."""
    model = tiny("llama", "float64")
    prompts, dictionary = pairs_for(model, "llama").clean[[0]], dictionaries.attached(model)
    active = features_at(dictionary, prompts)[1][0, prompts.answer_positions(model)[0]]
    silent = int((active == 0).nonzero()[0, 0])
    asked = {"features": (silent,), "position": -1, "windows": 2, "length": 32, "draws": 12}
    data = dictionaries.feature_ablation(model, prompts, **asked).data
    assert data.activation.item() == 0
    assert np.isnan(data.as_strong.item())
    assert data.control_active.any()
    steered = dictionaries.feature_ablation(model, prompts, steer=4, **asked).data
    drawn = steered.control.values[0][np.isfinite(steered.control.values[0])]
    assert_allclose(steered.as_strong.item(), np.mean(np.abs(drawn) >= abs(steered.effect.item())))


def test_several_features_at_once(tiny):
    model = tiny("gpt2", "float64")
    prompts, dictionary = pairs_for(model, "gpt2").clean, dictionaries.attached(model)
    data = dictionaries.feature_ablation(model, prompts, features=(3, 11), **QUICK).data
    held, features, rows = features_at(dictionary, prompts)
    change = sum(-features[..., [f]] * rows[f] for f in (3, 11))
    run = model.run(prompts, edits=[Edit.replace(dictionary.site, held + change.reshape(held.shape))])
    assert_allclose(data.edited, prompts.metric(run.logits), atol=1e-9)
    assert set(data.feature.values) == {"f1.z.3 f1.z.11"}
    drawn = [int(f.rpartition(".")[2]) for name in data.control_feature.values[0] if name for f in name.split()]
    assert len(drawn) == len(set(drawn))
    assert not {3, 11} & set(drawn)


def test_left_as_it_is(tiny):
    """Factor 1 and nothing added changes nothing; without a question there are tokens and no effect."""
    model = tiny("qwen3", "float64")
    prompts = pairs_for(model, "qwen3").clean
    data = dictionaries.feature_ablation(model, prompts, factor=1, **QUICK).data
    assert_allclose(data.effect, 0, atol=1e-9)
    assert_allclose(data.control, 0, atol=1e-9)
    assert np.isnan(data.as_strong).all()
    unasked = dictionaries.feature_ablation(model, "The keys", steer=5, **QUICK)
    assert np.isnan(unasked.data.effect).all()
    assert np.isnan(unasked.data.as_strong).all()
    prob = model.logits(prompts)[1, 1].softmax(-1).sort(descending=True).values[:10]
    assert_allclose(unasked.data.clean_prob[0], prob, atol=1e-9)


def test_refusals(tiny):
    model = tiny("llama")
    prompts = pairs_for(model, "llama").clean
    for options, words in (
        ({"features": (24,)}, "features 0 to 23"), ({"features": (-1,)}, "greater than or equal to 0"),
        ({"position": 40}, "position = 40"), ({"steer": float("nan")}, "finite"), ({"draws": 0}, "draws"),
    ):  # fmt: skip
        with pytest.raises(OptionError, match=words):
            dictionaries.feature_ablation(model, prompts, **options)


def test_densities_are_counted_once(tiny, monkeypatch):
    """For every dictionary and corpus of a model; another corpus is counted anew."""
    model, counted = tiny("qwen2"), []
    features = Attached.features
    monkeypatch.setattr(Attached, "features", lambda *given: counted.append(1) or features(*given))
    prompts = pairs_for(model, "qwen2").clean
    first, again = (dictionaries.feature_ablation(model, prompts, length=40, windows=2, draws=2).data for _ in range(2))
    assert len(counted) == 1
    assert first.identical(again)
    dictionaries.feature_ablation(model, prompts, length=40, windows=3, draws=2)
    assert len(counted) == 2


def test_densities_of_the_same_weights(tiny, saved):
    """Two dictionaries that differ in k alone: each has its own, without the first position of every window."""
    model, options = tiny("llama"), CorpusOptions(windows=2, length=32)
    windows = Windows.cut(model, windows=2, length=32)
    shape = {"hook": "blocks.1.attn.hook_z", "model": model.name}
    for k in (2, 12):
        folder, _ = saved("topk", model.dims.heads * model.dims.d_head, k=k, **shape)
        dictionary = dictionaries.load(folder).attach(model)
        active = (dictionary.features(windows)[:, 1:] != 0).sum((0, 1)).double()
        assert_allclose(densities(dictionary, options, "").shares, active / (2 * 31))
    with pytest.raises(CorpusError, match="nothing is left"):
        densities(dictionary, CorpusOptions(windows=2, length=1), "")


@pytest.mark.parametrize("cards_first", [True, False])
def test_a_density_is_the_one_on_the_card(tiny, monkeypatch, cards_first):
    """Over the same text both say the same, and what; where there are cards nothing is counted again."""
    model, text = tiny("llama"), {"windows": 3, "length": 40}
    monkeypatch.setattr(density, "_CACHE", {})
    if not cards_first:
        monkeypatch.setattr(density, "_on_cards", lambda *given: None)
    else:
        monkeypatch.setattr(density, "batches", None)
    cards = dictionaries.feature_cards(model, **text)
    result = dictionaries.feature_ablation(model, pairs_for(model, "llama").clean, features=(5,), draws=2, **text)
    assert_allclose(result.data.density, float(cards.data.density.sel(feature=5)))
    assert result.data.attrs["densities"] in cards.measured
