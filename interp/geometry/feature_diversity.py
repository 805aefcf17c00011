"""Feature diversity: how far the tokens of a window are from all being the same."""

from pydantic import Field
from pydantic.dataclasses import dataclass

from interp.core.engine import engine
from interp.core.options import Index
from interp.core.prompts import Prompts
from interp.corpus.options import CorpusOptions, windows_of
from interp.geometry.tokens.spread import TokenMeasures, diversity, measured
from interp.kinds import FeatureDiversity
from interp.models.hooked import HookedModel


@dataclass(frozen=True)
class FeatureDiversityOptions(CorpusOptions):
    """The text, and how many dimensions count as massive."""

    dimensions: Index = Field(3, description="dimensions of largest mean square that are left out as massive")


@engine(default_prompts=windows_of)
def feature_diversity(model: HookedModel, prompts: Prompts, options: FeatureDiversityOptions) -> FeatureDiversity:
    """How far the tokens of a window are from all being the same, in every stream.

    min_z ‖Z − 1zᵀ‖ / ‖Z‖ in Frobenius norms over the tokens Z of a window: the minimum is at their mean. Mean over
    windows with its interval: `layer`, the streams into every layer and out of the last; of all tokens, without the
    first, and without the first and the `dimensions` of largest mean square. Independent tokens of mean zero have
    √(1 − 1/n).
    Unit: share of the norm, from 0 (one token n times) to 1.
    Source: Tang et al. 2021, "Augmented Shortcuts for Vision Transformers", equation 3; Dong et al. 2021, "Attention Is
    Not All You Need", for its fall in networks of attention alone.
    Differs: relative to ‖Z‖, in the Frobenius norm.
    """
    statistic = TokenMeasures("feature-diversity", options.dimensions, {"diversity": diversity})
    return FeatureDiversity.of(
        prompts,
        measured(model, prompts, statistic),
        measured=f"distance of the tokens from their mean, as a share of their norm, over {len(prompts):,} windows",
    )
