"""Reviews have the class that their words give; what is measured is right where the relevance is known."""

from itertools import islice
from random import Random

import numpy as np
import pandas as pd
import pytest

import interp
from analyses.sentiment_phrases import measure
from analyses.sentiment_phrases.classifier import train, word_tokenizer
from analyses.sentiment_phrases.report import figure, tables
from analyses.sentiment_phrases.reviews import ADJECTIVES, CLASSES, INTENSIFIERS, NEUTRAL, OPPOSITE, reviews
from analyses.sentiment_phrases.run import main


@pytest.fixture(scope="module")
def drawn():
    return list(islice(reviews(Random(0)), 900))


@pytest.fixture(scope="module")
def model(tmp_path_factory, drawn):
    """A classifier that has hardly been trained."""
    return interp.load(str(train(drawn, tmp_path_factory.mktemp("sentiment"), steps=3, batch_size=8)))


def class_by_reading(words):
    """The class from the words alone: the one clause with a sentiment, turned if "not" stands right before it."""
    for place, word in enumerate(words):
        for kind in ("negative", "positive"):
            if word in ADJECTIVES[kind]:
                before = place - 2 if words[place - 1] in INTENSIFIERS else place - 1
                return OPPOSITE[kind] if words[before] == "not" else kind
    return "neutral"


def test_the_class_is_what_the_words_say(drawn):
    assert len({review.text for review in drawn}) == len(drawn)
    for review in drawn:
        assert class_by_reading(review.words) == review.label
        assert sum(word in adjectives for word in review.words for adjectives in ADJECTIVES.values()) == 2
        assert sum(word in NEUTRAL for word in review.words) == (2 if review.label == "neutral" else 1)
        start, end = review.phrase
        assert review.word == end - 1
        assert review.words[start - 1] == "was"
        assert review.negated == ("not" in review.words[start:end])
    for label in CLASSES:
        assert sum(review.label == label for review in drawn) == len(drawn) // 3
        assert sum(review.negated for review in drawn if review.label == label) == len(drawn) // 9


def test_not_alone_tells_nothing(drawn):
    """The share of reviews with a "not" anywhere is alike in all classes."""
    shares = [np.mean(["not" in review.words for review in drawn if review.label == label]) for label in CLASSES]
    assert np.ptp(shares) < 0.1


def test_one_token_a_word(drawn):
    tokenizer = word_tokenizer()
    for review in drawn[:20]:
        tokens = tokenizer.convert_ids_to_tokens(tokenizer(review.text)["input_ids"])
        assert tokens == ["[CLS]", *review.words, "[SEP]"]
        assert tokens[measure.phrase_of(review)] == list(review.words[slice(*review.phrase)])
        assert len(tokens) == measure.width_of(review)


def known_relevance(drawn, value):
    relevance = np.zeros((len(drawn), 32))
    for row, review in enumerate(drawn):
        relevance[row, measure.phrase_of(review).stop - 1] = value
    return relevance


def test_relevance_that_is_known_scores_what_it_should(drawn):
    few = drawn[:9]
    found = measure.word_on_top(few, {"knows": known_relevance(few, 1), "averse": known_relevance(few, -1)})
    assert found["knows"].tolist() == [1] * 9
    assert found["averse"].tolist() == [0] * 9
    np.testing.assert_allclose(found["random"], [1 / (len(review.words) + 2) for review in few])
    signs = measure.word_sign(few, {"knows": known_relevance(few, 1), "averse": known_relevance(few, -1)}, -1)
    assert (signs["knows"].sum(), signs["averse"].sum()) == (0, 9)


def test_a_run_of_one_token_is_that_token(model, drawn):
    review = next(review for review in drawn if review.label == "positive")
    alone = measure.token_relevance(model, [review])["cdt"][0]
    np.testing.assert_allclose(measure.run_relevance(model, review, 1), alone, atol=1e-5)


def test_phrases_are_looked_for_among_all_runs(model, drawn):
    negated = [review for review in drawn if review.negated and review.label != "neutral"][:4]
    known = np.zeros((4, 32))
    for row, review in enumerate(negated):
        known[row, measure.phrase_of(review)] = 1
    found = measure.phrase_scores(model, negated, {"knows": known, "averse": -known})
    speaks, largest, overlaps = found.values()
    assert (speaks["knows"].tolist(), largest["knows"].tolist()) == ([1] * 4, [1] * 4)
    assert overlaps["knows"].tolist() == [1] * 4
    assert (speaks["averse"].tolist(), largest["averse"].tolist()) == ([0] * 4, [0] * 4)
    for row, review in enumerate(negated):
        runs = measure.run_relevance(model, review, review.phrase[1] - review.phrase[0])
        assert largest["random"][row] == 1 / len(runs)
        span = set(range(*review.phrase))
        touching = [bool(span & set(range(at, at + len(span)))) for at in range(-1, len(runs) - 1)]
        assert overlaps["random"][row] == pytest.approx(np.mean(touching))
        assert overlaps[measure.PHRASE][row] == touching[runs.argmax()]
        assert speaks[measure.PHRASE][row] == (runs[review.phrase[0] + 1] > 0)


def test_the_whole_study_on_a_small_scale(tmp_path, monkeypatch, model, drawn):
    monkeypatch.setattr(measure, "is_right", lambda model, reviews: np.ones(len(reviews), dtype=bool))
    readme = tmp_path / "README.md"
    readme.write_text("# Study\n<!-- tables -->\n<!-- end of tables -->\n")
    arguments = "--n 18 --trainings 2 --train-on 60 --steps 2".split()
    main([*arguments, "--out", str(tmp_path), "--readme", str(readme), "--checkpoints", str(tmp_path / "models")])
    found = pd.read_csv(tmp_path / "shares.csv")
    assert sorted(found["training"].unique()) == [0, 1]
    assert found["share"].between(0, 1).all()
    assert (tmp_path / "figure.html").is_file()
    assert (tmp_path / "models" / "1" / "model.safetensors").is_file()
    assert tables(found) in readme.read_text()
    assert len(figure(found).layout.annotations) == 4
