"""How often relevance falls on the words that carry sentiment, and whether a phrase is more than its words."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

import interp
from analyses.sentiment_phrases.reviews import CLASSES, OPPOSITE, Review
from interp.core.intervals import bootstrap_mean
from interp.core.progress import track
from interp.core.prompts import Prompts
from interp.evaluation import evidence_scores
from interp.models import HookedModel

METHODS = ("cdt", "decompx", "attnlrp", "gradient-x-input")
PHRASE = "cdt, the run as one source"
RANDOM = "random"

Relevances = Mapping[str, Float[np.ndarray, "review pos"]]
Shares = Mapping[str, Float[np.ndarray, "review"]]


def is_right(model: HookedModel, reviews: Sequence[Review]) -> Bool[np.ndarray, "review"]:
    """Whether the model classifies each review correctly."""
    logits = model.logits(Prompts.of(model, [review.text for review in reviews]))
    return logits.argmax(-1).cpu().numpy() == [CLASSES.index(review.label) for review in reviews]


def prompts_of(model: HookedModel, reviews: Sequence[Review]) -> Prompts:
    """The reviews as prompts, each with its own class as target and the opposite as contrast."""
    labels = [review.label for review in reviews]
    texts = [review.text for review in reviews]
    return Prompts.of(model, texts, target=labels, contrast=[OPPOSITE[label] for label in labels])


def token_relevance(model: HookedModel, reviews: Sequence[Review]) -> Relevances:
    """Every method's relevance of every token for the review's class."""
    prompts = prompts_of(model, reviews)
    engines = {name: getattr(interp.attribution, name.replace("-", "_")) for name in METHODS}
    return {name: engine(model, prompts).values("relevance").values for name, engine in engines.items()}


def run_relevance(model: HookedModel, review: Review, length: int) -> Float[np.ndarray, "run"]:
    """CD-T's relevance, for the review's class, of every run of `length` tokens followed as one source."""
    prompt = prompts_of(model, [review])
    runs = tuple(f"tokens {start}:{start + length}" for start in range(prompt.width - length + 1))
    result = interp.attribution.cdt_sources(model, prompt, sources=runs, less_mean=False)
    return result.values("relevance").values[0]


def phrase_of(review: Review) -> slice:
    """The tokens of the review's phrase, its adjective last: a model reads [CLS] before the words."""
    return slice(review.phrase[0] + 1, review.phrase[1] + 1)


def width_of(review: Review) -> int:
    """Tokens of the review, [CLS] and [SEP] included."""
    return len(review.words) + 2


def word_on_top(reviews: Sequence[Review], relevance: Relevances) -> Shares:
    """Whether the token of largest relevance is the adjective; at random, the chance that a token is it."""
    scores = {name: np.zeros(len(reviews)) for name in (*relevance, RANDOM)}
    for row, review in enumerate(reviews):
        width = width_of(review)
        evidence = np.arange(width) == phrase_of(review).stop - 1
        for name, values in relevance.items():
            scores[name][row] = evidence_scores(values[row, :width], evidence)["pointing"]
        scores[RANDOM][row] = 1 / width
    return scores


def word_sign(reviews: Sequence[Review], relevance: Relevances, sign: int) -> Shares:
    """Whether the adjective's relevance has the sign: 1 where it supports the class, −1 where it opposes it."""
    places = [phrase_of(review).stop - 1 for review in reviews]
    return {name: (sign * values[np.arange(len(reviews)), places] > 0) * 1.0 for name, values in relevance.items()}


def phrase_scores(model: HookedModel, reviews: Sequence[Review], relevance: Relevances) -> dict[str, Shares]:
    """Whether the phrase supports the class; whether it is the largest of all runs of as many tokens; and whether
    that largest run overlaps it.

    Token relevance gives a run the sum over its tokens. At random: the share among all runs of those that CD-T finds
    to speak for the class, that are the phrase, and that overlap it.
    """
    measures = ("negated phrase speaks for the class", "negated phrase is the top run", "top run overlaps the phrase")
    names = (PHRASE, *relevance, RANDOM)
    scores: dict[str, Shares] = {measure: {name: np.zeros(len(reviews)) for name in names} for measure in measures}
    for row, review in enumerate(track(reviews, len(reviews), "phrases")):
        start, length = phrase_of(review).start, phrase_of(review).stop - phrase_of(review).start
        runs = {PHRASE: run_relevance(model, review, length)}
        for name, values in relevance.items():
            runs[name] = np.convolve(values[row, : width_of(review)], np.ones(length), "valid")
        distance = np.abs(np.arange(len(runs[PHRASE])) - start)
        for name, sizes in runs.items():
            top = distance[sizes.argmax()]
            _record(scores, name, row, float(sizes[start] > 0), float(top == 0), float(top < length))
        _record(
            scores, RANDOM, row, *(float(each.mean()) for each in (runs[PHRASE] > 0, distance == 0, distance < length))
        )
    return scores


def _record(scores: Mapping[str, Shares], name: str, row: int, *values: float) -> None:
    for shares, value in zip(scores.values(), values, strict=True):
        shares[name][row] = value


def table(model: HookedModel, held_out: Sequence[Review]) -> pd.DataFrame:
    """All measures: one row for each measure and method, with the 95 % interval over reviews."""
    right = is_right(model, held_out)
    negated = np.array([review.negated for review in held_out])
    correct = [
        review for review, is_correct in zip(held_out, right, strict=True) if is_correct and review.label != "neutral"
    ]
    plain, negated_reviews = (
        [review for review in correct if review.negated == is_negated] for is_negated in (False, True)
    )
    plain_relevance, negated_relevance = token_relevance(model, plain), token_relevance(model, negated_reviews)
    shares = {
        "accuracy": {"all reviews": right * 1.0, "with a negated adjective": right[negated] * 1.0},
        "adjective is the top token": word_on_top(plain, plain_relevance),
        "adjective has its own sign": word_sign(plain, plain_relevance, 1),
        "negated adjective has its own sign": word_sign(negated_reviews, negated_relevance, -1),
        **phrase_scores(model, negated_reviews, negated_relevance),
    }
    return pd.DataFrame(_rows(shares))


def _rows(shares: Mapping[str, Shares]) -> Iterator[dict[str, object]]:
    for measure, methods in shares.items():
        for method, values in methods.items():
            mean, low, high = map(float, bootstrap_mean(values))
            yield {
                "measure": measure,
                "method": method,
                "share": mean,
                "low": low,
                "high": high,
                "reviews": len(values),
            }
