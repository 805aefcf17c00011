"""How much of its layer's effect on the answer a dictionary captures: measured by replacement, and estimated."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

import interp
from analyses.attention_features.layer import Layer
from analyses.reporting import markdown, share
from interp.core.intervals import bootstrap_mean, percentile_interval, resampling_weights
from interp.core.prompts import PromptPairs
from interp.models import Edit, HookedModel

Interval = tuple[float, float, float]


class Attribution(NamedTuple):
    """Estimated effects of every feature, of all, of the error and of the site, and the site's measured effect."""

    effects: Float[np.ndarray, "batch feature"]
    features: Float[np.ndarray, "batch"]
    error: Float[np.ndarray, "batch"]
    total: Float[np.ndarray, "batch"]
    patched: Float[np.ndarray, "batch"]
    one_gradient: float

    def strongest(self, count: int) -> list[int]:
        """Features by the size of their mean effect."""
        return np.abs(self.effects.mean(0)).argsort(kind="stable")[::-1][:count].tolist()


def attribute(model: HookedModel, pairs: PromptPairs, dictionary: str, steps: int) -> Attribution:
    """`feature-attribution`, with the gradient averaged over `steps` places between the two runs, and with one."""
    engine = interp.dictionaries.feature_attribution
    averaged = engine(model, pairs, dictionary=dictionary, steps=steps).data
    single = engine(model, pairs, dictionary=dictionary).data
    names = ("feature_effect", "features", "error", "total", "patched")
    return Attribution(*(averaged[name].values for name in names), one_gradient=float(single["total"].mean()))


def site_table(layer: Layer, head: int) -> str:
    """The logit difference under each replacement of the site, and its change."""
    site, values, mask = layer.site, layer.values, layer.pairs.clean.mask
    name = f"{layer.site.layer}.{head}"
    edits = {
        "as it is": [],
        "the reconstruction alone, without what it misses": [layer.dictionary.splice(error=False)],
        "mean over the prompt's positions": [Edit.mean(site, values, mask)],
        "zero": [Edit.zero(site)],
        "of the corrupted prompt": [Edit.resample(site, layer.other)],
        "only its features of the corrupted prompt": [layer.exchange()],
        "only what they miss of the corrupted prompt": [layer.exchange_error()],
        f"only head {name} of the corrupted prompt": [Edit.resample(site, layer.other, head=head)],
    }
    rows = [
        [words, mean(values := layer.metric_with(edit)), mean(values - layer.clean) if edit else ""]
        for words, edit in edits.items()
    ]
    rows.append(["(the corrupted prompt itself)", mean(other := layer.corrupted()), mean(other - layer.clean)])
    return markdown([f"{site} holds", "logit difference", "change"], rows)


def totals(layer: Layer, attribution: Attribution, steps: int) -> str:
    """What the reconstruction keeps, and the estimates for the features and for the reconstruction error."""
    zero, alone = (layer.effect(edit) for edit in (Edit.zero(layer.site), layer.dictionary.splice(error=False)))
    site, features, error = map(mean, (attribution.total, attribution.features, attribution.error))
    patched = mean(attribution.patched)
    return (
        f"The reconstruction alone keeps {share(*ratio(zero - alone, zero))} of what zero ablation removes. "
        f"Estimate ({steps} gradients along the way): the whole site {site} (measured: {patched}; one gradient "
        f"alone gives {attribution.one_gradient:.2f}), all features {features}, what they miss {error}; the "
        f"features' share {share(*ratio(attribution.features, attribution.total))}."
    )


def ratio(part: Float[np.ndarray, "batch"], whole: Float[np.ndarray, "batch"]) -> Interval:
    """The share of the means, with its bootstrap interval over prompts."""
    weights = resampling_weights(len(part))
    low, high = percentile_interval((weights @ part) / (weights @ whole))
    return float(part.mean() / whole.mean()), float(low), float(high)


def mean(values: Float[np.ndarray, "batch"]) -> str:
    """A mean with its interval."""
    return share(*bootstrap_mean(np.asarray(values, dtype=float)))
