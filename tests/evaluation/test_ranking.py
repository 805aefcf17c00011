"""Agreement of methods: pair by pair with scipy's Spearman, and sets of tokens."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from making import prompts_of
from pydantic.dataclasses import dataclass
from scipy.stats import spearmanr

from interp.core.errors import OptionError
from interp.core.prompts import Prompts
from interp.evaluation import agreement_of
from interp.evaluation.ranking import agreement
from interp.kinds import Relevance


def relevance(count=3, seed=0):
    values = np.random.default_rng(seed).normal(size=(count, 2, 5))
    values[:, 1, 3:] = 0
    return {f"method {index}": each for index, each in enumerate(values)}


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("top", [1, 2, 9])
def test_every_pair_by_definition(count, top):
    prompts, found = prompts_of(), relevance(count)
    result = agreement_of(prompts, found, top=top).data
    for row, length in enumerate((5, 3)):
        assert result.chance_overlap.values[row] == min(top, length) / length
        for a, left in found.items():
            for b, right in found.items():
                x, y = left[row, :length], right[row, :length]
                cell = result.sel({"method": a, "other_method": b}).isel(batch=row)
                assert cell.rank_correlation.item() == pytest.approx(spearmanr(x, y).statistic)
                assert cell.magnitude_correlation.item() == pytest.approx(spearmanr(abs(x), abs(y)).statistic)
                tops = [set(np.argsort(-abs(values))[:top].tolist()) for values in (x, y)]
                assert cell.top_overlap.item() == pytest.approx(len(tops[0] & tops[1]) / min(top, length))


def test_the_reverse_and_the_opposite():
    found = relevance(1)["method 0"]
    result = agreement_of(prompts_of(), {"a": found, "−a": -found}).data.sel({"method": "a", "other_method": "−a"})
    assert result.rank_correlation.values == pytest.approx([-1, -1])
    assert result.magnitude_correlation.values == pytest.approx([1, 1])
    assert result.top_overlap.values == pytest.approx([1, 1])


def test_a_method_that_ranks_nothing_has_no_correlation():
    """No warning and no made-up number."""
    found = {**relevance(1), "flat": np.ones((2, 5))}
    result = agreement_of(prompts_of(), found).data.rank_correlation
    assert np.isnan(result.sel({"method": "flat"}).values).all()
    assert not np.isnan(result.sel({"method": "method 0", "other_method": "method 0"}).values).any()


def test_random_rankings_agree_by_chance():
    random, count = np.random.default_rng(0), 2000
    prompts = prompts_of((5,) * count, ("five tokens",) * count)
    result = agreement_of(prompts, {name: random.normal(size=(count, 5)) for name in "ab"}, top=2).data
    assert result.top_overlap.values[:, 0, 1].mean() == pytest.approx(result.chance_overlap.values[0], abs=0.02)
    assert result.rank_correlation.values[:, 0, 1].mean() == pytest.approx(0, abs=0.04)


def test_the_engine_runs_the_methods(tiny, stub_method, methods_are, by_token):
    model = tiny("llama")
    methods = [
        stub_method("one", by_token),
        stub_method("other", lambda prompts: -by_token(prompts)),
        stub_method("not for it", by_token, obstacle=lambda model: "it is too small"),
    ]
    methods_are(*methods)
    prompts = Prompts.of(model, ["The keys to the cabinet", "The keys"], target=" Mary", contrast=" John")
    result = agreement(model, prompts)
    assert list(result.data.method.values) == ["one", "other"]
    assert result.data.sel({"method": "one", "other_method": "other"}).rank_correlation.values == pytest.approx(
        [-1, -1]
    )
    assert list(agreement(model, prompts, methods=["other"]).data.method.values) == ["other"]
    with pytest.raises(OptionError, match="no attribution method 'none'; choose from one, other, not for it"):
        agreement(model, prompts, methods=["none"])
    methods_are(*methods[2:])
    assert agreement.obstacle(model) == "no attribution method supports it"


def test_a_method_may_carry_options(tiny, stub_method, methods_are):
    @dataclass(frozen=True)
    class Options:
        size: int = 1

    def run(model, prompts, metric, options):
        relevance = torch.arange(prompts.width).double().remainder(options.size).expand(len(prompts), -1)
        return Relevance.accounted(prompts, relevance, relevance.sum(-1), unit="logits", measured="made up")

    method = replace(stub_method("steps", None), run=run, options=Options)
    methods_are(method)
    model = tiny("llama")
    prompts = Prompts.of(model, "When Mary and John went to the", target=" Mary", contrast=" John")
    found = agreement(model, prompts, methods=["steps:size=2", "steps:size=3", "steps:size=2"]).data
    labels = ["steps:size=2", "steps:size=3"]
    assert list(found["method"].values) == labels
    places = np.arange(prompts.width)
    expected = spearmanr(places % 2, places % 3).statistic
    cell = found.rank_correlation.sel({"method": labels[0], "other_method": labels[1]})
    assert cell.item() == pytest.approx(expected)
    for wrong, message in (("steps:weight=2", "steps has no option 'weight'"), ("steps:size", "steps, size = ''")):
        with pytest.raises(OptionError, match=message):
            agreement(model, prompts, methods=[wrong])
