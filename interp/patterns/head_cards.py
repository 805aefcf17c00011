"""Head cards: what every head looks at, and from where, over a corpus."""

from typing import Any

import numpy as np
from jaxtyping import Float
from pydantic import Field
from pydantic.dataclasses import dataclass

from interp.core.engine import engine
from interp.core.options import Count, Index
from interp.core.prompts import Prompts
from interp.corpus.enough import require_width
from interp.corpus.gathering import Gathered, gather
from interp.corpus.options import CorpusOptions, windows_of
from interp.kinds import HeadCards
from interp.models.hooked import HookedModel
from interp.models.visible import patterns_obstacle
from interp.patterns.cards.attention_sums import AttentionSums
from interp.patterns.cards.distances import distance_names

AROUND = 4  # tokens shown on either side of a key or query


@dataclass(frozen=True)
class HeadCardsOptions(CorpusOptions):
    """The text, and how long the cards' lists are."""

    skip: Index = Field(1, description="initial positions of every window whose queries do not count")
    top: Count = Field(10, description="tokens and contexts on each card", le=1000)


@engine(obstacle=patterns_obstacle, default_prompts=windows_of)
def head_cards(model: HookedModel, prompts: Prompts, options: HeadCardsOptions) -> HeadCards:
    """What every head attends to and from where: tokens, distances and strongest places in a corpus.

    One card a head, `layer head`: attention on the first position; the tokens that it attends to and from, compared
    with uniform attention; its profile over distances; and its strongest pairs in their contexts.

    A window that comes twice counts once. Cards are sums over windows and one pair of each window.
    Unit: probability, and shares of the attention beyond the first position.
    Raises: CorpusError where no query is left.
    Source: Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits", on reading heads off what they
    attend to; layout as of feature cards.
    """
    windows = prompts[prompts.distinct()]
    require_width(windows, options.skip)
    tokens = tuple(windows.tokens[windows.mask].unique().tolist())
    gathered = gather(model, windows, AttentionSums(tokens, windows.width, options.skip))
    labels = np.array([model.token_label(token) for token in tokens], dtype=object)
    totals = gathered.totals
    beyond = totals["key_mass"].sum(-1)
    values = _keys(totals, labels, options.top) | _queries(totals, labels, options.top)
    with np.errstate(divide="ignore", invalid="ignore"):
        values |= {
            "first": totals["first"] / totals["queries"],
            "distance_mean": totals["distance_sum"] / beyond,
            "at_distance": totals["distance"] / beyond[..., None],
            "at_distance_uniform": _over_heads(_shares(totals["distance_uniform"]), model.dims.heads),
        }
    return HeadCards.of(
        prompts,
        values | _contexts(gathered, options.top),
        measured=f"attention of every head over {len(windows):,} windows of up to {windows.width} tokens",
        distance=np.array(distance_names(windows.width, causal=model.is_causal), dtype=object),
        facts={"queries": str(int(totals["queries"]))},
    )


def _keys(totals: dict[str, np.ndarray], labels: np.ndarray, top: int) -> dict[str, np.ndarray]:
    share, uniform = _shares(totals["key_mass"]), _shares(totals["key_uniform"])[:, None]
    order, there = _strongest(share, uniform, top)
    return {
        "key_token": np.where(there, labels[order], "").astype(str),
        "key_share": _taken(share, order, there),
        "key_uniform": _taken(np.broadcast_to(uniform, share.shape), order, there),
    }


def _queries(totals: dict[str, np.ndarray], labels: np.ndarray, top: int) -> dict[str, np.ndarray]:
    share, count = _shares(totals["query_mass"]), totals["query_count"]
    frequency = np.broadcast_to(count / count.sum(), share.shape)
    order, there = _strongest(share, frequency, top)
    return {
        "query_token": np.where(there, labels[order], "").astype(str),
        "query_attention": _taken(totals["query_mass"] / np.maximum(count, 1), order, there),
        "query_share": _taken(share, order, there),
        "query_frequency": _taken(frequency, order, there),
    }


def _shares(mass: np.ndarray) -> np.ndarray:
    """Along the last axis; 0 where there is nothing."""
    return mass / np.maximum(mass.sum(-1, keepdims=True), np.finfo(float).tiny)


def _over_heads(values: Float[np.ndarray, "layer distance"], heads: int) -> np.ndarray:
    return np.repeat(values[:, None], heads, 1)


def _strongest(share: np.ndarray, expected: np.ndarray, top: int) -> tuple[np.ndarray, np.ndarray]:
    """The entries that add most to Σ p log(p / q), and which of them add anything; empty places behind."""
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.nan_to_num(share * np.log(share / expected), posinf=0.0)
    order = np.argsort(-gain, axis=-1, kind="stable")[..., :top]
    order = np.concatenate([order, np.zeros((*order.shape[:-1], top - order.shape[-1]), dtype=int)], -1)
    there = np.take_along_axis(gain, order, -1) > 0
    there[..., share.shape[-1] :] = False
    return order, there


def _taken(values: np.ndarray, order: np.ndarray, there: np.ndarray) -> np.ndarray:
    return np.where(there, np.take_along_axis(values, order, -1), np.nan)


def _contexts(gathered: Gathered, top: int) -> dict[str, np.ndarray]:
    best, query, key = (gathered.rows(name) for name in ("best", "best_query", "best_key"))
    order = np.argsort(-best, axis=0, kind="stable")[:top]
    shape = (top, *best.shape[1:])
    values: dict[str, Any] = {"attention": np.full(shape, np.nan)}
    values |= {name: np.full(shape, -1) for name in ("window", "query_at", "key_at")}
    values["text"] = np.full(shape, "", dtype=object)
    for rank, layer, head in np.ndindex(order.shape):
        window = int(order[rank, layer, head])
        if best[window, layer, head] <= 0:
            continue
        place, at = (rank, layer, head), (int(query[window, layer, head]), int(key[window, layer, head]))
        values["attention"][place], values["window"][place] = best[window, layer, head], window
        values["query_at"][place], values["key_at"][place] = at
        values["text"][place] = _text(gathered.windows.labels[window], *at)
    values["text"] = values["text"].astype(str)
    return {name: np.moveaxis(value, 0, -1) for name, value in values.items()}


def _text(labels: tuple[str, ...], query: int, key: int) -> str:
    """The tokens around a query and a key, both marked, with a gap where they are far apart."""
    near = [at for at, label in enumerate(labels) if label and min(abs(at - query), abs(at - key)) <= AROUND]
    marks = {query: "‹{}›", key: "«{}»"} if query != key else {query: "‹«{}»›"}
    pieces = [
        (" … " if before is not None and at > before + 1 else "") + marks.get(at, "{}").format(labels[at])
        for before, at in zip([None, *near], near, strict=False)
    ]
    return "".join(pieces)
