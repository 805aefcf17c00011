"""Statistical depth: how central each text's state is among those of a set, and whether another set lies elsewhere."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass

from interp.core.engine import engine
from interp.core.intervals import bootstrap_mean
from interp.core.prompts import Prompts
from interp.corpus.harvest import States
from interp.corpus.options import CorpusOptions, windows_of
from interp.corpus.windows import Windows
from interp.kinds import DepthRanking
from interp.models.hooked import HookedModel

Rows = Float[np.ndarray, "row d_model"]


@dataclass(frozen=True)
class DepthOptions(CorpusOptions):
    """The texts, and those that they are compared with."""

    other: str = Field(
        "", description="a second corpus to compare with, as `corpus`; as many windows of the same length are taken"
    )


@engine(default_prompts=windows_of)
def depth_ranking(model: HookedModel, prompts: Prompts, options: DepthOptions) -> DepthRanking:
    """How central each text's last state is among those of all texts, in every layer, and how far another corpus is.

    depth(x, F) = 2 − mean over y in F, y ≠ x, of 1 − cos(x, y), of the stream at the last token: `layer window`. The
    median example is deepest, an outlier last. With a second corpus G, Q(F, G) is the mean over g of the share of F
    that is no deeper in F than g: a half if they are alike, less if G lies outside; with a rank-sum test of the two
    sets' depths. All of it again with every dimension standardised over F, where a few massive ones no longer are the
    cosine.
    Copies of a text count once. Whether any two texts come to one state: each text's distance from the nearest other
    one, beside its distance from itself with one token changed at random, `layer window`; their least over the texts
    is what makes a model invertible, as far as it was tried.
    Unit: depth from 0 to 2; norm of the stream for distances.
    Source: Seegmiller & Preum 2023, "Statistical Depth for Ranking and Characterizing Transformer-Based Text
    Embeddings", equations 1 to 3; Nikolaou et al. 2025, "Language Models are Injective and Hence Invertible", section
    4.1, for the distances.
    """
    texts = prompts[prompts.distinct()]
    layers, values = model.dims.layers + 1, {}
    own = _last_states(model, texts)
    others = _last_states(model, _other(model, texts, options)) if options.other else None
    changed = _last_states(model, _with_a_token_changed(texts, model.vocabulary_size, options.seed))
    for kind, scales in (("", [1.0] * layers), ("standardised_", [_spread(rows) for rows in own])):
        pairs = list(zip(own, changed, scales, strict=True))
        values[f"{kind}nearest_distance"] = np.stack([nearest(rows / scale) for rows, _, scale in pairs])
        values[f"{kind}changed_distance"] = np.stack(
            [np.linalg.norm((rows - apart) / scale, axis=1) for rows, apart, scale in pairs]
        )
    for name, standardise in (("depth", False), ("standardised_depth", True)):
        found = [
            _depths(rows, None if others is None else others[layer], standardise) for layer, rows in enumerate(own)
        ]
        values[name] = np.stack([here for here, _ in found])
        if others is not None:
            q, low, high = np.array([_q(*each) for each in found]).T
            kind = "standardised_" if standardise else ""
            values |= {f"{kind}q": q, f"{kind}q_interval": np.stack([low, high], -1)}
            values[f"{kind}p_value"] = np.array([_p(*each) for each in found])
    against = f", and of {len(others[0])} of {options.other} among them" if others else ""
    documents = texts.documents if isinstance(texts, Windows) else texts.texts
    return DepthRanking.of(
        texts,
        values,
        measured=f"depth of the last states of {len(texts):,} texts among them{against}, in {layers} streams",
        document=("window", np.array(documents, dtype=object)),
    )


def _other(model: HookedModel, texts: Prompts, options: DepthOptions) -> Prompts:
    return Windows.cut(model, options.other, windows=len(texts), length=texts.width, seed=options.seed)


def _last_states(model: HookedModel, texts: Prompts) -> list[Rows]:
    """The stream at every text's last token, layer by layer."""
    places = [(row, end - 1) for row, end in enumerate(texts.mask.sum(-1).tolist())]
    states = States(model, texts, places)
    return [states.at(places, layer) for layer in range(model.dims.layers + 1)]


def _with_a_token_changed(texts: Prompts, vocabulary: int, seed: int) -> Prompts:
    """The texts, each with another token at one random position."""
    rng, tokens = np.random.default_rng(seed), texts.tokens.clone()
    for row, end in enumerate(texts.mask.sum(-1).tolist()):
        pos = int(rng.integers(end))
        tokens[row, pos] = (int(tokens[row, pos]) + 1 + int(rng.integers(vocabulary - 1))) % vocabulary
    return replace(texts, tokens=tokens)


def nearest(rows: Rows) -> Float[np.ndarray, "row"]:
    """How far each row is from the nearest other one."""
    from scipy.spatial.distance import pdist, squareform

    apart = squareform(pdist(rows))
    np.fill_diagonal(apart, np.inf if len(rows) > 1 else np.nan)
    return apart.min(1)


def _spread(rows: Rows) -> Float[np.ndarray, "d_model"]:
    """Every dimension's standard deviation; infinite where there is none."""
    spread = rows.std(0)
    return np.where(spread > 1e-12 * np.abs(rows).max(), spread, np.inf)


def _depths(own: Rows, other: Rows | None, standardise: bool) -> tuple[np.ndarray, np.ndarray]:
    """The depth of each row among the others, and that of each other row among all of them."""
    if standardise:
        mean, scale = own.mean(0), _spread(own)
        own, other = (own - mean) / scale, None if other is None else (other - mean) / scale
    own, other = _unit(own), _unit(own[:0] if other is None else other)
    total = own.sum(0)
    mean_cosine = (own @ total - np.square(own).sum(1)) / (len(own) - 1 or np.nan)  # a text alone is among nobody
    return 1 + mean_cosine, 1 + other @ total / len(own)


def _unit(rows: Rows) -> Rows:
    size = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, size, out=np.zeros_like(rows), where=size > 0)


def _q(own: np.ndarray, other: np.ndarray) -> tuple[float, float, float]:
    """Q with its interval over the other texts."""
    mean, low, high = bootstrap_mean((own[:, None] <= other).mean(0))
    return float(mean), float(low), float(high)


def _p(own: np.ndarray, other: np.ndarray) -> float:
    from scipy.stats import ranksums

    return float(ranksums(own, other).pvalue)
