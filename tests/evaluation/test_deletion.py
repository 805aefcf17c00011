"""Faithfulness: on a linear model whose curves are known, and on tiny models against plain loops."""

from math import ceil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from asking import prompts_for
from making import prompts_of
from tiny import FAMILIES

from interp.core.errors import Cancelled, OptionError, PromptError
from interp.core.intervals import bootstrap_mean
from interp.core.metric import Metric
from interp.core.progress import reporting
from interp.core.prompts import Prompts
from interp.evaluation import faithfulness_of
from interp.evaluation.deletion import FRACTIONS, SCORES, faithfulness

WEIGHTS = torch.tensor([0.0, 3.0, -1.0, 2.0, 0.5, 5.0, -2.0, 1.0, 4.0, 0.25, 0.0])  # by token; 0 is "nothing"


class Linear:
    """A model whose answer is the sum of its tokens' weights; token 10 is where the answer is read."""

    is_causal, name = True, "linear"
    tokenizer = SimpleNamespace(
        all_special_ids=[], all_special_tokens=[], unk_token_id=None, bos_token_id=None, eos_token_id=None,
        mask_token_id=0,
    )  # fmt: skip

    def run(self, prompts, *, edits=(), answer):
        assert not list(edits)
        return SimpleNamespace(logits=(WEIGHTS[prompts.tokens] * prompts.mask).sum(-1, keepdim=True).double())


METRIC = Metric(((0,),), None, (9,), ("answer",), None)


def linear_prompt() -> Prompts:
    tokens = torch.tensor([[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]])
    return Prompts(("ten tokens",), tokens, torch.ones(1, 10, dtype=torch.bool), (tuple("abcdefghij"),))


def evaluated(relevance, **options):
    options = {"removal": "token", "steps": 9, "orders": 40} | options
    return faithfulness_of(Linear(), linear_prompt(), METRIC, {"method": relevance}, **options).data.isel(batch=0)


def test_true_contributions_give_the_analytic_curves():
    """Without the k largest contributions what is left is the sum of the others; nothing falls faster."""
    found = evaluated(WEIGHTS[linear_prompt().tokens].double().numpy())
    true = np.sort(WEIGHTS[1:10].double().numpy())[::-1]
    morf = true.sum() - np.concatenate([[0], np.cumsum(true)])
    lerf = true.sum() - np.concatenate([[0], np.cumsum(true[::-1])])
    np.testing.assert_allclose(found.curve.sel({"method": "method", "order": "morf"}), morf)
    np.testing.assert_allclose(found.curve.sel({"method": "method", "order": "lerf"}), lerf)
    few = [ceil(fraction * 9) for fraction in FRACTIONS]
    assert few == [1, 1, 1, 2, 5]
    method = found.sel({"method": "method"})
    assert method.comprehensiveness.item() == pytest.approx(np.mean([true[:k].sum() for k in few]))
    assert method.sufficiency.item() == pytest.approx(np.mean([true[k:].sum() for k in few]))
    assert method.deletion_auc.item() == pytest.approx((morf.sum() - (morf[0] + morf[-1]) / 2) / 9)
    assert method.insertion_auc.item() == pytest.approx((lerf.sum() - (lerf[0] + lerf[-1]) / 2) / 9)
    assert method.beats_random.item() > 0.9
    assert found.beats_random.sel({"method": "random"}) == 0.5


def test_the_reverse_of_the_truth_is_as_bad_as_it_gets():
    true = WEIGHTS[linear_prompt().tokens].double().numpy()
    best, worst = evaluated(true).curve.values[0], evaluated(-true).curve.values[0]
    np.testing.assert_allclose(best, worst[::-1])
    assert evaluated(-true).beats_random.values[0] == 0


