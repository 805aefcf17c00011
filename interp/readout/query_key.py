"""Query and key of one head at one query: how its attention scores come about, dimension by dimension."""

import torch
from jaxtyping import Bool, Int
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor

from interp.core.engine import engine
from interp.core.errors import OptionError
from interp.core.options import Index
from interp.core.prompts import Prompts
from interp.kinds import QueryKey
from interp.models.attention import visible
from interp.models.hooked import HookedModel
from interp.models.sites import Site

_PAIRS = ("score", "attention")


@dataclass(frozen=True)
class QueryKeyOptions:
    """Which head, and the query's position; −1 is each prompt's last token."""

    layer: Index = Field(0, description="layer of the head")
    head: Index = Field(0, description="the head")
    query_pos: int = Field(-1, ge=-1, le=10**6, description="position of the query; -1 is the last token")


@engine(obstacle=lambda model: model.obstacle("attention"))
def query_key(model: HookedModel, prompts: Prompts, options: QueryKeyOptions) -> QueryKey:
    """One attention score broken down by dimension of the head (the neuron view).

    One query, all its keys, and what each dimension of their product adds to the attention score.

    `query` (`batch d_head`) and `key` (`batch key_pos d_head`) as they are multiplied: normed and rotated where the
    model does so. `product` sums over `d_head` to the `score` before masking, with the `remainder` shown. NaN at keys
    that the query cannot see.
    Unit: logits of the attention's softmax; `attention` is the probability.
    Conserves: the products and the remainder add up to the attention score before masking.
    Raises: OptionError for a layer, head or position that is not there.
    Source: Vig 2019, "A Multiscale Visualization of Attention in the Transformer Model", neuron view.
    Differs: queries and keys are taken after rotation, and the product carries the score's scale.
    """
    _check(model, prompts, options)
    rows, places = torch.arange(len(prompts)), _query_places(prompts, options.query_pos)
    sites = _sites(model, options.layer)
    with torch.no_grad():
        trace = model.record(prompts, sites.values())
    at_query = {name: trace[site][rows, options.head, places] for name, site in sites.items() if name in _PAIRS}
    query = trace[sites["query"]][rows, places, options.head]
    key = trace[sites["key"]][:, :, options.head // model.dims.group]
    product = query[:, None] * key * model.weights.attention_scale(options.layer)
    dot_product = product.sum(-1)
    score = at_query.get("score", dot_product)
    in_sight = prompts.mask.to(score.device) & visible(score)
    values = {
        "query": query,
        "key": _blank(key, in_sight),
        "product": _blank(product, in_sight),
        "score": _blank(score, in_sight),
        "remainder": _blank(score - dot_product, in_sight),
        "attention": _blank(at_query["attention"], in_sight),
    }
    return QueryKey.of(
        prompts,
        values,
        measured=f"query · key of a{options.layer}.{options.head}, dimension by dimension; the products add up to "
        "the score",
        sign="positive: the dimension increases the query's attention to the key",
        query_pos=("batch", places.numpy()),
        query_token=("batch", [prompts.labels[row][place] for row, place in enumerate(places.tolist())]),
    )


def _sites(model: HookedModel, layer: int) -> dict[str, Site]:
    """Where to read: rotated queries and keys where there are any, and the scores where the model has them."""
    names = {"query": model.score_site("q"), "key": model.score_site("k")}
    names |= {"score": "scores"} if model.has("scores") else {}
    return {name: Site(site, layer) for name, site in (names | {"attention": "pattern"}).items()}


def _query_places(prompts: Prompts, query_pos: int) -> Int[Tensor, "batch"]:
    return prompts.mask.sum(-1) - 1 if query_pos == -1 else torch.full((len(prompts),), query_pos)


def _blank(values: Tensor, in_sight: Bool[Tensor, "batch key_pos"]) -> Tensor:
    return values.masked_fill(~in_sight.reshape(*in_sight.shape, *[1] * (values.dim() - 2)), torch.nan)


def _check(model: HookedModel, prompts: Prompts, options: QueryKeyOptions) -> None:
    shortest = int(prompts.mask.sum(-1).min())
    for name, value, limit, owner in (
        ("layer", options.layer, model.dims.layers, model.name),
        ("head", options.head, model.dims.heads, model.name),
        ("query_pos", options.query_pos, shortest, "the shortest prompt"),
    ):
        if value >= limit:
            raise OptionError(f"query-key, {name} = {value}: {owner} has 0 to {limit - 1}")
