"""Depth pair by pair, and what it says of planted sets."""

import numpy as np
import pytest
from asking import some
from reading import sentences
from tiny import FAMILIES

from interp.core.prompts import Prompts
from interp.probing import depth_ranking
from interp.probing.depth_ranking import _depths, _p, _q, _with_a_token_changed


def slow_depth(x, others):
    """2 − mean cosine distance."""
    return 2 - np.mean([1 - x @ y / np.sqrt((x @ x) * (y @ y)) for y in others])


@some("family", FAMILIES, always=("llama", "bert-masked"))
def test_depths_pair_by_pair(family, tiny):
    model, texts = tiny(family, "float64"), sentences(family, 7)
    data = depth_ranking(model, [*texts, texts[0]]).data
    assert data.sizes["window"] == 7
    for layer, site in enumerate(model.stream_sites()):
        rows = [model.run(Prompts.of(model, text), record=[site])[site][0, -1].detach().numpy() for text in texts]
        mean, spread = np.mean(rows, 0), np.std(rows, 0)
        spread[spread < 1e-12] = np.inf
        for name, these in (("depth", rows), ("standardised_depth", (np.array(rows) - mean) / spread)):
            if not np.any(these):  # every text ends alike
                continue
            slow = [slow_depth(x, [y for j, y in enumerate(these) if j != i]) for i, x in enumerate(these)]
            np.testing.assert_allclose(data[name][layer], slow, atol=1e-9)
            apart = [min(np.linalg.norm(x - y) for j, y in enumerate(these) if j != i) for i, x in enumerate(these)]
            np.testing.assert_allclose(data[name.replace("depth", "nearest_distance")][layer], apart, atol=1e-9)


def test_an_opposite_outlier_is_last():
    random = np.random.default_rng(0)
    rows = random.normal(size=12) + 0.3 * random.normal(size=(40, 12))
    rows[17] = -rows.mean(0)
    assert _depths(rows, None, False)[0].argmin() == 17


def test_two_halves_of_one_set_are_alike_and_another_is_not():
    random = np.random.default_rng(0)
    centre = random.normal(size=12)
    draw = lambda spread, count: centre + spread * random.normal(size=(count, 12))  # noqa: E731
    q = [_q(*_depths(draw(1, 60), draw(1, 60), False))[0] for _ in range(60)]
    p = [_p(*_depths(draw(1, 60), draw(1, 60), False)) for _ in range(200)]
    assert np.mean(q) == pytest.approx(0.5, abs=0.03)
    assert np.mean(np.array(p) < 0.1) == pytest.approx(0.1, abs=0.07)
    wide = _depths(draw(1, 60), draw(4, 60), False)
    assert _q(*wide)[2] < 0.4
    assert _p(*wide) < 1e-3


def test_q_is_its_definition():
    random = np.random.default_rng(1)
    own, other = random.random(9), random.random(5)
    slow = np.mean([np.mean([f <= g for f in own]) for g in other])
    assert _q(own, other)[0] == pytest.approx(slow)


def test_a_second_corpus(tiny, tmp_path):
    text = tmp_path / "a.txt"
    text.write_text("the keys are in the cabinet " * 30)
    result = depth_ranking(tiny("llama"), windows=6, length=16, other=str(text))
    assert set(result.data) >= {"q", "q_interval", "p_value", "standardised_q"}
    assert "a.txt among them" in result.measured
    alone = depth_ranking(tiny("llama"), "mary and john")
    assert np.isnan(alone.values("depth")).all()


def test_one_token_is_another_and_the_distance_is_that_of_its_run(tiny):
    model = tiny("llama", "float64")
    prompts = Prompts.of(model, sentences("llama", 5))
    changed = _with_a_token_changed(prompts, model.vocabulary_size, 0)
    assert ((changed.tokens != prompts.tokens) & prompts.mask).sum(1).tolist() == [1] * 5
    assert (changed.tokens == prompts.tokens)[~prompts.mask].all()
    data = depth_ranking(model, prompts).data
    for row, end in enumerate(prompts.mask.sum(1).tolist()):
        states = [model.run(Prompts.of_tokens(model, [each.tokens[row, :end].tolist()]), record=model.stream_sites())
                  for each in (prompts, changed)]  # fmt: skip
        for layer, site in enumerate(model.stream_sites()):
            one, other = (state[site][0, -1] for state in states)
            assert data["changed_distance"][layer, row] == pytest.approx(float((one - other).norm()), abs=1e-9)
