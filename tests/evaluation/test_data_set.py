"""Means over a data set: those of the whole batch, however they are cut up, stopped and shared out."""

import numpy as np
import pytest

from interp import attribution, circuits, corpus, geometry, readout, tasks
from interp.checks.contract import distance
from interp.core.errors import CorpusError, EngineError, PromptError
from interp.core.prompts import Prompts
from interp.evaluation import mean_over

N = 7
WORDS = ("cat", "dog", "horse", "goat")


@pytest.fixture
def model(tiny):
    """One without rotation, whose angles are float32 in any precision."""
    return tiny("gpt2", "float64")


@pytest.fixture
def pairs(model):
    return tasks.find("ioi")(model, n=N, seed=0)


@pytest.mark.parametrize("shard", [1, 3, 100])
def test_mean_and_standard_error_of_the_rows(model, pairs, shard):
    rows = circuits.eap(model, pairs).score.values
    with corpus.job(shard=shard):
        found = mean_over(circuits.eap, model, pairs)
    np.testing.assert_allclose(found.mean.score.values, rows.mean(0, keepdims=True), rtol=1e-9, atol=1e-12)
    error = rows.std(0, ddof=1, keepdims=True) / np.sqrt(N)
    np.testing.assert_allclose(found.standard_error.score.values, error, rtol=1e-6, atol=1e-12)
    frame = found.summary()
    np.testing.assert_allclose(frame.score_high - frame.score_low, 2 * 1.959964 * error[0])
    assert [*frame][:5] == ["sender", "receiver", "score", "score_low", "score_high"]
    assert found.mean.measured.startswith(f"mean over {N} prompts: ")
    assert "logit(answer) − logit(contrast)" in found.mean.measured


def test_a_job_that_was_stopped_goes_on(model, pairs, tmp_path, monkeypatch):
    whole = mean_over(circuits.eap, model, pairs)
    calls = []

    def run(*arguments):
        calls.append(len(arguments[1]))
        if len(calls) == 4:  # the first is for the labels
            raise KeyboardInterrupt
        return spec_run(*arguments)

    spec_run = circuits.eap.run
    monkeypatch.setitem(circuits.eap.__dict__, "run", run)
    with pytest.raises(KeyboardInterrupt), corpus.job(folder=tmp_path, shard=2):
        mean_over(circuits.eap, model, pairs)
    assert calls == [2, 2, 2, 2]
    with corpus.job(folder=tmp_path, shard=2):
        found = mean_over(circuits.eap, model, pairs)
    assert calls[4:] == [2, 2, 1]
    np.testing.assert_allclose(found.mean.score.values, whole.mean.score.values, rtol=1e-9, atol=1e-12)


def test_a_folder_for_each_engine_and_question(model, pairs, tmp_path):
    with corpus.job(folder=tmp_path):
        mean_over(readout.head_scores, model, pairs)
        mean_over(circuits.eap, model, pairs)
        found = mean_over(circuits.eap, model, pairs.clean.asking(model, "m"), how="zero")
    assert len([*tmp_path.iterdir()]) == 3
    assert found.mean.provenance.options["how"] == "zero"


def test_a_folder_of_other_prompts(model, tmp_path):
    prompts = Prompts.of(model, ["one two one two", "four five four five"])
    with corpus.job(folder=tmp_path):
        mean_over(readout.head_scores, model, prompts)
    with corpus.job(folder=tmp_path), pytest.raises(CorpusError, match="other"):
        mean_over(readout.head_scores, model, prompts[[0]])


def test_one_job_over_two_texts(model, tmp_path):
    """Each has a folder of its own, whichever comes first, and is found there again."""
    texts = [Prompts.of(model, text) for text in ("one two one two", "four five five four")]
    found = []
    for _ in range(2):
        with corpus.job(folder=tmp_path):
            found.append([mean_over(readout.head_scores, model, text).mean.data for text in (*texts, texts[0])])
    assert len([*tmp_path.iterdir()]) == 2
    for once, twice in zip(*found, strict=True):
        assert distance(once, twice) == 0
    assert distance(found[0][0], found[0][1]) > 0
    assert distance(found[0][0], found[0][2]) == 0


def test_a_prompt_without_a_number_does_not_count(model):
    """Only the second and third prompt repeat a token."""
    prompts = Prompts.of(model, ["abcd", "abab", "cdcd"])
    found = mean_over(readout.head_scores, model, prompts)
    rows = readout.head_scores(model, prompts).induction.values
    assert np.isnan(rows[0]).all()
    np.testing.assert_allclose(found.mean.induction.values[0], rows[1:].mean(0))


def test_positions_of_prompts_of_one_length(model):
    prompts = Prompts.of(model, ["abcd", "abed"]).asking(model, "o")
    found = mean_over(attribution.attnlrp, model, prompts)
    rows = attribution.attnlrp(model, prompts)
    np.testing.assert_allclose(found.mean.relevance.values[0], rows.relevance.values.mean(0), atol=1e-12)
    np.testing.assert_allclose(found.mean.heads.values[0], rows.heads.values.mean(0), atol=1e-12)
    tokens = found.mean.data["token"].values[0]
    shared = [one if one == other else "…" for one, other in zip(*prompts.labels, strict=True)]
    assert list(tokens) == shared
    assert "…" in shared


def test_refusals(model, pairs):
    ragged = Prompts.of(model, ["one two three", "one two"]).asking(model, "o")
    with pytest.raises(PromptError, match="attnlrp gives numbers for token positions, and the prompts have"):
        mean_over(attribution.attnlrp, model, ragged)
    with pytest.raises(EngineError, match="linearity gives linearity over all prompts already"):
        mean_over(geometry.linearity, model, pairs)


def test_sums_of_an_engine_are_kept_where_the_job_says(model, tmp_path):
    prompts = Prompts.of(model, [f"{a} {b} is a {b} of {a}" for a in WORDS for b in WORDS])
    plain = geometry.linearity(model, prompts)
    with corpus.job(folder=tmp_path, shard=3) as job:
        found = geometry.linearity(model, prompts)
        again = geometry.linearity(model, prompts)
    assert job.sums == 2
    (folder,) = tmp_path.iterdir()
    assert folder.name.startswith("linearity-")
    np.testing.assert_allclose(found.linearity, plain.linearity, rtol=1e-9)
    assert again.linearity.equals(found.linearity)
