"""The agreement benchmark: its items as models read them, and methods whose scores are known."""

import numpy as np
import pytest
import torch
from asking import CAUSAL, pairs_for

from interp.core.errors import EngineError, OptionError, PromptError
from interp.core.intervals import bootstrap_mean
from interp.core.prompts import PromptPairs, Prompts
from interp.evaluation import evidence_scores, markdown_table
from interp.evaluation.benchmark import sva_benchmark
from interp.evaluation.items import agreement_items

N = 8


def letters(prompts, row, marked):
    """The text of the marked tokens."""
    return "".join(label for label, chosen in zip(prompts.labels[row], marked[row], strict=True) if chosen)


@pytest.fixture(scope="module")
def items(tiny):
    """Items that a tiny model reads; its answers are random, so about half are wrong."""
    return agreement_items(tiny("llama"), N, seed=0, batch_size=5)


def knowing(items):
    """A method that knows the evidence: all its relevance lies there."""
    known = dict(zip(items.texts, items.evidence, strict=True))
    return lambda prompts: torch.stack([known[text][: prompts.width] for text in prompts.texts]).double()


@pytest.mark.parametrize("family", [*CAUSAL, "bert-masked"])
def test_evidence_is_the_subject_with_all_its_pieces(family, tiny):
    model = tiny(family)
    # How many a random masked model gets right depends on the pieces its tokenizer learned, which vary with the run.
    found = agreement_items(model, N if model.is_causal else 2, seed=3, batch_size=4)
    assert isinstance(found, Prompts)
    for row in range(len(found)):
        subject, noun = (letters(found, row, marked) for marked in (found.evidence, found.last_noun))
        text = found.texts[row].lower().replace(" ", "")
        pieces = subject.replace(" ", "").replace("##", "")
        assert pieces.lower() in text or "[UNK]" in pieces
        assert found.evidence[row].any()
        assert noun
    if model.is_causal:  # a token of its own may also hold what stands beside a word, but here none does
        assert all(letters(found, row, found.evidence).strip().isalpha() for row in range(len(found)))
        assert max(found.evidence.sum(-1)) > 1
    else:
        assert all(text.endswith(" [MASK].") for text in found.texts)


