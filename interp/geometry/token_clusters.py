"""Token clusters: how alike the tokens of a window become from layer to layer."""

from functools import partial

from pydantic import Field
from pydantic.dataclasses import dataclass

from interp.core.engine import engine
from interp.core.options import Index
from interp.core.prompts import Prompts
from interp.corpus.options import CorpusOptions, windows_of
from interp.geometry.tokens.spread import TokenMeasures, close_share, mean_cosine, measured
from interp.kinds import TokenClusters
from interp.models.hooked import HookedModel


@dataclass(frozen=True)
class TokenClustersOptions(CorpusOptions):
    """The text, how close tokens of one cluster are, and how many dimensions count as massive."""

    epsilon: float = Field(0.1, gt=0, le=2, description="two tokens are close if their cosine is above 1 − epsilon")
    dimensions: Index = Field(3, description="dimensions of largest mean square that are left out as massive")


@engine(default_prompts=windows_of)
def token_clusters(model: HookedModel, prompts: Prompts, options: TokenClustersOptions) -> TokenClusters:
    """How alike the tokens of a window are in every stream: mean cosine, and the share of pairs that are close.

    Over the pairs of different tokens of a window, mean over windows with its interval: `layer`, the streams into every
    layer and out of the last. The first token and a few massive dimensions make all others look alike, so both numbers
    stand three times: of all tokens, without the first, and without the first and the `dimensions` of largest mean
    square in the window's stream. Independent directions have a cosine of 0.
    Unit: cosine; share of pairs.
    Source: Geshkovski et al. 2025, "A Mathematical Perspective on Transformers", sections 4 to 6: in the mean-field
    model tokens end in one cluster.
    Differs: of the streams of a trained model, whose length is not fixed to 1: cosines in place of inner products.
    """
    measures = {"cosine": mean_cosine, "close_share": partial(close_share, epsilon=options.epsilon)}
    statistic = TokenMeasures("token-clusters", options.dimensions, measures, options.epsilon)
    return TokenClusters.of(
        prompts,
        measured(model, prompts, statistic),
        measured=f"cosines of the tokens of {len(prompts):,} windows; close: above {1 - options.epsilon:g}",
    )
