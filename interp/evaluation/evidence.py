"""How well relevance finds evidence that is known: reciprocal rank, relevance mass, pointing game."""

from math import comb

import numpy as np
from jaxtyping import Bool, Float

SCORES = ("mrr", "rma", "pointing", "pointing_k")


def evidence_scores(
    relevance: Float[np.ndarray, "token"], evidence: Bool[np.ndarray, "token"], *, k: int = 3
) -> dict[str, float]:
    """The scores of one prompt's relevance, each from 0 to 1.

    `mrr`: 1 / rank of the best-ranked evidence token. `rma`: the share of positive relevance that lies on evidence;
    negative relevance speaks against the answer and is left out, and without any positive the share is 0. `pointing`:
    whether the top token is evidence; `pointing_k`: whether one of the top `k` is. Tokens rank by signed relevance.
    Where values are equal, the scores are the mean over all orders of the equals, so that relevance which is the same
    everywhere scores what random relevance does on average.

    Source: Arras et al. 2025, MRR, RMA and pointing game. Differs: ties in expectation.
    """
    best = relevance[evidence].max()
    above, equal = int((relevance > best).sum()), relevance == best
    ranks = _first_rank_of_evidence(int(equal.sum()), int((equal & evidence).sum()))
    positive = relevance.clip(min=0)
    mass = positive.sum()
    return {
        "mrr": sum(chance / (above + place) for place, chance in ranks.items()),
        "rma": float(positive[evidence].sum() / mass) if mass > 0 else 0.0,
        "pointing": sum(chance for place, chance in ranks.items() if above + place == 1),
        "pointing_k": sum(chance for place, chance in ranks.items() if above + place <= k),
    }


def _first_rank_of_evidence(tokens: int, evidence: int) -> dict[int, float]:
    """The chance of each place, from 1, that the first of `evidence` among `tokens` in random order has."""
    ways = comb(tokens, evidence)
    return {place: comb(tokens - place, evidence - 1) / ways for place in range(1, tokens - evidence + 2)}
