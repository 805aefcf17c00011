"""Sentences that every tiny family reads, and the streams of a model that reads them one by one."""

import numpy as np
import torch
from tiny import WORDS

from interp.core.prompts import Prompts
from interp.models import HookedModel, Site


def sentences(family: str, count: int) -> list[str]:
    """Different words in different orders, of different lengths; with a mask where the family wants one."""
    random = np.random.default_rng(0)
    end = " [MASK]" if family == "bert-masked" else ""
    return [" ".join(random.choice(WORDS, 6 + index % 5)) + end for index in range(count)]


def streams(model: HookedModel, texts: list[str], skip: int) -> list[np.ndarray]:
    """The stream at every place, one prompt after another, without the first positions: places of `token d_model`."""
    places = [*model.sites("resid_pre"), Site("resid_post", model.dims.layers - 1)]
    found: list[list[np.ndarray]] = [[] for _ in places]
    with torch.no_grad():
        for text in texts:
            trace = model.run(Prompts.of(model, text), record=places)
            for place, site in enumerate(places):
                found[place].extend(trace[site][0, skip:].double().numpy())
    return [np.array(rows) for rows in found]
