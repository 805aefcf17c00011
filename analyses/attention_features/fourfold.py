"""Every pair's names in both orders, with either repeated: what follows the repeated name's position or identity."""

import numpy as np
from jaxtyping import Float

from analyses.ioi_circuit.roles import places
from interp.core.intervals import percentile_interval, resampling_weights
from interp.core.prompts import PromptPairs, Prompts
from interp.models import HookedModel

CAUSES = ("place", "name", "order")
Interval = tuple[float, float, float]


def fourfold(model: HookedModel, pairs: PromptPairs) -> Prompts:
    """Four prompts per pair: the second or the first name repeated, with either the subject or the other name in it.

    Row 4 i + 2 p + q repeats the second name (p = 0) or the first (p = 1), the subject (q = 0) or the indirect object.
    """
    at, rows = places(pairs), []
    for row in range(len(pairs)):
        (end, io), (_, first) = at["end → IO"][row], at["end → S1"][row]
        own, other = (side.tokens[row, : end + 1].tolist() for side in (pairs.clean, pairs.corrupted))
        swaps = [_swap(each, io, first) for each in (own, other)]
        second, initial = ([own, swaps[1]], [swaps[0], other]) if first > io else ([swaps[0], other], [own, swaps[1]])
        rows += [*second, *initial]
    return Prompts.of_tokens(model, rows)


def _swap(tokens: list[int], one: int, two: int) -> list[int]:
    tokens = list(tokens)
    tokens[one], tokens[two] = tokens[two], tokens[one]
    return tokens


def cause_shares(values: Float[np.ndarray, "row width"]) -> dict[str, Interval]:
    """The shares of the variation within pairs due to the repeated name's place, to that name, and to the names' order.

    Sums of squares of a two by two design, over all columns and pairs; 95 % bootstrap intervals over pairs. The three
    add up to 1; NaN where nothing differs.
    """
    cells = values.reshape(-1, 2, 2, values.shape[-1])  # pair, place, name
    signs = np.array([1.0, -1.0])
    contrasts = {
        "place": np.einsum("ipqw,p->iw", cells, signs),
        "name": np.einsum("ipqw,q->iw", cells, signs),
        "order": np.einsum("ipqw,p,q->iw", cells, signs, signs),
    }
    squares = np.stack([(contrasts[cause] ** 2).sum(-1) for cause in CAUSES], -1)
    total = squares.sum()
    if not total:
        return dict.fromkeys(CAUSES, (np.nan, np.nan, np.nan))
    resamples = resampling_weights(len(squares)) @ squares
    low, high = percentile_interval((resamples / np.maximum(resamples.sum(-1, keepdims=True), 1e-30)).T)
    share = squares.sum(0) / total
    return {cause: (float(share[i]), float(low[i]), float(high[i])) for i, cause in enumerate(CAUSES)}