def test_the_control_is_the_mean_over_random_orders():
    """In a linear model a random order loses on average in proportion; its interval is the bootstrap's."""
    found = evaluated(np.arange(10.0)[None], orders=3000)
    total, at = WEIGHTS[1:10].sum().item(), found.fraction.values
    np.testing.assert_allclose(found.curve.sel({"method": "random"}).values, [total * (1 - at)] * 2, atol=0.2)
    assert (found.random.sel(bound="low").values <= found.curve.sel({"method": "random"}).values[0] + 1e-12).all()
    assert (found.random.sel(bound="high").values >= found.curve.sel({"method": "random"}).values[0] - 1e-12).all()
    low, high = np.moveaxis(found.control_interval.values, -1, 0)
    assert (low < found.control.values).all()
    assert (found.control.values < high).all()
    for name in SCORES:
        row = found.control.sel(score=name).item()
        assert found[name].sel({"method": "random"}).item() == row


def test_the_seed_chooses_the_orders():
    relevance = np.arange(10.0)[None]
    one, same, other = (evaluated(relevance, seed=seed).control.values for seed in (0, 0, 1))
    assert (one == same).all()
    assert (one != other).any()


def loops(model, prompt, relevance, options):
    """Every score by its definition: one order, one count, one prompt at a time."""
    metric, places = prompt.metric, free_places(model, prompt)
    token = model.encode_continuation(" to")[0] if model.is_causal else model.tokenizer.mask_token_id

    def value(gone):
        row = [token if place in gone else old for place, old in enumerate(prompt.tokens[0].tolist())]
        return metric(model.logits(Prompts.of_tokens(model, [row]))).item()

    def scores(order):
        """Comprehensiveness, sufficiency, and the two curves of one order of places, most relevant first."""
        n, clean = len(order), value([])
        few = [ceil(round(fraction * n, 9)) for fraction in FRACTIONS]
        comprehensiveness = sum(clean - value(order[:k]) for k in few) / len(few)
        sufficiency = sum(clean - value(order[k:]) for k in few) / len(few)
        counts = [int(step / options["steps"] * n + 0.5) for step in range(options["steps"] + 1)]
        curves = [[value(order[:k]) for k in counts], [value(order[n - k :]) for k in counts]]
        return comprehensiveness, sufficiency, curves

    return scores(sorted(places, key=lambda place: -relevance[place]))


def free_places(model, prompt):
    special = set(model.tokenizer.all_special_ids) - {getattr(model.tokenizer, "unk_token_id", None)}
    read = () if model.is_classifier else prompt.metric.positions
    return [p for p, token in enumerate(prompt.tokens[0].tolist()) if token not in special and p not in read]


@pytest.mark.parametrize("family", FAMILIES)
def test_by_definition(family, tiny, by_token):
    model = tiny(family, "float64")
    prompts = prompts_for(model, family)
    options = {"removal": "token", "replacement": " to" if model.is_causal else "", "steps": 4, "orders": 3}
    relevance = by_token(prompts).numpy()
    found = faithfulness_of(model, prompts, prompts.metric, {"mine": relevance}, batch_tokens=30, **options).data
    for row in range(2):
        comprehensiveness, sufficiency, curves = loops(model, prompts[[row]], relevance[row], options)
        mine = found.isel(batch=row).sel({"method": "mine"})
        assert mine.comprehensiveness.item() == pytest.approx(comprehensiveness, abs=1e-9)
        assert mine.sufficiency.item() == pytest.approx(sufficiency, abs=1e-9)
        np.testing.assert_allclose(mine.curve.values, curves, atol=1e-9)
        areas = [np.trapezoid(curve, np.linspace(0, 1, 5)) for curve in curves]
        assert [mine.deletion_auc.item(), mine.insertion_auc.item()] == pytest.approx(areas, abs=1e-9)


