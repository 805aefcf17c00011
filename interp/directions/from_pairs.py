"""Directions that two groups of texts differ in."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float

from interp.core.errors import PromptError, SiteError
from interp.core.prompts import Prompts
from interp.models.directions import Direction
from interp.models.hooked import HookedModel
from interp.models.sites import Site


def from_pairs(
    model: HookedModel,
    positive: Sequence[str] | Prompts,
    negative: Sequence[str] | Prompts,
    *,
    layer: int,
    read: Literal["answer", "mean"] = "answer",
    method: Literal["mean", "pca", "logistic"] = "mean",
) -> Direction:
    """The direction of the stream into a layer that leads from one group of texts to the other, and their distance.

    `layer` may be the number of layers: the stream out of the last one. States are read where answers are, or as the
    mean over each text's tokens but the first. `mean`: the difference of the groups' means; `pca`: the first principal
    component of the differences of pairs (which need as many of one as of the other), not centred; `logistic`: the
    weights of a logistic regression with a ridge penalty. All point to the positive group.
    Raises: PromptError for groups that are empty, unequal where pairs are needed, or have the same states.
    Source: Marks & Tegmark 2023, "The Geometry of Truth" (mean); Zou et al. 2023, "Representation Engineering" (pca).
    """
    if not 0 <= layer <= model.dims.layers:
        raise SiteError(f"layer = {layer}: {model.name} has streams 0 to {model.dims.layers}; give one of these")
    site = model.stream_sites()[layer]
    groups = [_states(model, _prompts(model, texts, name), site, read)
              for texts, name in ((positive, "positive"), (negative, "negative"))]  # fmt: skip
    difference = groups[0].mean(0) - groups[1].mean(0)
    vector = difference
    if method == "pca":
        if len(groups[0]) != len(groups[1]):
            raise PromptError(
                f"method = 'pca' compares pairs: there are {len(groups[0])} positive texts and {len(groups[1])} "
                "negative ones; give as many, or use method = 'mean'"
            )
        vector = np.linalg.svd(groups[0] - groups[1], full_matrices=False)[2][0]
    if method == "logistic":
        vector = _weights(*groups)
    vector = vector * np.sign(vector @ difference)
    size = float(np.linalg.norm(vector))
    if not size > 1e-9 * float(np.linalg.norm(np.concatenate(groups), axis=1).max()):
        raise PromptError("positive and negative texts have the same states: no direction separates them; change them")
    unit = vector / size
    counts = f"{len(groups[0])} positive and {len(groups[1])} negative texts"
    return Direction(
        site, unit, model.name, model.weight_hash, f"{method} of {counts}, {read}, layer {layer}",
        float(unit @ difference),
    )  # fmt: skip


def _prompts(model: HookedModel, texts: Sequence[str] | Prompts, name: str) -> Prompts:
    if isinstance(texts, Prompts):
        return texts
    if isinstance(texts, str) or not len(texts):
        raise PromptError(f"{name} is {texts!r:.40}; give a list of texts")
    return Prompts.of(model, list(texts))


def _states(model: HookedModel, prompts: Prompts, site: Site, read: str) -> Float[np.ndarray, "text d_model"]:
    stream = model.vectors(prompts, site).double().cpu().numpy()
    if read == "answer":
        return stream[np.arange(len(prompts)), list(prompts.answer_positions(model))]
    mask = prompts.mask.cpu().numpy().copy()
    mask[:, 0] = mask[:, 0] & (mask.sum(1) == 1)  # the first state is often an outlier, unless it is the only one
    return (stream * mask[..., None]).sum(1) / mask.sum(1)[:, None]


def _weights(positive: np.ndarray, negative: np.ndarray) -> Float[np.ndarray, "d_model"]:
    """Of a logistic regression on standardised states, in the stream's own units."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    scaler, states = StandardScaler(), np.concatenate([positive, negative])
    fitted = LogisticRegression(C=0.1, max_iter=1000)
    fitted.fit(scaler.fit_transform(states), [1] * len(positive) + [0] * len(negative))
    return fitted.coef_[0] / scaler.scale_
