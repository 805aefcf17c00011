"""Feature disentanglement: whether single features of a dictionary each stand for one factor of the text."""

import torch
from pydantic.dataclasses import dataclass

from interp.core.engine import engine
from interp.core.prompts import Prompts
from interp.corpus.disentangling import DisentanglementOptions, KnownTokens
from interp.corpus.harvest import States
from interp.corpus.labels import labelled_prompts
from interp.dictionaries.sae.catalogue import DictionaryOptions, attached
from interp.kinds import Disentanglement
from interp.models.hooked import HookedModel


@dataclass(frozen=True)
class FeatureDisentanglementOptions(DisentanglementOptions, DictionaryOptions):
    """The dictionary, the text and its labels, and how features are compared with chance."""


@engine(default_prompts=labelled_prompts)
def feature_disentanglement(
    model: HookedModel, prompts: Prompts, options: FeatureDisentanglementOptions
) -> Disentanglement:
    """Whether single features each stand for one factor of the text: MIG, SAP, modularity, smoothness, monotonicity.

    The scores of disentanglement, of a dictionary's features instead of neurons, heads or dimensions: `target
    component`, where a component is a feature. A feature that is active at fewer tokens than a bin holds has two bins:
    active, and not.
    Unit: nats for I.
    Raises: DictionaryError where no dictionary is known for the model, or the one that is named does not belong to it;
    CorpusError where `skip` leaves no token.
    Source: Chen et al. 2018, "Isolating Sources of Disentanglement in VAEs", section 4 (MIG); Kumar et al. 2018 (SAP);
    Ridgeway & Mozer 2018 (modularity); Watcharasupat & Lerch 2023, "Latte" (smoothness, monotonicity).
    Differs: as disentanglement.
    """
    dictionary, known = attached(model, options.dictionary), KnownTokens.of(prompts, options)
    values = torch.from_numpy(States(model, prompts, known.places, [dictionary.site]).at(known.places, 0))
    with torch.no_grad():
        features = dictionary.encode(values.to(model.device, model.dtype)[:, None])[:, 0].double().cpu().numpy()
    facts = dictionary.facts | {"latents": "features"}
    return known.judged(features, options, f"features of {dictionary.name} at {dictionary.site}", facts)