def test_as_many_items_as_it_takes_to_get_n_right(tiny, items):
    model = tiny("llama")
    right = items.metric(model.logits(items)) > 0
    assert int(right.sum()) == N
    assert right[-1]
    again = agreement_items(model, N, seed=0, batch_size=2)
    assert again.texts == items.texts
    assert agreement_items(model, N, seed=1, batch_size=5).texts != items.texts
    assert (
        agreement_items(model, N // 2, seed=0, batch_size=5).texts
        == items.texts[: len(agreement_items(model, N // 2, seed=0, batch_size=5))]
    )


def test_a_model_that_does_not_know_agreement_is_refused(tiny, monkeypatch):
    monkeypatch.setattr("interp.evaluation.items.answers", lambda model, prompts, *more: -np.ones(len(prompts)))
    with pytest.raises(PromptError, match=r"gets 0 of \d+ verbs right and 4 are asked for"):
        agreement_items(tiny("llama"), 4, seed=0, batch_size=4)
    with pytest.raises(EngineError, match="answers with classes"):
        agreement_items(tiny("bert-classifier"), 4, seed=0, batch_size=4)


def test_the_method_that_knows_scores_one(tiny, items, stub_method, methods_are, by_token):
    methods_are(stub_method("knows", knowing(items)), stub_method("blind", by_token))
    result = sva_benchmark(tiny("llama"), n=N, batch_size=5)
    assert list(result.data["method"].values) == [
        "knows", "blind", "random", "first-token", "last-token", "last-noun",
    ]  # fmt: skip
    right = result.data.correct.values == 1
    assert right.sum() == N
    for name in ("mrr", "rma", "pointing", "pointing_k"):
        values = result.data[name].sel({"method": "knows"}).values
        assert (values[right] == 1).all()
        assert np.isnan(result.data[name].values[~right]).all()
    assert f"{N} of {len(right)} prompts that the model gets right ({len(right) - N} dropped)" in result.measured


def test_every_score_is_that_of_the_item_alone(tiny, items, stub_method, methods_are, by_token):
    """Through batches of equal length and back: against the scores of each prompt by itself."""
    model = tiny("llama")
    methods_are(stub_method("blind", by_token))
    result = sva_benchmark(model, items, batch_size=3, k=2)
    for row in np.flatnonzero(result.data.correct.values):
        mask, evidence = items.mask[row], items.evidence[row]
        length, share = int(mask.sum()), (evidence[mask].float().mean().item())
        expected = evidence_scores(by_token(items[[int(row)]])[0].numpy()[:length], evidence[:length].numpy(), k=2)
        found = result.data.isel(batch=row)
        for name, value in expected.items():
            assert found[name].sel({"method": "blind"}).item() == value
        assert found.rma.sel({"method": "random"}).item() == pytest.approx(share)
        assert found.pointing.sel({"method": "random"}).item() == pytest.approx(share)
        assert found.pointing.sel({"method": "first-token"}).item() == float(evidence[0])
        assert found.pointing.sel({"method": "last-token"}).item() == float(evidence[length - 1])
        same = bool((items.last_noun[row] == evidence).all())
        assert (found.rma.sel({"method": "last-noun"}).item() == 1) == same
    assert list(result.data.construction.values) == list(items.constructions)


def test_pairs_of_ones_own(tiny, stub_method, methods_are, by_token):
    """The tokens that differ are the evidence; nothing is known of nouns."""
    model = tiny("llama")
    pairs = PromptPairs.of(
        model,
        ["When Mary and John went to the store", "The keys"],
        ["When John and Mary went to the store", "The store"],
        target=[" Mary", " John"],
        contrast=[" John", " Mary"],
    )
    methods_are(stub_method("blind", by_token))
    result = sva_benchmark(model, pairs)
    assert list(result.data["method"].values) == ["blind", "random", "first-token", "last-token"]
    for row in np.flatnonzero(result.data.correct.values):
        differs = pairs.clean.tokens[row] != pairs.corrupted.tokens[row]
        share = differs.sum() / pairs.clean.mask[row].sum()
        assert result.data.rma.isel(batch=row).sel({"method": "random"}).item() == pytest.approx(share.item())
    equals = PromptPairs.of(model, "The keys", "The keys", target=" Mary", contrast=" John")
    with pytest.raises(PromptError, match="pair 0, 'The keys', has identical sides"):
        sva_benchmark(model, equals)
    with pytest.raises(PromptError, match="which tokens decide the answer"):
        sva_benchmark(model, "The keys", target=" Mary", contrast=" John")


def test_a_model_that_is_always_wrong_has_no_scores(tiny, stub_method, methods_are, by_token):
    model = tiny("llama")
    pairs = pairs_for(model, "llama")[[0]]
    if (pairs.clean.metric(model.logits(pairs.clean)) > 0).item():
        pairs = PromptPairs.of(model, pairs.clean.texts, pairs.corrupted.texts, target=" John", contrast=" Mary")
    methods_are(stub_method("blind", by_token))
    result = sva_benchmark(model, pairs)
    assert np.isnan(result.data.mrr.values).all()
    assert "0 of 1 prompts" in result.measured


def test_unknown_methods_are_refused(tiny, stub_method, methods_are, by_token):
    methods_are(stub_method("blind", by_token))
    with pytest.raises(OptionError, match="no attribution method 'seeing'; choose from blind"):
        sva_benchmark(tiny("llama"), pairs_for(tiny("llama"), "llama"), methods=["seeing"])


def test_the_table_has_every_mean_with_its_interval(tiny, items, stub_method, methods_are, by_token):
    methods_are(stub_method("blind", by_token))
    result = sva_benchmark(tiny("llama"), items)
    head, line, *rows = markdown_table(result).splitlines()
    assert head.startswith("| method | MRR | RMA | pointing game | ")
    assert set(line) <= set("|-")
    assert [row.split(" | ")[0] for row in rows] == [f"| {name}" for name in result.data["method"].values]
    mean, low, high = bootstrap_mean(result.data.mrr.values[:, 0])
    assert f"| {mean:.3f} [{low:.3f}, {high:.3f}] |" in rows[0]
    summary = result.summary()
    assert list(summary.columns[:4]) == ["method", "mrr", "mrr_low", "mrr_high"]
    assert summary.mrr[0] == pytest.approx(float(mean))


def test_some_of_the_items_keep_their_evidence(tiny):
    """Each row's evidence is that of the whole batch's row, whichever rows are taken."""
    items = agreement_items(tiny("llama"), 6, seed=0, batch_size=4)
    some = items[[4, 1]]
    assert some.constructions == (items.constructions[4], items.constructions[1])
    for row, origin in enumerate((4, 1)):
        width = int(items.mask[origin].sum())
        assert some.evidence[row, :width].equal(items.evidence[origin, :width])
        assert some.last_noun[row, :width].equal(items.last_noun[origin, :width])
