"""Disentanglement: whether single neurons, heads or dimensions each stand for one factor of the text."""

from typing import Literal

import numpy as np
from pydantic import Field
from pydantic.dataclasses import dataclass

from interp.core.engine import engine
from interp.core.errors import OptionError
from interp.core.options import Index
from interp.core.prompts import Prompts
from interp.corpus.disentangling import DisentanglementOptions, KnownTokens
from interp.corpus.harvest import States
from interp.corpus.labels import labelled_prompts
from interp.kinds import Disentanglement
from interp.models.hooked import HookedModel
from interp.models.sites import Site

_SITES = {"neurons": "mlp_post", "heads": "z", "stream": "resid_post"}


@dataclass(frozen=True)
class LatentOptions(DisentanglementOptions):
    """The text and its labels, which latents, and how they are compared with chance."""

    latents: Literal["neurons", "heads", "stream"] = Field(
        "neurons", description="neurons of the MLP, norms of the heads' weighted values, or dimensions of the stream"
    )
    layer: Index | None = Field(None, description="the layer whose latents are scored; by default the middle one")


@engine(default_prompts=labelled_prompts)
def disentanglement(model: HookedModel, prompts: Prompts, options: LatentOptions) -> Disentanglement:
    """Whether single latents each stand for one factor of the text: MIG, SAP, modularity, smoothness and monotonicity.

    Factors are the prompts' labels and three rules: the token begins a word, was seen before, stands in the second
    half. Mutual information I is that of a latent in bins of equal counts and a factor: `target component`. Of a
    factor: MIG, I of its best latent less that of the next, over the factor's entropy; SAP, the same difference of the
    balanced accuracies of predictions from the bin alone; for two values, how smooth and how monotone the factor's mean
    is along the best latent. Of a latent, modularity: 1 − Σ I² of the other factors over (factors − 1) times I² of its
    best. Nulls permute the factor within prompts (or groups); intervals resample these.
    Unit: nats for I.
    Raises: OptionError for a layer that the model does not have; SiteError for latents that it lacks;
    CorpusError where `skip` leaves no token.
    Source: Chen et al. 2018, "Isolating Sources of Disentanglement in VAEs", section 4 (MIG); Kumar et al. 2018 (SAP);
    Ridgeway & Mozer 2018 (modularity); Watcharasupat & Lerch 2023, "Latte" (smoothness, monotonicity).
    Differs: one-latent predictors are the bins' likeliest values rather than linear machines; curves are those of the
    bins' means.
    """
    layer = model.dims.layers // 2 if options.layer is None else options.layer
    if layer >= model.dims.layers:
        raise OptionError(f"disentanglement, layer = {layer}: {model.name} has layers 0 to {model.dims.layers - 1}")
    known = KnownTokens.of(prompts, options)
    values = States(model, prompts, known.places, [Site(_SITES[options.latents], layer)]).at(known.places, 0)
    if options.latents == "heads":
        values = np.linalg.norm(values.reshape(len(values), model.dims.heads, -1), axis=-1)
    facts = {"layer": str(layer), "latents": options.latents}
    return known.judged(values, options, f"{options.latents} of layer {layer}", facts)
