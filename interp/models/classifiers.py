"""Causal models with a classification head: hooked as the language model whose unembedding is that head."""

from copy import deepcopy
from typing import Any

import torch
from torch import nn
from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, PreTrainedModel

from interp.core.errors import ModelError
from interp.models.encoders import ENCODERS

CLASSIFIER = "ForSequenceClassification"
# What only a family's language model does to its logits, and with what it does nothing.
_ON_TOKENS = {"final_logit_softcapping": None, "logits_scaling": 1.0, "logit_scale": 1.0}


def as_language_model(model: PreTrainedModel, name: str) -> PreTrainedModel:
    """A causal classifier as its family's language model, whose logits at every position are classes; others as is.

    The weights are shared. Raises: ModelError if there is no such language model, or the head is more than one map.
    """
    kind = type(model).__name__
    if not kind.endswith(CLASSIFIER) or kind in ENCODERS:
        return model
    heads = [module for module in model.children() if module is not model.base_model]
    family: Any = MODEL_FOR_CAUSAL_LM_MAPPING.get(type(model.config), None)
    if family is None or len(heads) != 1 or not isinstance(heads[0], nn.Linear):
        raise ModelError(
            f"{name} is a {kind}, whose head is not one linear map of its family's last layer; choose another model"
        )
    config: Any = deepcopy(model.config)
    config.tie_word_embeddings = False
    for setting, nothing in _ON_TOKENS.items():
        if hasattr(config, setting):
            setattr(config, setting, nothing)
    with torch.device("meta"):
        whole = family(config)
    setattr(whole, whole.base_model_prefix, model.base_model)
    whole.set_output_embeddings(heads[0])
    return whole