@pytest.mark.parametrize("removal", ["mean-embedding", "attention"])
@pytest.mark.parametrize("family", FAMILIES)
def test_curves_meet_where_all_and_none_are_gone(family, removal, tiny, by_token):
    """Every order begins at the metric of the prompt itself and ends at that of the empty one."""
    model = tiny(family, "float64")
    prompts = prompts_for(model, family)
    found = faithfulness_of(
        model, prompts, prompts.metric, {"a": by_token(prompts), "b": -by_token(prompts)}, removal=removal
    ).data
    clean = prompts.metric(model.logits(prompts)).numpy()
    np.testing.assert_allclose(
        found.curve.isel(fraction=0), np.broadcast_to(clean[:, None, None], (2, 3, 2)), atol=1e-9
    )
    assert np.ptp(found.curve.isel(fraction=-1).values, axis=(1, 2)) == pytest.approx([0, 0], abs=1e-9)
    np.testing.assert_allclose(
        found.curve.sel({"method": "a"}).values, found.curve.sel({"method": "b"}).values[:, ::-1]
    )


def test_the_engine(tiny, stub_method, methods_are, by_token):
    model = tiny("gpt2")
    methods_are(stub_method("one", by_token), stub_method("other", lambda p: -by_token(p)))
    prompts = Prompts.of(
        model, ["When Mary and John went to the store", "The keys to"], target=" Mary", contrast=" John"
    )
    result = faithfulness(model, prompts, orders=4)
    frame = result.to_frame()
    assert list(frame.columns) == ["batch", "method", "prompt", *SCORES, "beats_random"]
    assert list(frame.method) == ["one", "other", "random"] * 2
    assert list(faithfulness(model, prompts[[0]], methods=["other"]).to_frame().method) == ["other", "random"]
    assert set(result.to_frame("curve").columns) >= {"method", "order", "fraction", "curve", "random_lower"}
    summary = result.summary()
    assert list(summary.method) == ["one", "other", "random"]
    mean, low, high = bootstrap_mean(result.data.deletion_auc.values[:, 0])
    assert (summary.deletion_auc[0], summary.deletion_auc_low[0], summary.deletion_auc_high[0]) == (mean, low, high)
    assert set(result.summary("control").score) == set(SCORES)
    assert "comprehensiveness > 0" in result.sign


def test_refused(tiny, stub_method, methods_are, by_token):
    model = tiny("llama")
    methods_are(stub_method("one", by_token))
    asked = {"target": " Mary", "contrast": " John"}
    with pytest.raises(PromptError, match="no token of '<|endoftext|>The' can be removed"):
        faithfulness(model, "<|endoftext|>The", **asked)
    with pytest.raises(OptionError, match="no attribution method 'two'; choose from one"):
        faithfulness(model, "The keys to", methods=["two"], **asked)
    with pytest.raises(OptionError, match="mask token"):
        faithfulness(model, "The keys to", removal="token", **asked)
    with pytest.raises(OptionError, match="orders"):
        faithfulness(model, "The keys to", orders=1, **asked)


def test_progress_is_told_and_work_can_be_cancelled(tiny, stub_method, methods_are, by_token):
    model, told = tiny("llama"), []
    methods_are(stub_method("one", by_token))
    prompt = Prompts.of(model, "When Mary and John went to", target=" Mary", contrast=" John")
    with reporting(lambda *step: told.append(step)):
        faithfulness(model, prompt, batch_tokens=50)
    label, done, total = told[-1]
    assert label == "removing tokens"
    assert done == total > 3

    def stop(label, done, total):
        if label == "removing tokens" and done == 2:
            raise Cancelled("stopped")

    with reporting(stop), pytest.raises(Cancelled):
        faithfulness(model, prompt, batch_tokens=50)


def test_padding_is_never_removed():
    """A shorter prompt beside a longer one is what it is alone."""
    prompts = prompts_of((5, 3))
    metric = Metric(((0,), (0,)), None, (4, 2), ("answer",) * 2, None)
    relevance = np.random.default_rng(0).normal(size=(2, 5))
    options = {"removal": "token", "steps": 3}
    both = faithfulness_of(Linear(), prompts, metric, {"a": relevance}, **options).data
    for row, width in enumerate((5, 3)):
        alone = faithfulness_of(
            Linear(), prompts[[row]], metric.select([row]), {"a": relevance[[row], :width]}, **options
        )
        for name, values in alone.data.data_vars.items():
            np.testing.assert_array_equal(both[name].values[[row]], values.values)
