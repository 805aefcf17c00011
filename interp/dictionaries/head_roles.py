"""Roles of heads: the families of each head's top features."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int, Shaped
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.core.engine import engine
from interp.core.options import Count
from interp.core.prompts import Prompts
from interp.corpus.batches import batches
from interp.corpus.options import windows_of
from interp.dictionaries.feature_cards import NONE, HarvestOptions, cards_of
from interp.dictionaries.features.logit_weights import head_weights
from interp.dictionaries.features.sources import encoder, pieces_at
from interp.dictionaries.sae.attached import Attached
from interp.dictionaries.sae.catalogue import attached
from interp.kinds import HeadRoles
from interp.models.hooked import HookedModel
from interp.models.sites import Site

DOMINANT = 0.5  # share of the sources that makes a family of one place
LEAST = 3  # features active somewhere, before they are said to be of one family
RANGE_SHARE = 0.7  # share within reach that makes a feature short-range; as much beyond makes it long-range
ONE_PLACE = {
    "induction": "induction", "duplicate": "duplicate token", "previous": "previous token", "first": "first token",
    "current": "current token",
}  # fmt: skip
MIXED = "mixed"  # sorted by no rule
FAMILIES = (*ONE_PLACE.values(), "short-range", "long-range", MIXED)
MEASURES = (*ONE_PLACE, "near", "distance", "induction_chance", "duplicate_chance")


@dataclass(frozen=True)
class HeadRolesOptions(HarvestOptions):
    """What is read, how many features stand for a head, and how far near is."""

    top_features: Count = Field(
        10,
        description="top features per head, by its share of their decoder direction; at least three active ones are "
        "needed to call a head monosemantic",
    )
    near: Count = Field(10, description="maximum distance that counts as short range")


def _obstacle(model: HookedModel) -> str | None:
    return (
        None
        if model.is_causal
        else ("its attention is bidirectional, and the families are defined by earlier positions")
    )


@engine(obstacle=_obstacle, default_prompts=windows_of)
def head_roles(model: HookedModel, prompts: Prompts, options: HeadRolesOptions) -> HeadRoles:
    """What each head of a dictionary's layer does, judged by the families of its top features.

    The families of every head's top features: `head component`; each of these features, `head rank`.

    A feature's sources are |Σ_h DFA|, the size of what all heads together bring from each position, as shares over the
    positions that its top contexts see, averaged over contexts. Its family is the place that holds at least half of
    them: a token that stands after an earlier copy of the current one (induction), an earlier copy itself (duplicate
    token), the position before, the first one, the current one; the largest, and of equals the first of these.
    Otherwise it is short-range where at least 0.7 lies at most `near` positions back, long-range where at least 0.7
    lies further, otherwise mixed. A head is monosemantic where all of its top features that are active anywhere are of
    one family, mixed left out, which is none; NaN for fewer than three active ones.
    Unit: shares; distance in positions.
    Raises: DictionaryError for a dictionary of another site than attention outputs, or whose encoder is not linear.
    Source: Kissane et al. 2024, "Interpreting Attention Layer Outputs with Sparse Autoencoders", section 4.
    Differs: families by these rules, where the paper's authors judged features by hand; only sources count, not what
    the feature writes. A rule by place cannot tell what else a monosemantic head's features share.
    """
    dictionary = attached(model, options.dictionary)
    encoder(dictionary, [0])  # refuses before the corpus is read
    cards = cards_of(dictionary, prompts, options)
    top, weight = _top_features(dictionary, options.top_features)
    features = sorted(set(top.ravel().tolist()))
    places = cards.places(features, "top", most=options.top_contexts)
    by_feature = _measure(dictionary, prompts[prompts.distinct()], features, places, options.near)
    by_feature["family"] = [family_of(row) for row in by_feature.to_dict("records")]
    density = cards.cards(tuple(features)).set_index("feature")["density"]
    of_top = by_feature.reindex(top.ravel())
    values = {name: of_top[name].to_numpy(float).reshape(top.shape) for name in MEASURES}
    family = of_top["family"].fillna(NONE).to_numpy(dtype=object).reshape(top.shape)
    alive = (family != NONE).sum(1)
    counts = np.array([[(row == each).sum() for each in FAMILIES] for row in family])
    with np.errstate(invalid="ignore"):
        share = counts / alive[:, None]
    per_feature = {
        "feature": top, "weight": weight, "density": density.loc[top.ravel()].to_numpy().reshape(top.shape),
        "family": family, **values,
    }  # fmt: skip
    return HeadRoles.of(
        prompts,
        {
            "share": share,
            "alive": alive,
            "monosemantic": monosemantic(family),
            **per_feature,
        },
        measured=f"families of the {top.shape[1]} features with the largest decoder share in each head of layer "
        f"{dictionary.site.layer} of {model.name}, over {cards.covers}",
        facts=dictionary.facts | {"near": str(options.near)},
        component=list(FAMILIES),
    )


def _top_features(
    dictionary: Attached, most: int
) -> tuple[Int[np.ndarray, "head rank"], Float[np.ndarray, "head rank"]]:
    """The features of which each head has the largest share, and the share."""
    weights = head_weights(dictionary)
    assert weights is not None  # the site is z
    order = weights.T.sort(dim=-1, descending=True, stable=True)
    return order.indices[:, :most].cpu().numpy(), order.values[:, :most].double().cpu().numpy()


def _measure(
    dictionary: Attached, windows: Prompts, features: Sequence[int], places: pd.DataFrame, near: int
) -> pd.DataFrame:
    """The measures of each feature that has a context, by feature."""
    model, layer = dictionary.model, dictionary.site.layer
    pattern, v = Site("pattern", layer), Site("v", layer)
    matrix, number = encoder(dictionary, features).matrix, {feature: at for at, feature in enumerate(features)}
    context_windows = sorted({int(window) for window in places["window"]})
    frames: list[pd.DataFrame] = []
    for start, batch in batches(windows[context_windows], "head-roles: batches of windows") if context_windows else ():
        here = {window: row for row, window in enumerate(context_windows[start : start + len(batch)])}
        some: Any = places[places["window"].isin(list(here))]
        row, query = some["window"].map(here).to_numpy(), some["pos"].to_numpy(np.int64)
        feature_rows = some["feature"].map(number).to_numpy()
        with torch.no_grad():
            trace = model.record(batch, [pattern, v])
            at = torch.tensor(np.stack([row, query, feature_rows], 1)).to(model.device)
            dfa = pieces_at(trace[pattern], trace[v], matrix, at).sum(1)
        measures = measures_of(dfa.cpu().double(), batch.tokens[torch.tensor(row)], torch.tensor(query), near)
        frames.append(
            pd.DataFrame({name: value.numpy() for name, value in measures.items()}).assign(
                feature=some["feature"].to_numpy()
            )
        )
    if not frames:
        return pd.DataFrame(columns=list(MEASURES), index=pd.Index([], name="feature"))
    means: Any = pd.concat(frames).groupby("feature").mean()
    return means


def measures_of(
    dfa: Float[Tensor, "place key_pos"], tokens: Int[Tensor, "place key_pos"], query: Int[Tensor, "place"], near: int
) -> dict[str, Float[Tensor, "place"]]:
    """The share of |DFA| at each kind of source, for queries at some places; what all sources alike would give."""
    key = torch.arange(dfa.shape[1])
    back = query[:, None] - key
    real = back >= 0
    size = dfa.abs() * real
    weight = size / size.sum(-1, keepdim=True).clamp(min=torch.finfo(dfa.dtype).tiny)
    copy = tokens == tokens.gather(1, query[:, None])
    before = back > 0
    kinds = {
        "induction": torch.nn.functional.pad(copy[:, :-1], (1, 0)) & before,
        "duplicate": copy & before,
        "previous": back == 1,
        "first": (key == 0).expand_as(back),
        "current": back == 0,
        "near": real & (back <= near),
    }
    shares = {name: (weight * kind).sum(-1) for name, kind in kinds.items()}
    chances = {
        f"{name}_chance": (kinds[name] & real).sum(-1) / real.sum(-1).double() for name in ("induction", "duplicate")
    }
    return {**shares, "distance": (weight * back).sum(-1), **chances}


def family_of(measures: dict[str, float]) -> str:
    """The family of a feature by its measures."""
    largest = max(ONE_PLACE, key=lambda name: measures[name])  # of equals the first
    if measures[largest] >= DOMINANT:
        return ONE_PLACE[largest]
    if measures["near"] >= RANGE_SHARE:
        return "short-range"
    return "long-range" if measures["near"] <= 1 - RANGE_SHARE else MIXED


def monosemantic(family: Shaped[np.ndarray, "head rank"]) -> Float[np.ndarray, "head"]:
    """1 where all active features of a head are of one family (not mixed), 0 where not, NaN for fewer than three."""
    alive = (family != NONE).sum(1)
    largest = np.array([max((row == each).sum() for each in FAMILIES if each != MIXED) for row in family])
    return np.where(alive < LEAST, np.nan, (largest == alive).astype(float))
