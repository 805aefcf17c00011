"""Feature activations: which features of a dictionary a prompt has, position by position."""

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass

from interp.core.engine import engine
from interp.core.options import Count
from interp.core.prompts import Prompts
from interp.dictionaries.sae.catalogue import DictionaryOptions, attached
from interp.kinds import FeatureActivations
from interp.models.hooked import HookedModel


@dataclass(frozen=True)
class FeatureActivationsOptions(DictionaryOptions):
    """The dictionary, and how many features are listed per position."""

    top: Count = Field(10, description="features listed per position, strongest first")


@engine
def feature_activations(model: HookedModel, prompts: Prompts, options: FeatureActivationsOptions) -> FeatureActivations:
    """Which features of a dictionary are active at each position, and what the dictionary misses.

    The strongest features at each position: `batch pos rank`; how many are active there, and the error's share.

    Features below zero (as AbsTopK has them) count by their size. Ties go to the lower number.
    Unit: activation, in units of the decoder's rows; error, the share ‖x − x̂‖² / ‖x‖² of what the site holds.
    Raises: DictionaryError where no dictionary is known for the model, or the one that is named does not belong to it.
    Source: Bricken et al. 2023, "Towards Monosemanticity"; Kissane et al. 2024, section 2, for attention outputs.
    """
    dictionary = attached(model, options.dictionary)
    values = model.vectors(prompts, dictionary.site)
    with torch.no_grad():
        features = dictionary.encode(values)
        error = (values - dictionary.reconstruct(values)).square().sum(-1) / values.square().sum(-1)
    top = min(options.top, features.shape[-1])
    order = features.abs().sort(stable=True, dim=-1, descending=True).indices[..., :top]
    activation = features.gather(-1, order)
    is_active = (activation != 0) & prompts.mask.to(features.device)[..., None]
    there = prompts.mask.to(features.device)
    return FeatureActivations.of(
        prompts,
        {
            "feature": order.masked_fill(~is_active, -1),
            "activation": activation.masked_fill(~is_active, float("nan")),
            "active": (features != 0).sum(-1) * there,
            "error": error.masked_fill(~there, float("nan")),
        },
        measured=f"features of {dictionary.name} at {dictionary.site} of {model.name}, strongest first",
        facts=dictionary.facts,
    )
